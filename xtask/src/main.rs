//! The project's chores, run as `cargo xtask <chore>`.
//!
//! Owns the command line alone: what a chore checks lives in the library, so that its tests can drive it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::tidy;

const USAGE: &str = "usage: cargo xtask tidy [ROOT]\n\n  tidy    hold the workspace to its own rules; ROOT defaults to this repository\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => run_tidy(&repository()),
        ["tidy", root] => run_tidy(Path::new(root)),
        ["help" | "--help" | "-h"] => say(&mut io::stdout(), USAGE, ExitCode::SUCCESS),
        _ => say(&mut io::stderr(), USAGE, ExitCode::from(2)),
    }
}

fn run_tidy(root: &Path) -> ExitCode {
    match tidy::check(root) {
        Ok(report) => {
            let verdict = if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            say(&mut io::stdout(), &report.to_string(), verdict)
        }
        Err(broken) => say(&mut io::stderr(), &format!("tidy could not run: {broken}\n"), ExitCode::from(2)),
    }
}

/// The repository this program was built in: its manifest's parent, whatever folder it is called from.
fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

fn say(stream: &mut dyn io::Write, text: &str, verdict: ExitCode) -> ExitCode {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Ok(()) => verdict,
        Err(_closed) => ExitCode::from(2),
    }
}
