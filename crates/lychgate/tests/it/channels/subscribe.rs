//! Entering and leaving a channel: what is checked, in which order, and in which order the client hears of it.

use serde_json::{Value, json};

use super::client::Client;
use super::{bad_request, enter, error, server, told, vouch};
use crate::harness::token::own;

#[tokio::test]
async fn a_channel_is_one_of_a_namespace() {
    let server = server().await;
    let mut client = enter(&server, "ann").await;
    let long = format!("news:{}", "x".repeat(251));
    for (channel, refusal) in [
        ("other:1", error(102, "unknown channel")),
        ("chat", error(102, "unknown channel")),
        ("Chat:1", error(102, "unknown channel")),
        ("$chat:1", error(102, "unknown channel")),
        (" chat:1", error(107, "bad request")),
        ("chat:", error(107, "bad request")),
        ("chat:x", error(107, "bad request")),
        ("chat:01", error(107, "bad request")),
        ("chat:1 ", error(107, "bad request")),
        ("chat:1\n", error(107, "bad request")),
        ("chat:1#ann", error(107, "bad request")),
        ("square:a/b", error(107, "bad request")),
        ("news:\u{e4}", error(107, "bad request")),
        (&long, error(107, "bad request")),
        ("inbox:ann2", error(103, "permission denied")),
        ("paid:gold", error(103, "permission denied")),
        ("granted:sport", error(103, "permission denied")),
        ("room:404", error(103, "permission denied")),
    ] {
        assert_eq!(client.ask("subscribe", json!({ "channel": channel })).await, refusal, "{channel:?}");
    }
    client.subscribe(&long[..255]).await;
    client.subscribe("chat:1").await;
}

/// Each command is wrong in two ways, and is refused for the one that is looked at first.
#[tokio::test]
async fn the_checks_have_an_order() {
    let server = server().await;
    let mut client = enter(&server, "ann").await;
    client.subscribe("chat:1").await;
    let long = "x".repeat(256);
    for (code, why, command) in [
        (107, "too long, and of no namespace", json!({ "channel": long })),
        (107, "a filter, and held already", json!({ "channel": "chat:1", "tf": { "key": "a" } })),
        (105, "held already, and of another kind", json!({ "channel": "chat:1", "type": 1 })),
        (105, "held by the server, and nobody's to enter", json!({ "channel": "inbox:ann" })),
        (102, "of no namespace, and with a bad token", json!({ "channel": "other:1", "token": "x" })),
        (107, "no name of its namespace, and with a bad token", json!({ "channel": "paid:", "token": "x" })),
        (103, "a kind that is not served", json!({ "channel": "chat:2", "type": 1 })),
    ] {
        assert_eq!(client.ask("subscribe", command).await["error"]["code"], code, "{why}");
    }
    for n in 2..8 {
        client.subscribe(&format!("chat:{n}")).await;
    }
    for (code, why, command) in [
        (105, "held already, and one too many", json!({ "channel": "chat:1" })),
        (106, "one too many, and of no namespace", json!({ "channel": "other:1" })),
    ] {
        assert_eq!(client.ask("subscribe", command).await["error"]["code"], code, "{why}");
    }
    let foreign = vouch("bob", "paid:gold", &[]);
    client.send("subscribe", json!({ "channel": "", "token": foreign, "delta": "x" })).await;
    assert_eq!(client.closed().await, bad_request());
}

#[tokio::test]
async fn the_reply_comes_before_everything_of_the_channel() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    ann.subscribe("square:a").await;
    // Commands of one message are done in their order: each publication belongs behind the reply, and the join as well.
    let mut bob = Client::open(&server, "/many").await;
    let lines: Vec<String> = [
        json!({ "id": 1, "connect": { "token": own("bob") } }),
        json!({ "id": 2, "publish": { "channel": "square:a", "data": "before" } }),
        json!({ "id": 3, "subscribe": { "channel": "square:a" } }),
        json!({ "id": 4, "publish": { "channel": "square:a", "data": "behind" } }),
        json!({ "id": 5, "unsubscribe": { "channel": "square:a" } }),
        json!({ "id": 6, "publish": { "channel": "square:a", "data": "too late" } }),
        json!({ "id": 7, "rpc": {} }),
    ]
    .map(|line| line.to_string())
    .into();
    bob.say(&lines.join("\n")).await;
    let mut seen = Vec::new();
    loop {
        let line = bob.line().await;
        let push = &line["push"];
        let what = match (line.get("id"), push.get("join"), push.get("pub")) {
            (Some(id), ..) => id.to_string(),
            (_, Some(join), _) => format!("join {}", join["info"]["user"]),
            (.., Some(publication)) => publication["data"].to_string(),
            _ => panic!("{line}"),
        };
        seen.push(what);
        if seen.last().is_some_and(|last| last == "7") {
            break;
        }
    }
    let at = |what: &str| seen.iter().position(|seen| seen == what).unwrap_or_else(|| panic!("{what} in {seen:?}"));
    assert!(at("1") < at("2") && at("2") < at("3"), "{seen:?}");
    assert!(at("3") < at("join \"bob\"") && at("join \"bob\"") < at("\"behind\""), "{seen:?}");
    assert!(!seen.contains(&"\"before\"".to_owned()) && !seen.contains(&"\"too late\"".to_owned()), "{seen:?}");
    for heard in ["before", "join", "behind", "leave", "too late"] {
        let mut push = ann.push().await;
        if push.get("join").is_some_and(|join| join["info"]["user"] == "ann") {
            push = ann.push().await;
        }
        let what = push.get("join").map(|_| "join").or_else(|| push.get("leave").map(|_| "leave"));
        assert_eq!(what.or_else(|| push["pub"]["data"].as_str()), Some(heard), "{push}");
    }
}

