//! Rights that end: they are renewed in time, or what rests on them ends.

use serde_json::{Value, json};

use super::client::Client;
use super::{bad_request, enter, error, server, signed, told, vouch};
use crate::harness::token::{self, now, now_exactly, own, own_until};

/// Between the end of a right and five seconds later.
fn is_in_time(exp: u64) {
    let now = now_exactly();
    assert!((exp as f64..exp as f64 + 5.0).contains(&now), "{now} for {exp}");
}

#[tokio::test]
async fn a_session_ends_with_its_token_unless_there_is_a_new_one() {
    let server = server().await;
    let exp = now() + 2;
    let mut renewed = Client::open(&server, "/many").await;
    let connected = renewed.connect(&own_until("ann", exp)).await;
    assert_eq!((&connected["expires"], &connected["ttl"]), (&json!(true), &json!(1)), "{connected}");
    let mut left = Client::enter_with(&server, "/many", &own_until("ann", exp)).await;
    let mut by_query = Client::open(&server, &format!("/many?token={}", own_until("ann", exp))).await;
    by_query.result("connect", json!({})).await;
    let result = renewed.result("refresh", json!({ "token": own("ann") })).await;
    assert_eq!((&result["client"], &result["expires"]), (&connected["client"], &json!(true)), "{result}");
    assert!(result["ttl"].as_u64().is_some_and(|ttl| (500..600).contains(&ttl)), "{result}");
    for client in [&mut left, &mut by_query] {
        assert_eq!(client.closed().await, told(3005, "connection expired"));
        is_in_time(exp);
    }
    renewed.hears_nothing("it goes on").await;
}

#[tokio::test]
async fn a_session_is_renewed_by_the_same_user_alone() {
    let server = server().await;
    for (case, token, close) in [
        ("garbage", "x".to_owned(), told(3500, "invalid token")),
        ("somebody else's", own("bob"), told(3500, "invalid token")),
        ("for a channel", vouch("ann", "chat:1", &[]), told(3500, "invalid token")),
        ("over", own_until("ann", now() - 60), told(3005, "token expired")),
        ("none", String::new(), bad_request()),
    ] {
        let mut ann = enter(&server, "ann").await;
        ann.send("refresh", json!({ "token": token })).await;
        assert_eq!(ann.closed().await, close, "{case}");
    }
    let mut ann = enter(&server, "ann").await;
    ann.result("refresh", json!({ "token": own("ann") })).await;
    let mut visitor = Client::open(&server, "/open").await;
    visitor.result("connect", json!({})).await;
    visitor.send("refresh", json!({ "token": own("guest") })).await;
    assert_eq!(visitor.closed().await, told(3500, "invalid token"), "a visitor has nothing to renew");
}

