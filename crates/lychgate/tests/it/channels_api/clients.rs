//! What is done to clients: they are put into channels and taken out, prolonged and sent away.

use serde_json::{Value, json};

use super::{Sdk, World};
use crate::harness::{http, token};

#[tokio::test]
async fn a_user_is_put_into_a_channel_and_taken_out() {
    let world = World::begin().await;
    let (mut alice, mut again) = (Sdk::of(&world, "alice").await, Sdk::of(&world, "alice").await);
    let mut bob = Sdk::of(&world, "bob").await;
    let put = json!({ "user": "alice", "channel": "open:1", "info": { "role": "guest" } });
    assert_eq!(world.done("subscribe", put).await, json!({}));
    for client in [&mut alice, &mut again] {
        let told = client.push("open:1", "subscribe").await;
        assert!(told["recoverable"] == true && told["epoch"].is_string(), "{told}");
    }
    let present = world.done("presence", json!({ "channel": "open:1" })).await;
    assert_eq!(
        present["presence"][&alice.id],
        json!({ "user": "alice", "client": alice.id, "chan_info": { "role": "guest" } })
    );
    assert_eq!(present["presence"].as_object().map(serde_json::Map::len), Some(2), "{present}");
    let reply = alice.command("subscribe", json!({ "channel": "open:1" })).await;
    assert_eq!(reply["error"]["code"], 105, "she is in it: {reply}");
    world.done("publish", json!({ "channel": "open:1", "data": 1 })).await;
    assert_eq!(alice.data("open:1").await, 1);

    let out = json!({ "user": "alice", "channel": "open:1", "client": alice.id });
    assert_eq!(world.done("unsubscribe", out).await, json!({}));
    let told = alice.push("open:1", "unsubscribe").await;
    assert_eq!(told, json!({ "code": 2000, "reason": "server unsubscribe" }));
    world.done("publish", json!({ "channel": "open:1", "data": 2 })).await;
    for number in [1, 2] {
        assert_eq!(again.data("open:1").await, number, "the other client of hers stays");
    }
    world.done("broadcast", json!({ "channels": ["inbox:alice", "inbox:bob"], "data": "last" })).await;
    assert_eq!(alice.next().await["push"]["channel"], "inbox:alice", "nothing of the channel comes any more");
    assert_eq!(bob.next().await["push"]["channel"], "inbox:bob", "nobody else was told anything");
}

#[tokio::test]
async fn the_application_opens_what_no_client_may_enter() {
    let world = World::begin().await;
    let mut alice = Sdk::of(&world, "alice").await;
    // An inbox has rule = "none", and alice is a member of no chat:6.
    for channel in ["inbox:shared", "chat:6"] {
        let reply = alice.command("subscribe", json!({ "channel": channel })).await;
        assert_eq!(reply["error"]["code"], 103, "{channel}: {reply}");
        world.done("subscribe", json!({ "user": "alice", "channel": channel })).await;
        alice.push(channel, "subscribe").await;
    }
    world.done("publish", json!({ "channel": "inbox:shared", "data": "in" })).await;
    assert_eq!(alice.data("inbox:shared").await, "in");
}

#[tokio::test]
async fn who_is_taken_off_the_registry_is_out_at_once() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "chat:5").await;
    let mut bob = Sdk::within(&world, "bob", "chat:5").await;
    alice.done("subscribe", json!({ "channel": "news" })).await;
    let key = super::key(&world.setup, "registry", &["registry:write"]);
    let request = format!(
        "DELETE /api/resources/chat:5/members/alice HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n"
    );
    assert_eq!(http::exchange(world.server.address, request.as_bytes()).await.status, 204);
    loop {
        // Bob's arrival and her own come before it.
        let heard = alice.next().await;
        if heard["push"]["join"].is_null() {
            assert_eq!(heard["push"]["unsubscribe"]["code"], 2000, "{heard}");
            break;
        }
    }
    world.done("broadcast", json!({ "channels": ["chat:5", "news"], "data": "after" })).await;
    assert_eq!(alice.data("news").await, "after", "her connection and her other channels stay");
    let reply = alice.command("subscribe", json!({ "channel": "chat:5" })).await;
    assert_eq!(reply["error"]["code"], 103, "{reply}");
    loop {
        let heard = bob.next().await;
        if !heard["push"]["pub"].is_null() {
            assert_eq!(heard["push"]["pub"]["data"], "after", "{heard}");
            break;
        }
    }
}

