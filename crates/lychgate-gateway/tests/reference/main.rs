//! The reference pages that are made from this crate's tables, held against them.
//!
//! `LYCHGATE_BLESS=1 cargo test -p lychgate-gateway --test reference` writes the pages anew.

mod channel_codes;
mod logs;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lychgate_gateway::metrics::{Kind, METRICS};
use lychgate_gateway::ws::profile::Event;
use lychgate_protocol::ws::Retry;
use lychgate_protocol::ws::close::CLOSE_CODES;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/").to_owned()
}

/// Compares a page with what it should say, or writes it when asked to.
fn hold(page: &str, expected: &str) {
    let path = repository().join("docs/reference").join(page);
    if std::env::var_os("LYCHGATE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a page lies in a folder")).expect("the folder can be made");
        std::fs::write(&path, expected).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/{page} is not what the code says: run LYCHGATE_BLESS=1 cargo test -p lychgate-gateway --test reference"
    );
}

#[test]
fn metrics_page() {
    let mut page = "\
# Metrics

`GET /metrics` answers in the OpenMetrics text format, on `server.operations_listen`.
Labels are bounded: `endpoint`, `board` and `source` are configured names, the others are words from fixed lists. Users, addresses and channels are never labels.

| metric | kind | labels | what it counts |
|---|---|---|---|
"
    .to_owned();
    for metric in METRICS {
        let (kind, suffix) = match metric.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(page, "| `{}{suffix}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help);
    }
    hold("metrics.md", &page);
}

#[test]
fn close_codes_page() {
    let mut page = "\
# Close codes

## By number

What a code means when this server or its terminal client speaks of it, and what a client does next.

| code | name | meaning | a client |
|---|---|---|---|
"
    .to_owned();
    for entry in CLOSE_CODES {
        let next = match entry.retry {
            Retry::Reconnect => "connects again, with backoff",
            Retry::RefreshThenReconnect => "gets a new token, connects again, and stops if that meets the same code",
            Retry::Stop => "stops",
        };
        let name = if entry.is_sent { entry.name.to_owned() } else { format!("{} (never sent)", entry.name) };
        let _ = writeln!(page, "| {} | {name} | {} | {next} |", entry.code.0, entry.meaning);
    }
    page.push_str(
        "
Codes without a row: 3000 to 3499 and 4000 to 4499 mean \"connect again\", 3500 to 3999 and 4500 to 4999 mean \"stop\".

## By event

Everything that ends a connection or keeps one from beginning is one of these events.
A profile gives each of them its code and reason: see `[profile.NAME]` in [the configuration reference](config.md).
With `refusal = \"http\"` those that have a status in the last column are answered with it before the upgrade.

| event | when | HTTP status |
|---|---|---|
",
    );
    for event in Event::ALL {
        let status = if event.is_at_the_door() { event.status().as_u16().to_string() } else { "–".to_owned() };
        let _ = writeln!(page, "| `{}` | {} | {status} |", event.name(), event.meaning());
    }
    page.push_str(
        "
Bytes that are no valid WebSocket frames end a connection with the code that RFC 6455 names for it (1002 or 1007), whatever the profile says.
",
    );
    hold("close-codes.md", &page);
}
