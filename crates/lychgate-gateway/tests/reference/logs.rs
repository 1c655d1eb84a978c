//! The fields of log lines: a fixed list, so that a search written today works tomorrow.

use std::collections::BTreeSet;
use std::path::Path;

use super::{hold, repository};

/// Every field that a log line may have, and what it holds.
const FIELDS: &[(&str, &str)] = &[
    (
        "address",
        "an IP address, with a port where the server listens; of a client, after the walk through `server.trusted_proxies`",
    ),
    ("cause", "the error below, for the operator; never shown to a client"),
    ("channel", "the name of a channel, which may hold a user's id"),
    ("code", "the stable code of an HTTP refusal, as in its body"),
    ("connections", "open WebSockets, or those that were closed for what was revoked"),
    ("dropped", "publications that are not kept any more"),
    ("endpoint", "the endpoint's configured name"),
    ("event", "why the server closed a connection: an event of [the close codes](close-codes.md)"),
    (
        "reason",
        "which check failed: for a token `missing`, `malformed`, `bad_signature`, `unknown_key`, `wrong_algorithm`, `expired`, `not_yet_valid`, `wrong_issuer`, `wrong_audience` or `payload_…`; for a login `bad_credentials`, `disabled`, `no_email`, `busy` or `store`, and for what is taken back `revoked` or `revocations_stale`; for a refresh token `unknown`, `ended`, `expired`, `repeated`, `replayed` or `disabled`; in development `no_account` or `origin`; for an API key `malformed`, `unknown_key`, `revoked` or `scope`",
    ),
    ("key", "the name of an API key; never the key"),
    ("mode", "the permissions that a file had, in octal"),
    ("path", "a file of this server; never the path of a request"),
    ("people", "how many users are on a board"),
    ("request_id", "joins a line with the `X-Request-Id` that the client was given"),
    ("resource", "the name of a resource in the registry"),
    ("retry_after_ms", "how long a throttled client has to wait, in milliseconds"),
    ("route", "the configured name of a route of HTTP, or what the API was asked for, such as `put_member`"),
    ("session", "the id of a login's session, which is the `sid` of its tokens"),
    ("source", "the configured name of a `[source.NAME]`"),
    ("times", "how often in a row"),
    ("user", "a verified user's name"),
    ("user_id", "a user's number in the database"),
    ("violation", "which rule of RFC 6455 a peer broke"),
];

#[test]
fn every_field_in_the_code_is_on_the_page_and_the_other_way_round() {
    let used: BTreeSet<String> = sources().iter().flat_map(|source| fields_of(source)).collect();
    let known: BTreeSet<String> = FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(used, known, "the fields used in tracing macros and the list FIELDS differ");

    let mut page = "\
# Log fields

`log.format = \"json\"` writes one object a line: `timestamp` (RFC 3339), `level`, `target` (the module), `message`, and of these fields those that apply.
The target of a request is never logged, since it may hold a token; no line holds a token, a password, a secret or a message of a user.

| field | what it holds |
|---|---|
"
    .to_owned();
    for (name, meaning) in FIELDS {
        page.push_str(&format!("| `{name}` | {meaning} |\n"));
    }
    hold("logs.md", &page);
}

fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let mut folders = vec![repository().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a source folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() && !is_test_folder(&path) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(std::fs::read_to_string(&path).expect("a source file can be read"));
            }
        }
    }
    sources
}

fn is_test_folder(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests" || name == "examples" || name == "benches")
}

/// The fields in the arguments of each tracing macro of `source`.
fn fields_of(source: &str) -> Vec<String> {
    let mut fields = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for call in source.split(&format!("tracing::{level}!(")).skip(1) {
            let arguments = &call[..end_of_call(call)];
            for argument in arguments.split(", ").flat_map(|part| part.split(",\n")) {
                let argument = argument.trim();
                let name = argument.split('=').next().unwrap_or("").trim().trim_start_matches(['%', '?']);
                let name = name.rsplit('.').next().unwrap_or("");
                let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                if is_name && !argument.starts_with('"') {
                    fields.push(name.to_owned());
                }
            }
        }
    }
    fields
}

/// Where the parenthesis closes that was opened before `text`.
fn end_of_call(text: &str) -> usize {
    let (mut depth, mut in_text) = (1, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => in_text = !in_text,
            b'(' if !in_text => depth += 1,
            b')' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}
