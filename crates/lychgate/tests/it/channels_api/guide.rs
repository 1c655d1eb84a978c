//! The guide to the server API does what it says: its lines of curl are sent to a server with the configuration above them.

use serde_json::Value;

use super::{SCOPES, key};
use crate::harness::Setup;
use crate::harness::guide::{block, request};
use crate::harness::http;

const GUIDE: &str = include_str!("../../../../../docs/guide/server-api.md");

#[tokio::test]
async fn the_guide_says_what_happens() {
    let (server, setup) = Setup::of(block(GUIDE, "toml")).start_and_keep().await;
    let key = key(&setup, "shop", &SCOPES);
    let (lines, answers) = (block(GUIDE, "bash"), block(GUIDE, "text"));
    assert_eq!(lines.lines().count(), answers.lines().count(), "an answer to each line");
    for (line, answer) in lines.lines().zip(answers.lines()) {
        let reply = http::exchange(server.address, request(line, &key).as_bytes()).await;
        let (status, body) = answer.split_once(' ').expect("a status and a body");
        assert_eq!(reply.status.to_string(), status, "{line}: {reply:?}");
        let said = without_epochs(reply.text());
        assert_eq!(said, body, "{line}");
        assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
    }
    assert_eq!(lines.lines().count(), 14, "lines of curl in the guide");
}

/// Epochs are made up anew by each server, so the page has dots in their place.
fn without_epochs(text: &str) -> String {
    let mut parts = text.split("\"epoch\":\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (epoch, rest) = part.split_once('"').expect("a text ends");
        assert_eq!(epoch.len(), 8, "{text}");
        out.push_str("\"epoch\":\"…\"");
        out.push_str(rest);
    }
    out
}
