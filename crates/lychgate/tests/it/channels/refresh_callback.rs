//! What would end goes on if the application says so: connections, and subscriptions.

use serde_json::{Value, json};

use super::client::Client;
use super::{setup, signed, told};
use crate::harness::application::{Call, SECRET};
use crate::harness::token::{now, now_exactly};
use crate::harness::{Application, Server};

const CALLBACKS: &str = r#"
[endpoint.fresh]
kind = "channels"
path = "/fresh"
on_refresh = "app"

[namespace.lease]
channel = "lease:{name:name}"
publish = "subscribers"
presence = "subscribers"
on_subscribe = "app"
on_sub_refresh = "app"
policy = { rule = "any" }
"#;

async fn server(application: &Application) -> Server {
    let source = format!("[source.app]\nurl = \"{}\"\nsecret_env = \"APP_SECRET\"\n", application.url());
    setup().over(CALLBACKS).over(&source).variable("APP_SECRET", SECRET).start().await
}

/// A connection that ends in three seconds, and the question about it.
async fn about_to_end(server: &Server, application: &Application) -> (Client, Value, Call, u64) {
    let exp = now() + 3;
    let mut ann = Client::open(server, "/fresh").await;
    let claims = [("sub", r#""ann""#), ("exp", &*exp.to_string()), ("meta", r#"{"plan":"gold"}"#), ("info", "1")];
    let connected = ann.connect(&signed(&claims)).await;
    assert_eq!((connected.get("expires"), connected.get("ttl")), (None, None), "it is no affair of the client's");
    let call = application.call().await;
    assert!(now() < exp, "it is asked before the end");
    (ann, connected["client"].clone(), call, exp)
}

async fn answer(call: Call, answer: &Value) {
    call.answer(200, &answer.to_string()).await;
}

/// Between an end and five seconds later.
fn is_in_time(end: u64) {
    let now = now_exactly();
    assert!((end as f64..end as f64 + 5.0).contains(&now), "{now} for {end}");
}

#[tokio::test]
async fn a_connection_goes_on_while_the_application_says_so() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let (mut ann, client, call, exp) = about_to_end(&server, &application).await;
    assert_eq!(
        call.body,
        json!({
            "client": client, "transport": "websocket", "protocol": "json", "encoding": "json", "event": "refresh",
            "user": "ann", "meta": { "plan": "gold" },
        })
    );
    let again = exp + 3;
    answer(call, &json!({ "result": { "expire_at": again, "info": 2, "meta": { "plan": "none" } } })).await;
    // It is past its token, and asked about again before its new end, with what was said last.
    let call = application.call().await;
    assert!(now() >= exp, "it has outlived its token");
    assert_eq!(call.body["meta"], json!({ "plan": "none" }));
    answer(call, &json!({ "result": {} })).await;
    ann.subscribe("chat:5").await;
    ann.publish("chat:5", json!(1)).await;
    assert_eq!(ann.push().await["pub"]["info"]["conn_info"], 2);
    assert!(ann.ask("rpc", json!({ "method": "x" })).await["error"].is_object(), "without an end it is asked no more");
}

#[tokio::test]
async fn a_connection_ends_when_the_application_says_so() {
    let application = Application::bind().await;
    let server = server(&application).await;
    for (said, close) in [
        (json!({ "result": { "expired": true } }), told(3005, "connection expired")),
        (json!({ "result": { "expire_at": 7 } }), told(3005, "connection expired")),
        // What says nothing prolongs nothing.
        (json!({}), told(3005, "connection expired")),
        (json!({ "disconnect": { "code": 4500, "reason": "your plan ended" } }), told(4500, "your plan ended")),
    ] {
        let (mut ann, _, call, exp) = about_to_end(&server, &application).await;
        answer(call, &said).await;
        assert_eq!(ann.closed().await, close, "{said}");
        assert!(now() <= exp, "{said}: at once");
    }
}

#[tokio::test]
async fn a_connection_whose_end_nobody_moves_ends() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let (mut ann, _, call, exp) = about_to_end(&server, &application).await;
    call.answer(500, "").await;
    // It is asked about again, and what cannot be read is no answer.
    let call = application.call().await;
    assert!(now() < exp + 1, "before the end");
    answer(call, &json!({ "result": { "expire_at": "later" } })).await;
    assert_eq!(ann.closed().await, told(3005, "connection expired"));
    is_in_time(exp);
}

/// A subscription that ends in three seconds, and the question about it.
async fn lease(server: &Server, application: &Application, name: &str) -> (Client, Call, u64) {
    let mut ann = super::enter(server, "ann").await;
    let id = ann.send("subscribe", json!({ "channel": format!("lease:{name}") })).await;
    let end = now() + 3;
    let said = json!({ "result": { "expire_at": end, "b64info": "MQ==", "data": "welcome" } });
    answer(application.call().await, &said).await;
    let result = ann.reply(id).await;
    assert_eq!(result, json!({ "subscribe": { "data": "welcome" } }), "its end is no affair of the client's");
    let call = application.call().await;
    assert!(now() < end, "it is asked before the end");
    assert_eq!((&call.body["event"], &call.body["user"]), (&json!("sub_refresh"), &json!("ann")));
    assert_eq!(call.body["channel"], format!("lease:{name}"));
    (ann, call, end)
}

#[tokio::test]
async fn a_subscription_goes_on_while_the_application_says_so() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let (mut ann, call, end) = lease(&server, &application, "a").await;
    answer(call, &json!({ "result": { "expire_at": end + 3, "info": 2 } })).await;
    let call = application.call().await;
    assert!(now() >= end, "it has outlived its first end");
    answer(call, &json!({ "result": {} })).await;
    let there = ann.result("presence", json!({ "channel": "lease:a" })).await;
    let only = there["presence"].as_object().and_then(|all| all.values().next()).cloned();
    assert_eq!(only.expect("one")["chan_info"], 2);
    ann.publish("lease:a", json!(1)).await;
    assert_eq!(ann.push().await["pub"]["info"]["chan_info"], 2);
}

#[tokio::test]
async fn a_subscription_ends_when_nobody_prolongs_it() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let expired = |name: &str| {
        let code = json!({ "code": 2501, "reason": "subscription expired" });
        json!({ "channel": format!("lease:{name}"), "unsubscribe": code })
    };
    let (mut ann, call, end) = lease(&server, &application, "a").await;
    answer(call, &json!({ "result": { "expired": true } })).await;
    assert_eq!(ann.push().await, expired("a"));
    assert!(now() <= end, "at once");
    ann.hears_nothing("the connection goes on").await;

    let (mut ann, call, end) = lease(&server, &application, "b").await;
    call.answer(503, "").await;
    // Again and again, and in vain.
    application.call().await.answer(200, "no json").await;
    let push = async { ann.push().await };
    let in_vain = async {
        loop {
            application.call_if_any().await.answer(500, "").await;
        }
    };
    let push = tokio::select! {
        push = push => push,
        () = in_vain => unreachable!("it goes on for ever"),
    };
    assert_eq!(push, expired("b"));
    is_in_time(end);

    let (mut ann, call, _) = lease(&server, &application, "c").await;
    answer(call, &json!({ "disconnect": { "code": 4001, "reason": "away" } })).await;
    assert_eq!(ann.closed().await, told(4001, "away"));
}
