//! The guide to the registry does what it says: its lines of curl are sent to a server with the configuration above them.

use serde_json::Value;

use super::World;
use crate::harness::Setup;
use crate::harness::guide::{block, request};
use crate::harness::http;

const GUIDE: &str = include_str!("../../../../../docs/guide/registry.md");

#[tokio::test]
async fn the_guide_says_what_happens() {
    let world = World::of(Setup::of(block(GUIDE, "toml"))).await;
    let (lines, answers) = (block(GUIDE, "bash"), block(GUIDE, "text"));
    assert_eq!(lines.lines().count(), answers.lines().count(), "an answer to each line");
    for (line, answer) in lines.lines().zip(answers.lines()) {
        let reply = http::exchange(world.server.address, request(line, &world.key).as_bytes()).await;
        let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
        assert_eq!(reply.status.to_string(), status, "{line}: {reply:?}");
        assert_eq!(reply.text(), body, "{line}");
        assert!(body.is_empty() || serde_json::from_str::<Value>(body).is_ok(), "{body}");
    }
    assert_eq!(lines.lines().count(), 9, "lines of curl in the guide");
}
