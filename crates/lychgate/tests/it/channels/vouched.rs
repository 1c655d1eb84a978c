//! Tokens for one channel, which the application signs for one user.

use serde_json::json;

use super::client::Client;
use super::{enter, error, server, signed, told, vouch};
use crate::harness::token::{self, Signer, now};

#[tokio::test]
async fn a_token_for_the_channel_opens_it() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    let token = vouch("ann", "paid:gold", &[("info", r#"{"rank":1}"#)]);
    let result = ann.result("subscribe", json!({ "channel": "paid:gold", "token": token })).await;
    assert_eq!(result["expires"], true, "{result}");
    assert!(result["ttl"].as_u64().is_some_and(|ttl| (500..600).contains(&ttl)), "{result}");
    let there = ann.result("presence", json!({ "channel": "paid:gold" })).await;
    let only = there["presence"].as_object().and_then(|all| all.values().next()).cloned();
    assert_eq!(only.expect("one")["chan_info"], json!({ "rank": 1 }));
    let endless = vouch("ann", "chat:5", &[("expire_at", "0")]);
    let result = ann.result("subscribe", json!({ "channel": "chat:5", "token": endless })).await;
    assert_eq!(result.get("expires"), None, "its channel is held without end: {result}");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_never_treated_as_none() {
    let server = server().await;
    let other_key = Signer::Hmac(b"somebody else's secret, a9f2b7c0d1");
    let claims = token::claims(&[("sub", r#""ann""#), ("channel", r#""chat:1""#)]);
    for (case, token, refusal) in [
        ("garbage", "x".to_owned(), error(103, "permission denied")),
        ("another key", token::forge(other_key, &token::header(&[]), &claims), error(103, "permission denied")),
        ("no channel", signed(&[("sub", r#""ann""#)]), error(103, "permission denied")),
        (
            "over since a second",
            vouch("ann", "chat:1", &[("exp", &(now() - 1).to_string())]),
            error(109, "token expired"),
        ),
        ("over", vouch("ann", "chat:1", &[("exp", &(now() - 60).to_string())]), error(109, "token expired")),
        ("not yet", vouch("ann", "chat:1", &[("nbf", &(now() + 300).to_string())]), error(109, "token expired")),
    ] {
        let mut ann = enter(&server, "ann").await;
        let reply = ann.ask("subscribe", json!({ "channel": "chat:1", "token": token })).await;
        assert_eq!(reply, refusal, "{case}");
        ann.subscribe("chat:1").await;
    }
    for (case, token) in [
        ("another channel", vouch("ann", "chat:2", &[])),
        ("another user", vouch("bob", "chat:1", &[])),
        ("another user whose name begins alike", vouch("anna", "chat:1", &[])),
    ] {
        let mut ann = enter(&server, "ann").await;
        ann.send("subscribe", json!({ "channel": "chat:1", "token": token })).await;
        assert_eq!(ann.closed().await, told(3500, "invalid token"), "{case}");
    }
    let mut ann = enter(&server, "ann").await;
    let good = vouch("ann", "chat:1", &[]);
    ann.result("subscribe", json!({ "channel": "chat:1", "token": good })).await;
}

#[tokio::test]
async fn where_a_token_is_needed_there_is_no_way_without() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    let channel = json!({ "channel": "paid:gold" });
    for method in ["subscribe", "presence"] {
        assert_eq!(ann.ask(method, channel.clone()).await, error(103, "permission denied"), "{method}");
    }
    let publish = json!({ "channel": "paid:gold", "data": 1 });
    assert_eq!(ann.ask("publish", publish.clone()).await, error(103, "permission denied"));
    let token = vouch("ann", "paid:gold", &[]);
    ann.result("subscribe", json!({ "channel": "paid:gold", "token": token })).await;
    ann.result("presence", channel).await;
    ann.result("publish", publish).await;
    assert_eq!(ann.data().await, 1);
}

#[tokio::test]
async fn no_token_opens_what_only_the_server_enters() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    let token = vouch("ann", "inbox:bob", &[]);
    let reply = ann.ask("subscribe", json!({ "channel": "inbox:bob", "token": token })).await;
    assert_eq!(reply, error(103, "permission denied"));
}

#[tokio::test]
async fn a_visitor_may_come_with_a_token_for_the_channel() {
    let server = server().await;
    let mut visitor = Client::open(&server, "/open").await;
    visitor.result("connect", json!({})).await;
    assert_eq!(visitor.ask("subscribe", json!({ "channel": "paid:gold" })).await["error"]["code"], 103);
    let token = vouch("guest", "paid:gold", &[]);
    visitor.result("subscribe", json!({ "channel": "paid:gold", "token": token })).await;
    let there = visitor.result("presence", json!({ "channel": "paid:gold" })).await;
    let only = there["presence"].as_object().and_then(|all| all.values().next()).cloned();
    assert_eq!(only.expect("one")["user"], "", "nobody vouches for a name");
}