#[tokio::test]
async fn who_has_left_hears_nothing_and_may_come_again() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    for client in [&mut ann, &mut bob] {
        client.subscribe("chat:1").await;
    }
    bob.publish("chat:1", json!("heard")).await;
    assert_eq!(ann.data().await, "heard");
    assert_eq!(ann.result("unsubscribe", json!({ "channel": "chat:1" })).await, json!({}));
    assert_eq!(
        ann.result("unsubscribe", json!({ "channel": "chat:1" })).await,
        json!({}),
        "it is no fault to leave twice"
    );
    bob.publish("chat:1", json!("unheard")).await;
    ann.hears_nothing("she has left").await;
    ann.subscribe("chat:1").await;
    bob.publish("chat:1", json!("again")).await;
    assert_eq!(ann.data().await, "again");
}

#[tokio::test]
async fn channels_do_not_leak_into_each_other() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    ann.subscribe("chat:1").await;
    bob.subscribe("chat:11").await;
    bob.publish("chat:11", json!("elsewhere")).await;
    assert_eq!(bob.data().await, "elsewhere");
    ann.hears_nothing("she is in chat:1").await;
    ann.subscribe("chat:11").await;
    bob.publish("chat:11", json!("here")).await;
    let push = ann.push().await;
    assert_eq!((&push["channel"], &push["pub"]["data"]), (&json!("chat:11"), &json!("here")));
}

#[tokio::test]
async fn a_token_may_say_which_channels() {
    let server = server().await;
    let caps = r#"[{"channels":["granted:sport"],"allow":["sub"]},{"channels":["granted:n*"],"match":"wildcard","allow":["sub","pub"]}]"#;
    let mut client = Client::enter_with(&server, "/many", &super::signed(&[("caps", caps)])).await;
    client.subscribe("granted:sport").await;
    client.subscribe("granted:news").await;
    assert_eq!(client.ask("subscribe", json!({ "channel": "granted:world" })).await["error"]["code"], 103);
    let publish = |channel: &str| json!({ "channel": channel, "data": 1 });
    assert_eq!(
        client.ask("publish", publish("granted:sport")).await,
        error(103, "permission denied"),
        "it may only listen"
    );
    assert_eq!(client.ask("publish", publish("granted:news")).await, json!({ "publish": {} }));
}

#[tokio::test]
async fn the_end_of_a_connection_is_the_end_of_all_its_subscriptions() {
    let server = server().await;
    let mut watcher = enter(&server, "watcher").await;
    watcher.subscribe("square:a").await;
    assert_eq!(watcher.push().await["join"]["info"]["user"], "watcher");
    for (case, polite) in [("a close", true), ("a cut", false)] {
        let mut ann = enter(&server, "ann").await;
        ann.subscribe("square:a").await;
        assert_eq!(watcher.push().await["join"]["info"]["user"], "ann", "{case}");
        if polite {
            ann.leave().await;
        } else {
            drop(ann);
        }
        assert_eq!(watcher.push().await["leave"]["info"]["user"], "ann", "{case}");
        let there = watcher.result("presence_stats", json!({ "channel": "square:a" })).await;
        assert_eq!(there, json!({ "num_clients": 1, "num_users": 1 }), "{case}");
    }
    let mut faulty = enter(&server, "ann").await;
    faulty.subscribe("square:a").await;
    assert_eq!(watcher.push().await["join"]["info"]["user"], "ann");
    faulty.say("no command").await;
    assert_eq!(watcher.push().await["leave"]["info"]["user"], "ann");
    loop {
        match faulty.line_or_closed().await {
            Ok(line) => assert_ne!(line["push"], Value::Null, "{line}"),
            Err(close) => break assert_eq!(close, told(3501, "bad request")),
        }
    }
}
