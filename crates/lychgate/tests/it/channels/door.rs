//! Who may open a session, by what, and what the others are told.

use serde_json::json;

use super::client::Client;
use super::{bad_request, enter, server, signed, told, vouch};
use crate::harness::token::{self, now, own};
use crate::harness::wire::{ask, request};

#[tokio::test]
async fn a_token_may_be_in_the_command_in_the_query_or_in_a_header() {
    let server = server().await;
    let mut by_command = Client::open(&server, "/many").await;
    let connected = by_command.connect(&own("ann")).await;
    let client = connected["client"].as_str().expect("an id");
    assert_eq!(client.len(), 36, "{connected}");
    assert!(connected["version"].as_str().is_some_and(|version| version.starts_with("lychgate ")), "{connected}");
    assert_eq!((&connected["ping"], &connected["pong"]), (&json!(25), &json!(true)));
    assert_eq!(connected["expires"], true, "{connected}");
    let header = format!("authorization: Bearer {}\r\n", own("ann"));
    for (target, header) in [(format!("/many?token={}", own("ann")), ""), ("/many".to_owned(), &header)] {
        let mut by_request = Client::open_with(&server, &target, header).await;
        let other = by_request.result("connect", json!({})).await;
        assert_ne!(other["client"], client, "each connection has a name of its own");
        by_request.subscribe("chat:1").await;
        let there = by_request.result("presence", json!({ "channel": "chat:1" })).await;
        let client = other["client"].as_str().expect("an id");
        assert_eq!(there["presence"][client]["user"], "ann", "{there}");
    }
}

#[tokio::test]
async fn two_tokens_could_be_two_people() {
    let server = server().await;
    let mut client = Client::open(&server, &format!("/many?token={}", own("ann"))).await;
    client.send("connect", json!({ "token": own("bob") })).await;
    assert_eq!(client.closed().await, told(3500, "invalid token"));
}

