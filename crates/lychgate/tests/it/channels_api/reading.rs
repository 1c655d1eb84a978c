//! What is asked for: who is there, what is kept, which channels there are.

use serde_json::{Value, json};

use super::{Sdk, World};

#[tokio::test]
async fn presence_says_who_is_there() {
    let world = World::begin().await;
    assert_eq!(world.done("presence", json!({ "channel": "chat:5" })).await, json!({ "presence": {} }));
    let (alice, second) = (Sdk::within(&world, "alice", "chat:5").await, Sdk::within(&world, "alice", "chat:5").await);
    let bob = Sdk::within(&world, "bob", "chat:5").await;
    let result = world.done("presence", json!({ "channel": "chat:5" })).await;
    assert_eq!(
        result["presence"],
        json!({
            (&alice.id): { "user": "alice", "client": alice.id },
            (&second.id): { "user": "alice", "client": second.id },
            (&bob.id): { "user": "bob", "client": bob.id },
        })
    );
    let stats = world.done("presence_stats", json!({ "channel": "chat:5" })).await;
    assert_eq!(stats, json!({ "num_clients": 3, "num_users": 2 }));
    for method in ["presence", "presence_stats"] {
        assert_eq!(world.refused(method, json!({ "channel": "news" })).await, (400, 108), "nobody counts there");
    }
}

#[tokio::test]
async fn history_is_read_from_either_end() {
    let world = World::begin().await;
    let mut epoch = Value::Null;
    for number in 1..=4 {
        epoch = world.done("publish", json!({ "channel": "news", "data": number })).await["epoch"].clone();
    }
    let at = |offset: u64| json!({ "offset": offset, "epoch": epoch });
    for (query, expected) in [
        (json!({}), vec![]),
        (json!({ "limit": 0 }), vec![]),
        (json!({ "limit": 2 }), vec![1, 2]),
        (json!({ "limit": -1 }), vec![1, 2, 3, 4]),
        (json!({ "limit": 2, "reverse": true }), vec![4, 3]),
        (json!({ "limit": 10, "since": at(2) }), vec![3, 4]),
        (json!({ "limit": 10, "since": at(3), "reverse": true }), vec![2, 1]),
        (json!({ "limit": 10, "since": { "offset": 3 } }), vec![4]),
        (json!({ "limit": 10, "since": at(4) }), vec![]),
    ] {
        let mut request = query;
        request["channel"] = json!("news");
        let page = world.done("history", request.clone()).await;
        let listed = page["publications"].as_array().expect("a list");
        let data: Vec<Value> = listed.iter().map(|kept| kept["data"].clone()).collect();
        assert_eq!(data, expected, "{request}");
        assert_eq!((&page["offset"], &page["epoch"]), (&json!(4), &epoch), "{request}");
        assert!(listed.iter().all(|kept| kept["offset"] == kept["data"]), "{page}");
    }
    for (request, code) in [
        (json!({ "channel": "news", "limit": 1, "since": { "offset": 1, "epoch": "other" } }), (416, 112)),
        (json!({ "channel": "news", "limit": 1, "since": { "offset": 0 }, "reverse": true }), (400, 107)),
        (json!({ "channel": "plain:a", "limit": 1 }), (400, 108)),
    ] {
        assert_eq!(world.refused("history", request.clone()).await, code, "{request}");
    }
}

