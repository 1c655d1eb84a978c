//! Coming back: what was missed is told whole, or it is said that it was lost.

use serde_json::{Value, json};

use super::client::Client;
use super::{enter, error, server};
use crate::harness::token::own;
use crate::harness::{Server, Wire};

/// A chat with these publications; its epoch.
async fn chat(server: &Server, publications: u64) -> (Client, String) {
    let mut ann = enter(server, "ann").await;
    let result = ann.result("subscribe", json!({ "channel": "chat:1", "recoverable": true })).await;
    assert_eq!((&result["recoverable"], &result["positioned"]), (&json!(true), &json!(true)), "{result}");
    assert_eq!(result.get("offset"), None, "nothing was published: {result}");
    let epoch = result["epoch"].as_str().expect("an epoch, though nothing was published").to_owned();
    for n in 1..=publications {
        ann.publish("chat:1", json!(n)).await;
    }
    (ann, epoch)
}

/// Comes back to the chat; the result without the epoch, which is the chat's.
async fn back(server: &Server, offset: u64, epoch: &str, current: &str) -> Value {
    let mut bob = enter(server, "bob").await;
    let mut result = bob
        .result("subscribe", json!({ "channel": "chat:1", "recover": true, "offset": offset, "epoch": epoch }))
        .await;
    let fields = result.as_object_mut().expect("an object");
    assert_eq!(fields.remove("epoch"), Some(json!(current)));
    for field in ["recoverable", "positioned", "was_recovering"] {
        assert_eq!(fields.remove(field), Some(json!(true)), "{field}");
    }
    if let Some(publications) = fields.get_mut("publications") {
        let offsets: Vec<Value> =
            publications.as_array().expect("a list").iter().map(|publication| publication["offset"].clone()).collect();
        *publications = offsets.into();
    }
    result
}

#[tokio::test]
async fn what_was_missed_is_told_or_it_is_said_to_be_lost() {
    let server = server().await;
    // Ten are kept: 3 to 12.
    let (_ann, epoch) = chat(&server, 12).await;
    let lost = json!({ "offset": 12 });
    for (case, offset, epoch_sent, expected) in [
        ("two are missing", 10, &*epoch, json!({ "recovered": true, "offset": 10, "publications": [11, 12] })),
        ("nothing is", 12, &epoch, json!({ "recovered": true, "offset": 12 })),
        (
            "all that are kept are",
            2,
            &epoch,
            json!({ "recovered": true, "offset": 2, "publications": [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] }),
        ),
        ("one more than are kept", 1, &epoch, lost.clone()),
        ("everything", 0, &epoch, lost.clone()),
        ("more than there was", 13, &epoch, lost.clone()),
        ("more than can be", u64::MAX, &epoch, lost.clone()),
        ("it comes from another epoch", 10, "another", lost.clone()),
        ("it does not know its epoch", 10, "", json!({ "recovered": true, "offset": 10, "publications": [11, 12] })),
    ] {
        assert_eq!(back(&server, offset, epoch_sent, &epoch).await, expected, "{case}");
    }
}

#[tokio::test]
async fn who_has_seen_nothing_yet_recovers_from_the_beginning() {
    let server = server().await;
    let (mut ann, epoch) = chat(&server, 0).await;
    assert_eq!(back(&server, 0, &epoch, &epoch).await, json!({ "recovered": true }));
    ann.publish("chat:1", json!(1)).await;
    assert_eq!(back(&server, 0, &epoch, &epoch).await, json!({ "recovered": true, "publications": [1] }));
}

#[tokio::test]
async fn one_that_cannot_bear_a_loss_stays_out() {
    let server = server().await;
    let (_ann, epoch) = chat(&server, 12).await;
    let mut bob = enter(&server, "bob").await;
    let back = |offset: u64, epoch: &str| json!({ "channel": "chat:1", "recover": true, "offset": offset, "epoch": epoch, "flag": 2 });
    for (case, command) in [("evicted", back(1, &epoch)), ("another epoch", back(12, "another"))] {
        assert_eq!(bob.ask("subscribe", command).await, error(112, "unrecoverable position"), "{case}");
        assert_eq!(
            bob.ask("history", json!({ "channel": "chat:1" })).await["error"]["code"],
            103,
            "{case}: it is not in"
        );
    }
    let result = bob.result("subscribe", back(11, &epoch)).await;
    assert_eq!(result["publications"][0]["offset"], 12);
    assert_eq!(result["publications"][0]["info"]["user"], "ann");
    assert_eq!(result["publications"][0]["data"], 12);
}

#[tokio::test]
async fn what_comes_after_the_reply_goes_on_where_it_ended() {
    let server = server().await;
    let (mut ann, epoch) = chat(&server, 3).await;
    let mut bob = enter(&server, "bob").await;
    let command = json!({ "channel": "chat:1", "recover": true, "offset": 1, "epoch": epoch });
    let result = bob.result("subscribe", command).await;
    assert_eq!(result["publications"].as_array().map(Vec::len), Some(2));
    ann.publish("chat:1", json!(4)).await;
    assert_eq!(bob.push().await["pub"]["offset"], 4);
}