#[tokio::test]
async fn a_new_token_grants_what_it_grants() {
    let server = server().await;
    let of = |channels: &str| signed(&[("caps", &format!(r#"[{{"channels":{channels},"allow":["sub"]}}]"#))]);
    let mut client = Client::enter_with(&server, "/many", &of(r#"["granted:a","granted:b"]"#)).await;
    for channel in ["granted:a", "granted:b", "chat:1"] {
        client.subscribe(channel).await;
    }
    client.result("refresh", json!({ "token": of(r#"["granted:b","granted:c"]"#) })).await;
    let lost = json!({ "channel": "granted:a", "unsubscribe": { "code": 2000, "reason": "server unsubscribe" } });
    assert_eq!(client.push().await, lost);
    assert_eq!(client.ask("subscribe", json!({ "channel": "granted:a" })).await["error"]["code"], 103);
    client.subscribe("granted:c").await;
    let publish = json!({ "channel": "granted:b", "data": 1 });
    assert_eq!(client.ask("publish", publish.clone()).await["error"]["code"], 103, "it may only listen");
    let speaks = signed(&[("caps", r#"[{"channels":["granted:b","granted:c"],"allow":["sub","pub"]}]"#)]);
    client.result("refresh", json!({ "token": speaks })).await;
    client.result("publish", publish).await;
    assert_eq!(client.data().await, 1, "now it may speak");
    for channel in ["granted:b", "chat:1"] {
        assert_eq!(
            client.ask("subscribe", json!({ "channel": channel })).await["error"]["code"],
            105,
            "{channel} is held"
        );
    }
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_unless_there_is_a_new_one() {
    let server = server().await;
    let exp = now() + 2;
    let (mut renewed, mut left) = (enter(&server, "ann").await, enter(&server, "ann").await);
    for (client, changes) in [(&mut renewed, [("exp", exp.to_string())]), (&mut left, [("expire_at", exp.to_string())])]
    {
        let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, &**value)).collect();
        let token = vouch("ann", "paid:gold", &changes);
        let result = client.result("subscribe", json!({ "channel": "paid:gold", "token": token })).await;
        assert_eq!((&result["expires"], &result["ttl"]), (&json!(true), &json!(1)), "{result}");
    }
    let token = vouch("ann", "paid:gold", &[]);
    let result = renewed.result("sub_refresh", json!({ "channel": "paid:gold", "token": token })).await;
    assert_eq!(result["expires"], true);
    assert!(result["ttl"].as_u64().is_some_and(|ttl| (500..600).contains(&ttl)), "{result}");
    let expired = json!({ "code": 2501, "reason": "subscription expired" });
    assert_eq!(left.push().await, json!({ "channel": "paid:gold", "unsubscribe": expired }));
    is_in_time(exp);
    renewed.publish("paid:gold", json!(1)).await;
    assert_eq!(renewed.data().await, 1);
    left.hears_nothing("it is out, and its session goes on").await;
    assert_eq!(left.ask("presence", json!({ "channel": "paid:gold" })).await["error"]["code"], 103);
    let token = vouch("ann", "paid:gold", &[("expire_at", "0")]);
    let endless = renewed.result("sub_refresh", json!({ "channel": "paid:gold", "token": token })).await;
    assert_eq!(endless, json!({}), "one that does not end");
}

#[tokio::test]
async fn a_subscription_is_renewed_by_a_token_for_it_alone() {
    let server = server().await;
    let held = async || {
        let mut ann = enter(&server, "ann").await;
        let token = vouch("ann", "paid:gold", &[]);
        ann.result("subscribe", json!({ "channel": "paid:gold", "token": token })).await;
        ann
    };
    let mut ann = held().await;
    let command = |channel: &str, token: &str| json!({ "channel": channel, "token": token });
    let good = vouch("ann", "paid:gold", &[]);
    for (case, command, refusal) in [
        ("not held", command("paid:silver", &vouch("ann", "paid:silver", &[])), error(103, "permission denied")),
        ("no token", command("paid:gold", ""), error(107, "bad request")),
        (
            "over",
            command("paid:gold", &vouch("ann", "paid:gold", &[("exp", &(now() - 60).to_string())])),
            error(109, "token expired"),
        ),
    ] {
        assert_eq!(ann.ask("sub_refresh", command).await, refusal, "{case}");
    }
    ann.result("sub_refresh", command("paid:gold", &good)).await;
    let other_key = token::Signer::Hmac(b"somebody else's secret, a9f2b7c0d1");
    let claims = token::claims(&[("sub", r#""ann""#), ("channel", r#""paid:gold""#)]);
    for (case, token) in [
        ("garbage", "x".to_owned()),
        ("another key", token::forge(other_key, &token::header(&[]), &claims)),
        ("another channel", vouch("ann", "paid:silver", &[])),
        ("another user", vouch("bob", "paid:gold", &[])),
        ("for the connection", own("ann")),
    ] {
        let mut ann = held().await;
        ann.send("sub_refresh", command("paid:gold", &token)).await;
        let last = loop {
            match ann.line_or_closed().await {
                Ok(line) => assert_eq!(line.get("error"), None::<&Value>, "{case}: {line}"),
                Err(close) => break close,
            }
        };
        assert_eq!(last, told(3500, "invalid token"), "{case}");
    }
}