#[tokio::test]
async fn what_is_kept_is_told_as_it_was_written() {
    let world = World::begin().await;
    let payload = r#"{"z": 1.50, "a":1e2,"é":"\u00e9"}"#;
    world.send("publish", &format!(r#"{{"channel":"news","data":{payload}}}"#), "").await;
    let command = r#"{"channel":"news","limit":1}"#;
    for (method, body) in
        [("history", command.to_owned()), ("batch", format!(r#"{{"commands":[{{"history":{command}}}]}}"#))]
    {
        let reply = world.send(method, &body, "").await;
        assert!(reply.text().contains(&format!("\"data\":{payload}")), "{reply:?}");
    }
}

#[tokio::test]
async fn a_client_that_published_stands_on_what_is_kept() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "chat:5").await;
    alice.done("publish", json!({ "channel": "chat:5", "data": "hello" })).await;
    let page = world.done("history", json!({ "channel": "chat:5", "limit": 1 })).await;
    assert_eq!(
        page["publications"],
        json!([{ "data": "hello", "offset": 1, "info": { "user": "alice", "client": alice.id } }])
    );
}

#[tokio::test]
async fn a_channel_forgets_and_knows_where_it_stood() {
    let world = World::begin().await;
    world.done("publish", json!({ "channel": "news", "data": 1 })).await;
    assert_eq!(world.done("history_remove", json!({ "channel": "news" })).await, json!({}));
    let page = world.done("history", json!({ "channel": "news", "limit": 10 })).await;
    assert_eq!((&page["publications"], &page["offset"]), (&json!([]), &json!(1)));
    assert_eq!(world.done("publish", json!({ "channel": "news", "data": 2 })).await["offset"], 2);
    assert_eq!(world.refused("history_remove", json!({ "channel": "plain:a" })).await, (400, 108));
}

#[tokio::test]
async fn what_is_kept_is_counted() {
    let world = World::begin().await;
    let kept = async || {
        let metrics = world.server.metrics().await;
        ["lychgate_channels_kept", "lychgate_channels_kept_bytes"].map(|name| metrics.value(name, &[]))
    };
    assert_eq!(kept().await, [0, 0]);
    world.done("broadcast", json!({ "channels": ["news", "open:1", "plain:a"], "data": "x".repeat(1_000) })).await;
    let [channels, bytes] = kept().await;
    assert!(channels == 2 && bytes > 2_000, "plain:a keeps nothing: {channels}, {bytes}");
    world.done("history_remove", json!({ "channel": "news" })).await;
    let [channels, less] = kept().await;
    assert!(channels == 2 && less < bytes, "its place is remembered: {channels}, {less}");
}

#[tokio::test]
async fn channels_are_those_that_somebody_hears() {
    let world = World::begin().await;
    assert_eq!(world.done("channels", json!({})).await, json!({ "channels": {} }));
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let _bob = Sdk::within(&world, "bob", "news").await;
    alice.done("subscribe", json!({ "channel": "open:1" })).await;
    let all = json!({
        "inbox:alice": { "num_clients": 1 },
        "inbox:bob": { "num_clients": 1 },
        "news": { "num_clients": 2 },
        "open:1": { "num_clients": 1 },
    });
    assert_eq!(world.done("channels", json!({})).await["channels"], all);
    assert_eq!(world.done("channels", json!({ "pattern": "" })).await["channels"], all);
    let one = json!({ "open:1": { "num_clients": 1 } });
    assert_eq!(world.done("channels", json!({ "pattern": "open:*" })).await["channels"], one);
    assert_eq!(world.done("channels", json!({ "pattern": "ope" })).await["channels"], json!({}));
    let reply = world.send("channels", "", "").await;
    assert_eq!(reply.json()["result"]["channels"], all, "no body is an empty request");
    alice.done("unsubscribe", json!({ "channel": "open:1" })).await;
    assert_eq!(world.done("channels", json!({ "pattern": "open:*" })).await["channels"], json!({}));
}

#[tokio::test]
async fn the_server_says_how_much_there_is() {
    let world = World::begin().await;
    let _clients =
        [Sdk::within(&world, "alice", "news").await, Sdk::of(&world, "alice").await, Sdk::of(&world, "bob").await];
    let result = world.done("info", json!({})).await;
    let node = &result["nodes"][0];
    let number = |name: &str| node[name].as_u64().expect("a number");
    assert_eq!((number("num_clients"), number("num_users")), (3, 2), "{node}");
    // News, and two inboxes, one of them twice.
    assert_eq!((number("num_channels"), number("num_subs")), (3, 4), "{node}");
    assert!(node["uid"].is_string() && node["uptime"].is_u64(), "{node}");
    assert_eq!((&node["name"], &node["version"]), (&json!("lychgate"), &json!(env!("CARGO_PKG_VERSION"))));
}