#[tokio::test]
async fn one_client_may_be_meant_alone() {
    let world = World::begin().await;
    let (mut alice, mut again) = (Sdk::of(&world, "alice").await, Sdk::of(&world, "alice").await);
    world.done("subscribe", json!({ "user": "alice", "client": again.id, "channel": "news" })).await;
    again.push("news", "subscribe").await;
    world.done("subscribe", json!({ "user": "bob", "client": again.id, "channel": "open:1" })).await;
    world.done("publish", json!({ "channel": "inbox:alice", "data": "last" })).await;
    assert_eq!(alice.next().await["push"]["channel"], "inbox:alice");
    assert_eq!(again.next().await["push"]["channel"], "inbox:alice", "a client of another user is not meant");
}

#[tokio::test]
async fn a_user_is_sent_away_but_for_those_who_are_spared() {
    let world = World::begin().await;
    let (mut alice, mut spared) = (Sdk::of(&world, "alice").await, Sdk::of(&world, "alice").await);
    assert_eq!(world.done("disconnect", json!({ "user": "alice", "whitelist": [spared.id] })).await, json!({}));
    assert_eq!(alice.closed().await, (3503, "force disconnect".to_owned()));
    world.done("publish", json!({ "channel": "inbox:alice", "data": "still here" })).await;
    assert_eq!(spared.data("inbox:alice").await, "still here");
    let ending = json!({ "user": "alice", "disconnect": { "code": 4100, "reason": "your plan ended" } });
    world.done("disconnect", ending).await;
    assert_eq!(spared.closed().await, (4100, "your plan ended".to_owned()));
}

#[tokio::test]
async fn only_codes_for_applications_and_the_protocol_end_a_connection() {
    let world = World::begin().await;
    let mut alice = Sdk::of(&world, "alice").await;
    let end =
        |code: Value, reason: String| json!({ "user": "alice", "disconnect": { "code": code, "reason": reason } });
    for (code, reason) in [
        (json!(1000), String::new()),
        (json!(2999), String::new()),
        (json!(5000), String::new()),
        (json!(-1), String::new()),
        (json!("3503"), String::new()),
        (json!(4000), "x".repeat(124)),
    ] {
        assert_eq!(world.refused("disconnect", end(code.clone(), reason)).await, (400, 107), "{code}");
    }
    world.done("publish", json!({ "channel": "inbox:alice", "data": "still here" })).await;
    assert_eq!(alice.data("inbox:alice").await, "still here");
    for code in [3000, 4999] {
        let reason = "x".repeat(123);
        let mut client = Sdk::of(&world, "alice").await;
        world.done("disconnect", end(json!(code), reason.clone())).await;
        assert_eq!(client.closed().await, (code, reason));
    }
}

#[tokio::test]
async fn a_connection_is_prolonged_or_ended() {
    let world = World::begin().await;
    let mut alice = Sdk::of(&world, "alice").await;
    assert_eq!(world.done("refresh", json!({ "user": "alice", "expire_at": token::now() + 3_600 })).await, json!({}));
    let told = alice.push("", "refresh").await;
    assert!(told["expires"] == true && told["ttl"].as_u64().is_some_and(|ttl| (3_000..3_600).contains(&ttl)), "{told}");
    world.done("refresh", json!({ "user": "alice" })).await;
    assert_eq!(alice.push("", "refresh").await, json!({}), "for ever");
    world.done("refresh", json!({ "user": "alice", "expired": true })).await;
    assert_eq!(alice.closed().await.0, 3005);
    let mut alice = Sdk::of(&world, "alice").await;
    world.done("refresh", json!({ "user": "alice", "expire_at": token::now() - 1 })).await;
    assert_eq!(alice.closed().await.0, 3005, "what lies in the past is over");
}

