//! Several commands in one request: in their order, each with an answer of its own, and refused only as a whole.

use serde_json::json;

use super::{Sdk, World, key};

#[tokio::test]
async fn commands_are_done_in_their_order() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let commands = json!({ "commands": [
        { "publish": { "channel": "news", "data": 1 } },
        { "publish": { "channel": "none", "data": 1 } },
        { "publish": { "channel": "news", "data": 2 } },
        { "history": { "channel": "news", "limit": -1 } },
        { "presence_stats": { "channel": "chat:5" } },
        { "rpc": {} },
        { "batch": { "commands": [] } },
        { "history_remove": { "channel": "news" } },
        { "channels": {} },
    ], "parallel": true });
    let reply = world.ask("batch", &commands).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let replies = answer["replies"].as_array().expect("a list at the top");
    assert_eq!(replies.len(), 9, "{answer}");
    assert_eq!((&replies[0]["publish"]["offset"], &replies[2]["publish"]["offset"]), (&json!(1), &json!(2)));
    assert_eq!(replies[1]["error"]["code"], 102);
    assert_eq!(replies[3]["history"]["publications"].as_array().map(Vec::len), Some(2));
    assert_eq!(replies[4], json!({ "presence_stats": { "num_clients": 0, "num_users": 0 } }));
    assert_eq!((&replies[5]["error"]["code"], &replies[6]["error"]["code"]), (&json!(104), &json!(104)));
    assert_eq!(replies[7], json!({ "history_remove": {} }));
    assert_eq!(replies[8]["channels"]["channels"]["news"], json!({ "num_clients": 1 }));
    assert_eq!((alice.data("news").await, alice.data("news").await), (json!(1), json!(2)));
    assert_eq!(world.ask("batch", &json!({ "commands": [] })).await.json(), json!({ "replies": [] }));
}

#[tokio::test]
async fn a_batch_that_is_none_does_nothing() {
    let world = World::begin().await;
    let publish = r#"{"publish":{"channel":"news","data":1}}"#;
    for body in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"commands":[{publish},{{}}]}}"#),
        format!(r#"{{"commands":[{publish},{{"info":{{}},"channels":{{}}}}]}}"#),
        format!(r#"{{"commands":[{publish},7]}}"#),
        format!(r#"{{"commands":{publish}}}"#),
    ] {
        let reply = world.send("batch", &body, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "bad_json"), "{body}: {reply:?}");
    }
    let many = |count: usize| format!(r#"{{"commands":[{}]}}"#, vec![r#"{"info":{}}"#; count].join(","));
    let reply = world.send("batch", &many(1_001), "").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "too_many"));
    assert_eq!(world.send("batch", &many(1_000), "").await.status, 200);
    let first = world.done("publish", json!({ "channel": "news", "data": 1 })).await;
    assert_eq!(first["offset"], 1, "none of the commands before a fault was done");
}

#[tokio::test]
async fn a_batch_needs_every_scope_of_its_commands_and_no_other() {
    let world = World::begin().await;
    let publish = r#"{"publish":{"channel":"news","data":1}}"#;
    let history = r#"{"history":{"channel":"news"}}"#;
    let disconnect = r#"{"disconnect":{"user":"alice"}}"#;
    let batch = |commands: &[&str]| format!(r#"{{"commands":[{}]}}"#, commands.join(","));
    let reads = key(&world.setup, "reads", &["channels:read"]);
    let both = key(&world.setup, "both", &["channels:read", "channels:publish"]);
    let manages = key(&world.setup, "manages", &["channels:manage"]);
    let mut alice = Sdk::of(&world, "alice").await;
    for (key, commands, lacks) in [
        (&reads, vec![history], None),
        (&reads, vec![], None),
        (&reads, vec![history, publish], Some("channels:publish")),
        (&both, vec![publish, disconnect], Some("channels:manage")),
        (&both, vec![publish, history], None),
        (&manages, vec![disconnect, history], Some("channels:read")),
    ] {
        let reply = world.send_with("batch", &batch(&commands), &format!("x-api-key: {key}\r\n")).await;
        match lacks {
            None => assert_eq!(reply.status, 200, "{commands:?}: {reply:?}"),
            Some(scope) => {
                assert_eq!((reply.status, reply.code().as_str()), (403, "missing_scope"), "{commands:?}");
                assert!(reply.text().contains(scope), "{reply:?}");
            }
        }
    }
    let page = world.done("history", json!({ "channel": "news" })).await;
    assert_eq!(page["offset"], 1, "a batch that was refused published nothing");
    world.done("publish", json!({ "channel": "inbox:alice", "data": "still here" })).await;
    assert_eq!(alice.data("inbox:alice").await, "still here");
    world.send_with("batch", &batch(&[disconnect]), &format!("x-api-key: {manages}\r\n")).await;
    assert_eq!(alice.closed().await.0, 3503);
}
