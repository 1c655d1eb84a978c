//! The golden frames of `fixtures/wire`, which clients in other languages read too.

use lychgate_protocol::ws::{DecoderLimits, Role};
use serde_json::{Value, json};

use crate::support::{End, Said, decode_in_every_cut};

const LIMITS: DecoderLimits = DecoderLimits { message_bytes_max: 65_536, fragments_max: 8 };

#[test]
fn golden_frames() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/wire");
    let mut streams = 0;
    for file in ["messages.json", "refusals.json", "close.json"] {
        let json = std::fs::read(format!("{folder}/{file}")).expect(file);
        let entries: Vec<Value> = serde_json::from_slice(&json).expect(file);
        for entry in entries {
            let name = format!("{file}: {}", entry["name"]);
            let receiver = match entry["receiver"].as_str() {
                Some("server") => Role::Server,
                Some("client") => Role::Client,
                other => panic!("{name}: receiver {other:?}"),
            };
            let bytes = unhex(entry["hex"].as_str().expect(&name));
            let outcome = decode_in_every_cut(receiver, LIMITS, &bytes);
            let events: Vec<Value> = outcome.said.iter().map(event).collect();
            assert_eq!(Value::from(events), entry["events"], "{name}");
            assert_eq!(end(outcome.end), entry["end"], "{name}");
            streams += 1;
        }
    }
    assert!(streams >= 40, "{streams} streams");
}

fn event(said: &Said) -> Value {
    match said {
        Said::Text(text) => json!({ "text": text }),
        Said::Binary(bytes) => json!({ "binary": hex(bytes) }),
        Said::Ping(bytes) => json!({ "ping": hex(bytes) }),
        Said::Pong(bytes) => json!({ "pong": hex(bytes) }),
        Said::Close(None) => json!({ "close": null }),
        Said::Close(Some((code, reason))) => json!({ "close": { "code": code, "reason": reason } }),
    }
}

fn end(end: End) -> Value {
    match end {
        End::Whole => "whole".into(),
        End::Mid => "mid".into(),
        End::Refused(violation) => json!({ "refused": violation.code(), "close_code": violation.close_code().0 }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}
