//! `user import`: a file of accounts, a summary, and a line for each row that was not taken.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use lychgate_service::accounts::{Accounts, ImportFormat, ImportOptions, ImportReport, ImportRows, PasswordRule};
use serde_json::json;

use super::ended;
use super::terminal::{complain, say};
use super::user::Format;

/// The rows of a file or of standard input.
type Rows = ImportRows<Box<dyn BufRead + Send>>;

/// Opens the file and reads its heading.
pub(super) fn open(file: &Path, format: Option<Format>) -> anyhow::Result<Rows> {
    let is_input = file.as_os_str() == "-";
    let format = match (format, file.extension().and_then(|extension| extension.to_str())) {
        (Some(Format::Csv), _) | (None, Some("csv")) => ImportFormat::Csv,
        (Some(Format::Jsonl), _) | (None, Some("jsonl" | "ndjson")) => ImportFormat::JsonLines,
        (None, _) => {
            return Err(ended(2, "the name of the file does not tell its form; use --format csv or --format jsonl"));
        }
    };
    let reader: Box<dyn BufRead + Send> = if is_input {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).with_context(|| format!("cannot open {}", file.display()))?))
    };
    ImportRows::new(reader, format).with_context(|| format!("cannot read {}", file.display()))
}

/// Stores the rows and reports on them.
pub(super) async fn import(
    accounts: &Accounts,
    rows: Rows,
    dry_run: bool,
    rule: PasswordRule,
    json: bool,
) -> anyhow::Result<()> {
    match accounts.import(rows, ImportOptions { dry_run, rule }).await {
        Ok(report) => {
            summarise(&report, dry_run, json, None)?;
            if report.refused == 0 { Ok(()) } else { Err(ended(1, "")) }
        }
        Err(stopped) => {
            let cause = format!("{:#}", anyhow::Error::new(stopped.cause));
            summarise(&stopped.report, dry_run, json, Some((stopped.line, &cause)))?;
            Err(ended(1, format!("the import stopped before line {}: {cause}", stopped.line)))
        }
    }
}

fn summarise(report: &ImportReport, dry_run: bool, json: bool, stopped: Option<(u64, &str)>) -> anyhow::Result<()> {
    if json {
        let faults: Vec<_> =
            report.faults.iter().map(|fault| json!({ "line": fault.line, "error": fault.error.to_string() })).collect();
        let stopped = stopped.map(|(line, cause)| json!({ "line": line, "error": cause }));
        let summary = json!({
            "created": report.created,
            "refused": report.refused,
            "dry_run": dry_run,
            "faults": faults,
            "stopped": stopped,
        });
        return Ok(say(&summary.to_string())?);
    }
    for fault in &report.faults {
        complain(&fault.to_string());
    }
    let unlisted = report.refused - report.faults.len() as u64;
    if unlisted > 0 {
        complain(&format!("and {unlisted} more"));
    }
    let verb = if dry_run { "would be made" } else { "made" };
    Ok(say(&format!("{} {verb}, {} refused.", report.created, report.refused))?)
}
