//! What a publication says beside its payload: tags, and a version by which it is known when it comes too late.

use serde_json::{Value, json};

use super::{Sdk, World};

#[tokio::test]
async fn tags_come_with_the_publication_and_stay_with_it() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let tags = json!({ "lang": "en", "ticker": "é\"\n" });
    let body = json!({ "channel": "news", "data": 1, "tags": tags, "delta": true });
    world.done("publish", body).await;
    world.done("publish", json!({ "channel": "news", "data": 2, "tags": {} })).await;
    world.done("publish", json!({ "channel": "news", "data": 3, "tags": null })).await;
    assert_eq!(alice.push("news", "pub").await["tags"], tags);
    assert!(alice.push("news", "pub").await["tags"].is_null(), "none are left out");
    alice.push("news", "pub").await;

    let kept = alice.done("history", json!({ "channel": "news", "limit": 10 })).await;
    assert_eq!((&kept["publications"][0]["tags"], &kept["publications"][1]["tags"]), (&tags, &Value::Null));
    let kept = world.done("history", json!({ "channel": "news", "limit": 10 })).await;
    assert_eq!((&kept["publications"][0]["tags"], &kept["publications"][1]["tags"]), (&tags, &Value::Null));
    let mut bob = Sdk::of(&world, "bob").await;
    let back = json!({ "channel": "news", "recover": true, "epoch": kept["epoch"], "offset": 0 });
    let missed = bob.done("subscribe", back).await;
    assert_eq!((&missed["recovered"], &missed["publications"][0]["tags"]), (&json!(true), &tags));
}

#[tokio::test]
async fn tags_of_a_broadcast_are_in_every_channel() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    alice.done("subscribe", json!({ "channel": "plain:a" })).await;
    let body = json!({ "channels": ["news", "plain:a"], "data": 1, "tags": { "a": "b" }, "version": 3 });
    world.done("broadcast", body).await;
    for channel in ["news", "plain:a"] {
        assert_eq!(alice.push(channel, "pub").await["tags"], json!({ "a": "b" }), "{channel}");
    }
}

#[tokio::test]
async fn tags_that_are_none_or_too_many_are_refused() {
    let world = World::begin().await;
    let many = |count: usize| (0..count).map(|at| (at.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>();
    let publish = |tags: Value| json!({ "channel": "news", "data": 1, "tags": tags });
    world.done("publish", publish(many(32).into())).await;
    world.done("publish", publish(json!({ "a": "x".repeat(4_095) }))).await;
    for tags in [many(33).into(), json!({ "a": "x".repeat(4_096) }), json!({ "a": 1 }), json!(["a"]), json!("a")] {
        assert_eq!(world.refused("publish", publish(tags.clone())).await, (400, 107), "{tags}");
    }
    for version in [json!({ "version": -1 }), json!({ "version": "1" }), json!({ "version_epoch": "x".repeat(256) })] {
        let mut body = publish(json!({}));
        body.as_object_mut().expect("an object").extend(version.as_object().expect("an object").clone());
        assert_eq!(world.refused("publish", body).await, (400, 107), "{version}");
    }
}

#[tokio::test]
async fn a_version_that_comes_too_late_is_dropped_with_success() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let publish = async |data: &str, version: u64, epoch: &str| {
        let body = json!({ "channel": "news", "data": data, "version": version, "version_epoch": epoch });
        world.done("publish", body).await["offset"].clone()
    };
    assert_eq!(publish("third", 3, "run").await, 1);
    assert_eq!(publish("second", 2, "run").await, 1);
    assert_eq!(publish("third again", 3, "").await, 1);
    assert_eq!(publish("fourth", 4, "run").await, 2);
    assert_eq!(publish("first of another run", 1, "other").await, 3);
    assert_eq!(publish("without", 0, "").await, 4);
    for expected in ["third", "fourth", "first of another run", "without"] {
        assert_eq!(alice.data("news").await, expected);
    }
    // A channel that keeps nothing knows of none.
    alice.done("subscribe", json!({ "channel": "plain:a" })).await;
    for version in [2, 1] {
        world.done("publish", json!({ "channel": "plain:a", "data": version, "version": version })).await;
        assert_eq!(alice.data("plain:a").await, version);
    }
}

#[tokio::test]
async fn a_filter_of_tags_is_refused() {
    let world = World::begin().await;
    let mut alice = Sdk::of(&world, "alice").await;
    let filter = json!({ "key": "lang", "cmp": "eq", "val": "en" });
    let reply = alice.command("subscribe", json!({ "channel": "news", "tf": filter })).await;
    assert_eq!(reply["error"]["code"], 107, "{reply}");
    alice.done("subscribe", json!({ "channel": "news" })).await;
}
