//! Publishing: to one channel and to many, once, kept or not, and to clients of either kind.

use serde_json::{Value, json};

use super::{Sdk, World};
use crate::harness::Server;
use crate::harness::client::Client;

#[tokio::test]
async fn what_is_published_is_heard_in_its_place() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let first = world.done("publish", json!({ "channel": "news", "data": { "text": "one" } })).await;
    let second = world.done("publish", json!({ "channel": "news", "data": { "text": "two" } })).await;
    assert_eq!((&first["offset"], &second["offset"]), (&json!(1), &json!(2)));
    assert!(first["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()) && first["epoch"] == second["epoch"]);
    let heard = alice.push("news", "pub").await;
    assert_eq!((&heard["data"], &heard["offset"]), (&json!({ "text": "one" }), &json!(1)));
    assert!(heard["info"].is_null(), "nobody's name stands on what the application says: {heard}");
    assert_eq!(alice.push("news", "pub").await["offset"], 2);
}

#[tokio::test]
async fn a_payload_is_any_json_and_stays_as_it_was_written() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "plain:a").await;
    for text in ["null", "0", "-1.50", "\"x\"", "[]", "{\"a\": 1.000, \"b\":[ ]}", "\"\\u00e9\""] {
        let body = format!(r#"{{"channel":"plain:a","data":{text}}}"#);
        let reply = world.send("publish", &body, "").await;
        assert_eq!(reply.json(), json!({ "result": {} }), "a channel that keeps nothing has no places");
        let heard = alice.socket.hear_text().await;
        assert!(heard.contains(&format!("\"data\":{text}")), "{text}: {heard}");
    }
    // A line break would end the message of the protocol, so it is the one thing that does not stay.
    world.send("publish", "{\"channel\":\"plain:a\",\"data\":{\n \"a\":\n1}}", "").await;
    let heard = alice.socket.hear_text().await;
    assert!(heard.contains(r#""data":{ "a":1}"#) && !heard.trim_end().contains('\n'), "{heard:?}");
    // {"by":"base64"}
    world.done("publish", json!({ "channel": "plain:a", "b64data": "eyJieSI6ImJhc2U2NCJ9" })).await;
    assert_eq!(alice.data("plain:a").await, json!({ "by": "base64" }));
}

#[tokio::test]
async fn what_skips_the_history_is_heard_and_not_kept() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    world.done("publish", json!({ "channel": "news", "data": 1 })).await;
    let skipped = world.done("publish", json!({ "channel": "news", "data": 2, "skip_history": true })).await;
    assert_eq!(skipped, json!({}));
    world.done("publish", json!({ "channel": "news", "data": 3 })).await;
    for expected in [1, 2, 3] {
        assert_eq!(alice.data("news").await, expected);
    }
    let kept = world.done("history", json!({ "channel": "news", "limit": 10 })).await;
    let kept: Vec<&Value> = kept["publications"].as_array().expect("a list").iter().map(|kept| &kept["data"]).collect();
    assert_eq!(kept, [&json!(1), &json!(3)]);
}

#[tokio::test]
async fn a_key_makes_a_publication_one() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let once = json!({ "channel": "news", "data": "once", "idempotency_key": "order-17" });
    let first = world.done("publish", once.clone()).await;
    assert_eq!(world.done("publish", once).await, first);
    let other =
        world.done("publish", json!({ "channel": "news", "data": "other", "idempotency_key": "order-18" })).await;
    assert_eq!(other["offset"], 2);
    let elsewhere = json!({ "channel": "open:1", "data": "elsewhere", "idempotency_key": "order-17" });
    assert_eq!(world.done("publish", elsewhere).await["offset"], 1, "a key is a channel's own");
    assert_eq!(alice.data("news").await, "once");
    assert_eq!(alice.data("news").await, "other");
}

#[tokio::test]
async fn a_broadcast_answers_for_each_channel() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    alice.done("subscribe", json!({ "channel": "plain:a" })).await;
    let channels = ["news", "none", "plain:a", "chat:x"];
    let result = world.done("broadcast", json!({ "channels": channels, "data": "all" })).await;
    let responses = result["responses"].as_array().expect("a list");
    assert_eq!(responses.len(), 4);
    assert_eq!(responses[0]["result"]["offset"], 1);
    assert_eq!(responses[1]["error"]["code"], 102);
    assert_eq!(responses[2], json!({ "result": {} }));
    assert_eq!(responses[3]["error"]["code"], 107);
    assert_eq!(alice.data("news").await, "all");
    assert_eq!(alice.data("plain:a").await, "all");
}

#[tokio::test]
async fn plain_sockets_and_clients_of_the_protocol_share_a_channel() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "chat:5").await;
    let mut bob = Client::open(world.server.address, &Server::at("/ws/chat/5", "bob")).await;
    bob.entered().await;
    world.done("publish", json!({ "channel": "chat:5", "data": { "text": "from the application" } })).await;
    assert_eq!(bob.hear_text().await, r#"{"text":"from the application"}"#);
    let joined = alice.push("chat:5", "join").await;
    assert_eq!(joined["info"]["user"], "alice", "one's own arrival comes first");
    assert_eq!(alice.data("chat:5").await, json!({ "text": "from the application" }));

    bob.say(r#"{"text":"from a plain socket"}"#).await;
    assert_eq!(bob.hear().await["text"], "from a plain socket");
    assert_eq!(alice.data("chat:5").await["text"], "from a plain socket");
    alice.done("publish", json!({ "channel": "chat:5", "data": { "text": "from a client" } })).await;
    assert_eq!(bob.hear().await["text"], "from a client");
    let heard = alice.push("chat:5", "pub").await;
    assert_eq!((&heard["info"]["user"], &heard["offset"]), (&json!("alice"), &json!(3)));
}

#[tokio::test]
async fn an_inbox_is_reached_by_its_users_name() {
    let world = World::begin().await;
    let (mut alice, mut bob) = (Sdk::of(&world, "alice").await, Sdk::of(&world, "bob").await);
    world.done("publish", json!({ "channel": "inbox:alice", "data": "for alice" })).await;
    world.done("publish", json!({ "channel": "inbox:bob", "data": "for bob" })).await;
    assert_eq!(alice.data("inbox:alice").await, "for alice");
    assert_eq!(bob.data("inbox:bob").await, "for bob");
    let reply = alice.command("subscribe", json!({ "channel": "inbox:bob" })).await;
    assert_eq!(reply["error"]["code"], 103, "{reply}");
}