#[tokio::test]
async fn what_proves_nothing_opens_nothing() {
    let server = server().await;
    let other_key = token::Signer::Hmac(b"somebody else's secret, a9f2b7c0d1");
    for (case, token) in [
        ("no token at all", "x.y.z".to_owned()),
        ("another key", token::forge(other_key, &token::header(&[]), &token::claims(&[]))),
        ("nobody's signature", token::forge(token::Signer::Nobody, r#"{"alg":"none"}"#, &token::claims(&[]))),
        ("another audience", signed(&[("aud", r#""others""#)])),
        ("another issuer", signed(&[("iss", r#""others""#)])),
        ("no user", signed(&[("sub", "")])),
        ("a user that is no text", signed(&[("sub", "7")])),
        ("for one channel", vouch("alice", "chat:1", &[])),
    ] {
        let mut client = Client::open(&server, "/many").await;
        client.send("connect", json!({ "token": token })).await;
        assert_eq!(client.closed().await, told(3500, "invalid token"), "{case}");
    }
    // The control: the same claims, unchanged.
    enter_with(&server, &signed(&[])).await;
}

async fn enter_with(server: &crate::harness::Server, token: &str) -> Client {
    Client::enter_with(server, "/many", token).await
}

#[tokio::test]
async fn who_is_early_or_late_comes_back_with_another_token() {
    let server = server().await;
    for (case, token) in [
        ("over", signed(&[("exp", &(now() - 60).to_string())])),
        ("not yet", signed(&[("nbf", &(now() + 300).to_string())])),
    ] {
        let mut client = Client::open(&server, "/many").await;
        let reply = client.ask("connect", json!({ "token": token })).await;
        assert_eq!(reply, super::error(109, "token expired"), "{case}");
        client.send("connect", json!({ "token": own("ann") })).await;
        assert_eq!(client.closed().await, bad_request(), "{case}: a session that was refused is over");
    }
    let mut silent = Client::open(&server, "/hasty").await;
    let late = signed(&[("exp", &(now() - 60).to_string())]);
    assert_eq!(silent.ask("connect", json!({ "token": late })).await["error"]["code"], 109);
    assert_eq!(silent.closed().await, told(3502, "stale"), "also one that says nothing more");
    // The controls: a token that is good since a minute, and one that is good for one more.
    enter_with(&server, &signed(&[("nbf", &(now() - 60).to_string())])).await;
    enter_with(&server, &signed(&[("exp", &(now() + 60).to_string())])).await;
}

#[tokio::test]
async fn without_a_token_one_is_a_visitor_or_nobody() {
    let server = server().await;
    let mut nobody = Client::open(&server, "/many").await;
    nobody.send("connect", json!({})).await;
    assert_eq!(nobody.closed().await, told(3500, "authentication required"));
    let mut visitor = Client::open(&server, "/open").await;
    let connected = visitor.result("connect", json!({})).await;
    assert_eq!(connected.get("expires"), None, "a visitor has nothing to refresh: {connected}");
    assert_eq!(visitor.subscribe("news:world").await, json!({}));
    assert_eq!(visitor.ask("subscribe", json!({ "channel": "chat:1" })).await, super::error(103, "permission denied"));
    let mut forged = Client::open(&server, "/open").await;
    forged.send("connect", json!({ "token": "x.y.z" })).await;
    assert_eq!(forged.closed().await, told(3500, "invalid token"), "a bad token is not none");
    let mut ann = Client::enter(&server, "/open", "ann").await;
    ann.subscribe("chat:1").await;
}

#[tokio::test]
async fn whoever_says_nothing_is_not_waited_for() {
    let server = server().await;
    for target in ["/hasty".to_owned(), format!("/hasty?token={}", own("ann"))] {
        let mut client = Client::open(&server, &target).await;
        assert_eq!(client.closed().await, told(3502, "stale"), "{target}");
    }
    // The control outlives the other's time and is there.
    let mut connected = Client::enter(&server, "/hasty", "ann").await;
    let mut stale = Client::open(&server, "/hasty").await;
    assert_eq!(stale.closed().await, told(3502, "stale"));
    connected.hears_nothing("one that has connected stays").await;
    let target = format!("/hasty?token={}", own("ann"));
    let mut by_query = Client::open(&server, &target).await;
    by_query.result("connect", json!({})).await;
    let mut stale = Client::open(&server, "/hasty").await;
    assert_eq!(stale.closed().await, told(3502, "stale"));
    by_query.hears_nothing("and so does one whose request has shown its token").await;
}

#[tokio::test]
async fn an_encoding_is_offered_or_it_is_json() {
    let server = server().await;
    for (offer, answer) in [
        ("", None),
        ("sec-websocket-protocol: centrifuge-json\r\n", Some("centrifuge-json")),
        ("sec-websocket-protocol: centrifuge-protobuf\r\n", Some("centrifuge-protobuf")),
        ("sec-websocket-protocol: other\r\n", None),
        ("sec-websocket-protocol: \r\n", None),
        ("sec-websocket-protocol: other, centrifuge-json\r\n", Some("centrifuge-json")),
    ] {
        let reply = ask(server.address, &request("/many", offer)).await;
        assert_eq!(reply.status, 101, "{offer:?}");
        assert_eq!(reply.header("sec-websocket-protocol"), answer, "{offer:?}");
        if answer != Some("centrifuge-protobuf") {
            let mut client = Client::open_with(&server, "/many", offer).await;
            client.connect(&own("ann")).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_done_for_one_who_has_not_connected() {
    let server = server().await;
    for command in [
        r#""subscribe":{"channel":"chat:1"}"#,
        r#""unsubscribe":{"channel":"chat:1"}"#,
        r#""publish":{"channel":"square:a","data":1}"#,
        r#""presence":{"channel":"square:a"}"#,
        r#""presence_stats":{"channel":"square:a"}"#,
        r#""history":{"channel":"square:a"}"#,
        r#""rpc":{"method":"a"}"#,
        r#""refresh":{"token":"a"}"#,
        r#""sub_refresh":{"channel":"chat:1","token":"a"}"#,
        r#""send":{"data":1}"#,
    ] {
        for target in ["/many".to_owned(), format!("/many?token={}", own("ann"))] {
            let mut client = Client::open(&server, &target).await;
            client.say(&format!("{{\"id\":1,{command}}}")).await;
            assert_eq!(client.closed().await, bad_request(), "{command} at {target}");
        }
    }
    let mut second = enter(&server, "ann").await;
    second.send("connect", json!({ "token": own("ann") })).await;
    assert_eq!(second.closed().await, bad_request(), "a session is opened once");
    let mut ann = enter(&server, "ann").await;
    let published = ann.result("publish", json!({ "channel": "square:a", "data": 1 })).await;
    assert_eq!(published, json!({}), "the same, of one who has");
}