#[tokio::test]
async fn a_namespace_says_who_recovers() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    ann.subscribe("sealed:a").await;
    ann.publish("sealed:a", json!(1)).await;
    let back = |channel: &str| json!({ "channel": channel, "recover": true, "recoverable": true });
    let mut bob = enter(&server, "bob").await;
    let sealed = bob.result("subscribe", back("sealed:a")).await;
    assert_eq!((&sealed["recovered"], &sealed["publications"]), (&Value::Null, &Value::Null), "never: {sealed}");
    assert_eq!((&sealed["was_recovering"], &sealed["recoverable"]), (&json!(true), &Value::Null), "{sealed}");
    let nothing_kept = bob.result("subscribe", back("news:a")).await;
    assert_eq!(nothing_kept, json!({ "was_recovering": true }));
    let always = bob.subscribe("square:a").await;
    assert_eq!(always["recoverable"], true, "without being asked: {always}");
    let not_asked = bob.subscribe("chat:1").await;
    assert_eq!(not_asked, json!({}), "who does not ask is told nothing of positions");
    let positioned = bob.result("subscribe", json!({ "channel": "chat:2", "positioned": true })).await;
    assert_eq!((&positioned["positioned"], &positioned["recoverable"]), (&json!(true), &Value::Null), "{positioned}");
}

#[tokio::test]
async fn a_channel_that_begins_anew_has_another_epoch() {
    let (server, setup) = super::setup().start_and_keep().await;
    let (_ann, epoch) = chat(&server, 2).await;
    drop(server);
    let (server, _) = setup.start_and_keep().await;
    let (_ann, other) = chat(&server, 2).await;
    assert_ne!(epoch, other);
    assert_eq!(back(&server, 1, &epoch, &other).await, json!({ "offset": 2 }), "lost, though the number is known");
    assert_eq!(back(&server, 1, &other, &other).await, json!({ "offset": 1, "recovered": true, "publications": [2] }));
}

#[tokio::test]
async fn what_the_server_subscribes_one_to_is_recovered_as_well() {
    let server = server().await;
    let mut ann = Client::open(&server, "/many").await;
    let connected = ann.connect(&own("ann")).await;
    let mine = &connected["subs"]["inbox:ann"];
    assert_eq!((&mine["recoverable"], &mine["positioned"]), (&json!(true), &json!(true)), "{connected}");
    assert_eq!(connected["subs"].as_object().map(serde_json::Map::len), Some(1));
    let epoch = mine["epoch"].clone();
    let mut application = Wire::enter(&server, "/tell/ann", "application").await;
    for n in 1..=2 {
        application.say(&json!({ "n": n }).to_string()).await;
        assert_eq!(ann.push().await["pub"]["offset"], n);
    }
    let publish = json!({ "channel": "inbox:ann", "data": 1 });
    assert_eq!(ann.ask("publish", publish).await, error(103, "permission denied"), "it is for listening");
    assert_eq!(ann.result("history", json!({ "channel": "inbox:ann" })).await["offset"], 2);
    let mut bob = enter(&server, "bob").await;
    bob.hears_nothing("it was for ann").await;
    let again = |epoch: &Value| {
        let place = json!({ "recover": true, "epoch": epoch, "offset": 1 });
        let subs = json!({ "inbox:ann": place, "inbox:bob": place, "chat:1": { "recover": true } });
        json!({ "token": own("ann"), "subs": subs })
    };
    let mut back = Client::open(&server, "/many").await;
    let connected = back.result("connect", again(&epoch)).await;
    assert_eq!(connected["subs"].as_object().map(serde_json::Map::len), Some(1), "to nothing else: {connected}");
    let mine = &connected["subs"]["inbox:ann"];
    assert_eq!((&mine["recovered"], &mine["publications"][0]["offset"]), (&json!(true), &json!(2)), "{connected}");
    application.say(r#"{"n":3}"#).await;
    assert_eq!(back.push().await["pub"]["offset"], 3);
    let mut back = Client::open(&server, "/many").await;
    let connected = back.result("connect", again(&json!("another"))).await;
    let mine = &connected["subs"]["inbox:ann"];
    assert_eq!((&mine["recovered"], &mine["was_recovering"]), (&Value::Null, &json!(true)), "{connected}");
    assert_eq!(mine["offset"], 3);
}

#[tokio::test]
async fn where_the_newest_says_all_who_comes_back_gets_it_alone() {
    let score = r#"
[namespace.score]
channel = "score:{match:int}"
publish = "permitted"
history_size = 3
recovery_mode = "cache"
deltas = true
policy = { rule = "any" }
"#;
    let server = super::setup().over(score).start().await;
    let mut ann = enter(&server, "ann").await;
    let enter_at = async |offset: u64, epoch: &str, delta: &str| {
        let mut bob = enter(&server, "bob").await;
        let mut place = json!({ "channel": "score:1", "recover": true, "offset": offset, "epoch": epoch });
        if !delta.is_empty() {
            place["delta"] = delta.into();
        }
        let result = bob.result("subscribe", place).await;
        (bob, result)
    };
    let (_, nothing_yet) = enter_at(0, "", "").await;
    assert_eq!((nothing_yet.get("recovered"), nothing_yet.get("publications")), (None, None), "{nothing_yet}");
    let epoch = nothing_yet["epoch"].as_str().expect("an epoch").to_owned();
    for n in 1..=5 {
        ann.publish("score:1", json!(n)).await;
    }
    for (offset, epoch, told) in [(0, "", true), (2, &*epoch, true), (5, "otherone", true), (5, &*epoch, false)] {
        let (_, result) = enter_at(offset, epoch, "").await;
        assert_eq!((&result["recovered"], &result["offset"]), (&json!(true), &json!(5)), "{result}");
        let publications = if told {
            json!([{ "data": 5, "offset": 5, "info": result["publications"][0]["info"] }])
        } else {
            Value::Null
        };
        assert_eq!(result["publications"], publications, "{offset} {epoch}");
    }
    let (mut bob, result) = enter_at(0, "", "fossil").await;
    assert_eq!(result["publications"][0]["data"], "5", "whole, as a text");
    ann.publish("score:1", json!(6)).await;
    assert_eq!(bob.push().await["pub"]["offset"], 6);
}