#[tokio::test]
async fn a_subscription_may_have_an_end() {
    let world = World::begin().await;
    let mut alice = Sdk::of(&world, "alice").await;
    let past = json!({ "user": "alice", "channel": "news", "expire_at": token::now() - 1 });
    let reply = world.ask("subscribe", &past).await;
    assert_eq!(reply.status, 200);
    world.done("subscribe", json!({ "user": "alice", "channel": "open:1" })).await;
    alice.push("open:1", "subscribe").await;
    let listed = world.done("channels", json!({ "pattern": "news" })).await;
    assert_eq!(listed["channels"], json!({}), "what is over before it begins is not made");
}

#[tokio::test]
async fn what_is_said_of_a_subscription_goes_with_it() {
    let world = World::begin().await;
    for number in 1..=3 {
        world.done("publish", json!({ "channel": "open:1", "data": number })).await;
    }
    let mut alice = Sdk::of(&world, "alice").await;
    let epoch = world.done("history", json!({ "channel": "open:1" })).await["epoch"].clone();
    let put = json!({
        "user": "alice", "channel": "open:1", "b64info": "eyJyYW5rIjoxfQ==", "info": "not this", "data": 1.50,
        "recover_since": { "offset": 1, "epoch": epoch },
    });
    world.done("subscribe", put).await;
    let told = alice.push("open:1", "subscribe").await;
    assert_eq!((&told["data"], &told["offset"]), (&json!(1.50), &json!(1)), "it stands where it was said to: {told}");
    for number in [2, 3] {
        let missed = alice.push("open:1", "pub").await;
        assert_eq!((&missed["data"], &missed["offset"]), (&json!(number), &json!(number)));
    }
    world.done("publish", json!({ "channel": "open:1", "data": 4 })).await;
    assert_eq!(alice.push("open:1", "pub").await["offset"], 4, "and nothing comes twice");
    let there = world.done("presence", json!({ "channel": "open:1" })).await;
    assert_eq!(there["presence"][&alice.id]["chan_info"], json!({ "rank": 1 }));

    // From a place that is gone nothing is told in part.
    let mut again = Sdk::of(&world, "alice").await;
    let lost = json!({ "offset": 1, "epoch": "another" });
    let put = json!({ "user": "alice", "client": again.id, "channel": "open:1", "recover_since": lost });
    world.done("subscribe", put).await;
    assert_eq!(again.push("open:1", "subscribe").await["offset"], 4);
    // And one may be there without being seen.
    let mut unseen = Sdk::of(&world, "bob").await;
    let put = json!({ "user": "bob", "channel": "open:1", "override": { "presence": { "value": false } } });
    world.done("subscribe", put).await;
    unseen.push("open:1", "subscribe").await;
    assert_eq!(world.done("presence_stats", json!({ "channel": "open:1" })).await["num_clients"], 2);
    for bad in
        [json!({ "override": true }), json!({ "b64data": "?" }), json!({ "b64info": 7 }), json!({ "recover_since": 7 })]
    {
        let mut put = json!({ "user": "bob", "channel": "open:2" });
        put.as_object_mut().expect("an object").extend(bad.as_object().cloned().unwrap_or_default());
        assert_eq!(world.refused("subscribe", put).await, (400, 107), "{bad}");
    }
}

#[tokio::test]
async fn what_others_know_of_a_connection_can_be_changed() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "open:1").await;
    world.done("refresh", json!({ "user": "alice", "info": { "name": "Alice" } })).await;
    assert_eq!(alice.push("", "refresh").await, json!({}));
    let there = world.done("presence", json!({ "channel": "open:1" })).await;
    assert_eq!(there["presence"][&alice.id]["conn_info"], json!({ "name": "Alice" }));
    alice.done("publish", json!({ "channel": "open:1", "data": 1 })).await;
    assert_eq!(alice.push("open:1", "pub").await["info"]["conn_info"], json!({ "name": "Alice" }));
}
