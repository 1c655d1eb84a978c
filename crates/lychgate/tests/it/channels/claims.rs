//! What a token says of the connection that it opens: the channels that it is put into, and what is known of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::Client;
use super::{bad_request, enter, error, server, signed, told, vouch};
use crate::harness::token::now;

/// A token of `sub` with these claims.
fn of(sub: &str, claims: Value) -> String {
    let (sub, claims) = (json!(sub).to_string(), claims.as_object().cloned().unwrap_or_default());
    let texts: Vec<_> = claims.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    let mut all = vec![("sub", &*sub)];
    all.extend(texts.iter().map(|(name, value)| (&**name, &**value)));
    signed(&all)
}

fn names(connected: &Value) -> Vec<&str> {
    connected["subs"].as_object().expect("subscriptions").keys().map(String::as_str).collect()
}

/// The one client that is on the list of `channel`, as `asker` sees it.
async fn only_one_in(channel: &str, asker: &mut Client) -> Value {
    let there = asker.result("presence", json!({ "channel": channel })).await;
    let all = there["presence"].as_object().expect("an object");
    assert_eq!(all.len(), 1, "{there}");
    all.values().next().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_token_puts_its_bearer_into_channels() {
    let server = server().await;
    let mut ann = Client::open(&server, "/many").await;
    // Nobody could subscribe to the last two: for one a token is needed, and she is no member of the other.
    let channels = json!(["chat:5", "news:x", "paid:gold", "room:7"]);
    let connected = ann.connect(&of("ann", json!({ "channels": channels, "info": { "name": "Ann" } }))).await;
    assert_eq!(names(&connected), ["chat:5", "inbox:ann", "news:x", "paid:gold", "room:7"]);
    let position = &connected["subs"]["chat:5"];
    assert_eq!((&position["recoverable"], &position["positioned"]), (&json!(true), &json!(true)), "{position}");
    assert!(position["epoch"].is_string() && position.get("offset").is_none(), "{position}");
    assert_eq!(connected["subs"]["news:x"], json!({}), "where nothing is kept there is no place");
    assert_eq!(ann.ask("subscribe", json!({ "channel": "chat:5" })).await, error(105, "already subscribed"));
    assert_eq!(only_one_in("paid:gold", &mut ann).await["conn_info"], json!({ "name": "Ann" }));
    let mut bob = enter(&server, "bob").await;
    bob.subscribe("chat:5").await;
    bob.publish("chat:5", json!(1)).await;
    assert_eq!(ann.data().await, 1);
    ann.publish("paid:gold", json!(2)).await;
    assert_eq!(ann.data().await, 2);
    for channel in ["paid:gold", "room:7"] {
        assert_eq!(bob.ask("subscribe", json!({ "channel": channel })).await, error(103, "permission denied"));
    }
    ann.leave().await;
    assert_eq!(only_one_in("chat:5", &mut bob).await["user"], "bob", "she has left them all");
}

#[tokio::test]
async fn each_channel_may_have_its_options() {
    let server = server().await;
    let encoded = STANDARD.encode(r#"{"rank":2}"#);
    let subs = json!({
        "chat:5": { "info": { "rank": 1 }, "data": { "topic": "lamps" } },
        "paid:gold": { "info": 1, "b64info": encoded, "b64data": STANDARD.encode("[1.50]") },
        "inbox:ann": { "data": "welcome" },
    });
    let claims = json!({ "channels": ["news:x"], "subs": subs, "b64info": STANDARD.encode(r#""Ann""#), "info": 1 });
    // In whichever place the token is.
    for in_query in [false, true] {
        let token = of("ann", claims.clone());
        let target = if in_query { format!("/many?token={token}") } else { "/many".to_owned() };
        let mut ann = Client::open(&server, &target).await;
        let connect = if in_query { json!({}) } else { json!({ "token": token }) };
        let connected = ann.result("connect", connect).await;
        assert_eq!(names(&connected), ["chat:5", "inbox:ann", "paid:gold"], "subs win over channels");
        assert_eq!(connected["subs"]["chat:5"]["data"], json!({ "topic": "lamps" }));
        assert_eq!(connected["subs"]["paid:gold"]["data"], json!([1.50]));
        assert_eq!(connected["subs"]["inbox:ann"]["data"], "welcome");
        for (channel, rank) in [("chat:5", 1), ("paid:gold", 2)] {
            let there = only_one_in(channel, &mut ann).await;
            assert_eq!(
                (&there["chan_info"], &there["conn_info"]),
                (&json!({ "rank": rank }), &json!("Ann")),
                "{channel}"
            );
        }
        ann.leave().await;
    }
}

#[tokio::test]
async fn a_channel_that_cannot_be_entered_keeps_the_connection_from_opening() {
    let server = server().await;
    for (case, channels, refusal) in [
        ("no namespace", json!(["chat:5", "other:1"]), error(102, "unknown channel")),
        ("no name of its namespace", json!(["chat:x"]), error(107, "bad request")),
        ("no name at all", json!([""]), error(107, "bad request")),
        ("what no token opens", json!(["inbox:bob"]), error(103, "permission denied")),
    ] {
        for in_query in [false, true] {
            let token = of("ann", json!({ "channels": channels }));
            let target = if in_query { format!("/many?token={token}") } else { "/many".to_owned() };
            let mut ann = Client::open(&server, &target).await;
            let connect = if in_query { json!({}) } else { json!({ "token": token }) };
            assert_eq!(ann.ask("connect", connect).await, refusal, "{case}");
            ann.send("subscribe", json!({ "channel": "chat:5" })).await;
            assert_eq!(ann.closed().await, bad_request(), "{case}: nothing more is heard");
        }
    }
    // Eight at most, with the inbox.
    let many =
        |count: usize| of("ann", json!({ "channels": (0..count).map(|n| format!("chat:{n}")).collect::<Vec<_>>() }));
    let mut ann = Client::open(&server, "/many").await;
    ann.send("connect", json!({ "token": many(8) })).await;
    assert_eq!(ann.closed().await, told(3505, "channel limit"));
    let mut ann = Client::open(&server, "/many").await;
    assert_eq!(names(&ann.connect(&many(7)).await).len(), 8);
    assert_eq!(ann.ask("subscribe", json!({ "channel": "chat:9" })).await, error(106, "limit exceeded"));
}

#[tokio::test]
async fn claims_that_cannot_be_read_are_no_claims_to_go_by() {
    let server = server().await;
    for claims in [
        json!({ "channels": "chat:5" }),
        json!({ "channels": [5] }),
        json!({ "subs": ["chat:5"] }),
        json!({ "subs": { "chat:5": 1 } }),
        json!({ "subs": { "chat:5": { "b64info": "?" } } }),
        json!({ "subs": { "chat:5": { "override": { "presence": true } } } }),
        json!({ "b64info": "?" }),
        json!({ "b64info": STANDARD.encode("{") }),
        json!({ "meta": 1 }),
        json!({ "expire_at": "never" }),
    ] {
        let mut ann = Client::open(&server, "/many").await;
        ann.send("connect", json!({ "token": of("ann", claims.clone()) })).await;
        assert_eq!(ann.closed().await, told(3500, "invalid token"), "{claims}");
    }
    let nothing = json!({ "channels": null, "subs": {}, "b64info": "", "meta": {}, "expire_at": 0, "info": null });
    let mut ann = Client::open(&server, "/many").await;
    assert_eq!(names(&ann.connect(&of("ann", nothing)).await), ["inbox:ann"]);
}

#[tokio::test]
async fn a_token_for_one_channel_opens_no_connection_wherever_it_is() {
    let server = server().await;
    let token = vouch("ann", "chat:5", &[]);
    for (target, connect) in
        [("/many".to_owned(), json!({ "token": token })), (format!("/many?token={token}"), json!({}))]
    {
        let mut ann = Client::open(&server, &target).await;
        ann.send("connect", connect).await;
        assert_eq!(ann.closed().await, told(3500, "invalid token"), "{target}");
    }
    let mut ann = Client::open(&server, &format!("/many?token={}", of("ann", json!({})))).await;
    ann.result("connect", json!({})).await;
}

#[tokio::test]
async fn a_connection_may_end_before_its_token() {
    let server = server().await;
    let exp = now() + 600;
    for (case, expire_at, ttl) in
        [("before", now() + 100, 85..100), ("behind", exp + 1_000, 500..600), ("never", 0, 500..600)]
    {
        let mut ann = Client::open(&server, "/many").await;
        let connected = ann.connect(&of("ann", json!({ "exp": exp, "expire_at": expire_at }))).await;
        assert!(connected["ttl"].as_u64().is_some_and(|told| ttl.contains(&told)), "{case}: {connected}");
    }
    let mut late = Client::open(&server, "/many").await;
    let over = of("ann", json!({ "expire_at": now() - 1 }));
    assert_eq!(late.ask("connect", json!({ "token": over })).await, error(109, "token expired"));
    // It ends then, and another token prolongs it.
    let expire_at = now() + 2;
    let (mut left, mut renewed) = (Client::open(&server, "/many").await, Client::open(&server, "/many").await);
    for client in [&mut left, &mut renewed] {
        client.connect(&of("ann", json!({ "expire_at": expire_at }))).await;
    }
    renewed.result("refresh", json!({ "token": of("ann", json!({})) })).await;
    assert_eq!(left.closed().await, told(3005, "connection expired"));
    assert!((expire_at..expire_at + 5).contains(&now()));
    renewed.hears_nothing("it goes on").await;
}

#[tokio::test]
async fn a_new_token_names_the_same_channels() {
    let server = server().await;
    let first = || of("ann", json!({ "channels": ["chat:5", "chat:6"] }));
    for (case, claims, is_same) in [
        ("the same", json!({ "channels": ["chat:6", "chat:5"] }), true),
        ("with options", json!({ "subs": { "chat:5": { "info": 1 }, "chat:6": {} } }), true),
        ("one less", json!({ "channels": ["chat:5"] }), false),
        ("one more", json!({ "channels": ["chat:5", "chat:6", "chat:7"] }), false),
        ("another", json!({ "channels": ["chat:5", "chat:7"] }), false),
        ("none", json!({}), false),
    ] {
        let mut ann = Client::open(&server, "/many").await;
        ann.connect(&first()).await;
        ann.send("refresh", json!({ "token": of("ann", claims) })).await;
        match ann.line_or_closed().await {
            Ok(reply) => assert!(is_same && reply.get("refresh").is_some(), "{case}: {reply}"),
            Err(close) => assert_eq!((is_same, close), (false, told(3010, "insufficient state")), "{case}"),
        }
    }
}

#[tokio::test]
async fn what_others_know_of_a_connection_comes_from_its_newest_token() {
    let server = server().await;
    let mut ann = Client::open(&server, "/many").await;
    ann.connect(&of("ann", json!({ "channels": ["chat:5"], "info": "one" }))).await;
    let refresh = |info: &str| json!({ "token": of("ann", json!({ "channels": ["chat:5"], "info": info })) });
    ann.result("refresh", refresh("two")).await;
    assert_eq!(only_one_in("chat:5", &mut ann).await["conn_info"], "two");
    ann.publish("chat:5", json!(1)).await;
    assert_eq!(ann.push().await["pub"]["info"]["conn_info"], "two");
}

#[tokio::test]
async fn one_subscription_may_have_what_its_namespace_does_not_give() {
    let server = server().await;
    let flag = |name: &str, value: bool| json!({ "override": { name: { "value": value } } });
    let mut bob = Client::open(&server, "/many").await;
    bob.connect(&of("bob", json!({ "subs": { "chat:5": flag("force_push_join_leave", true), "square:a": {} } }))).await;
    assert_eq!(bob.push().await["join"]["info"]["user"], "bob");
    assert_eq!(bob.push().await["join"]["info"]["user"], "bob");

    // In one channel she is there like everybody, in the other nobody sees her.
    let mut ann = Client::open(&server, "/many").await;
    let unseen = json!({ "override": { "presence": { "value": false }, "join_leave": { "value": false } } });
    ann.connect(&of("ann", json!({ "subs": { "chat:5": {}, "square:a": unseen } }))).await;
    let join = bob.push().await;
    assert_eq!((&join["channel"], &join["join"]["info"]["user"]), (&json!("chat:5"), &json!("ann")));
    assert_eq!(bob.result("presence_stats", json!({ "channel": "chat:5" })).await["num_clients"], 2);
    assert_eq!(only_one_in("square:a", &mut bob).await["user"], "bob");
    // There everybody is told who comes, she among them; and here she would have to ask.
    ann.publish("chat:5", json!("by ann")).await;
    assert_eq!(ann.data().await, "by ann", "she was told of nobody");
    assert_eq!(bob.data().await, "by ann");
    ann.leave().await;
    let left = bob.push().await;
    assert_eq!((&left["channel"], &left["leave"]["info"]["user"]), (&json!("chat:5"), &json!("ann")));
    bob.hears_nothing("nobody was told of the other channel").await;

    // What can be recovered, and what cannot.
    let mut cat = Client::open(&server, "/many").await;
    let subs = json!({
        "sealed:a": {}, "sealed:b": flag("force_recovery", true), "sealed:c": flag("force_positioning", true),
        "chat:5": flag("force_recovery", false),
    });
    let connected = cat.connect(&of("cat", json!({ "subs": subs }))).await;
    for (channel, recoverable, positioned) in
        [("sealed:a", false, false), ("sealed:b", true, true), ("sealed:c", false, true), ("chat:5", false, false)]
    {
        let made = &connected["subs"][channel];
        assert_eq!((made["recoverable"] == true, made["positioned"] == true), (recoverable, positioned), "{channel}");
    }
}

#[tokio::test]
async fn a_token_for_one_channel_has_the_same_options() {
    let server = server().await;
    let mut ann = Client::open(&server, "/many").await;
    let connected = ann.connect(&of("ann", json!({}))).await;
    let client = connected["client"].to_string();
    let (info, data) = (json!(STANDARD.encode(r#"{"rank":2}"#)).to_string(), r#"{"topic":"lamps"}"#);
    let subscribe =
        |changes: &[(&str, &str)]| json!({ "channel": "paid:gold", "token": vouch("ann", "paid:gold", changes) });
    let result = ann
        .result("subscribe", subscribe(&[("info", "1"), ("b64info", &info), ("data", data), ("client", &client)]))
        .await;
    assert_eq!(result["data"], json!({ "topic": "lamps" }));
    assert_eq!(only_one_in("paid:gold", &mut ann).await["chan_info"], json!({ "rank": 2 }));
    ann.result("unsubscribe", json!({ "channel": "paid:gold" })).await;
    let unseen = r#"{"presence":{"value":false}}"#;
    ann.result("subscribe", subscribe(&[("override", unseen)])).await;
    assert_eq!(ann.result("presence", json!({ "channel": "paid:gold" })).await["presence"], json!({}));
    ann.result("unsubscribe", json!({ "channel": "paid:gold" })).await;
    assert_eq!(ann.ask("subscribe", subscribe(&[("b64data", r#""?""#)])).await, error(103, "permission denied"));
    ann.send("subscribe", subscribe(&[("client", r#""somebody-else""#)])).await;
    assert_eq!(ann.closed().await, told(3500, "invalid token"));
}
