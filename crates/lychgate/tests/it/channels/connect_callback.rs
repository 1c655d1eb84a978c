//! Who shows no credential is asked about: the application says who it is, and its word counts as that of a token does.

use serde_json::{Value, json};

use super::client::Client;
use super::{bad_request, error, setup, told};
use crate::harness::application::{Call, SECRET};
use crate::harness::http;
use crate::harness::token::{now, own};
use crate::harness::wire::{connect, request};
use crate::harness::{Application, Server, Setup, Wire};

const CALLBACKS: &str = r#"
[server]
origins = ["https://app.example.com"]

[endpoint.asked]
kind = "channels"
path = "/asked"
credentials = ["query:token", "header"]
inbox = "inbox:{user.id}"
on_connect = "app"
on_connect_headers = ["cookie", "x-device"]
on_connect_emulated_headers = ["x-device", "x-tenant"]
on_rpc = "app"

# Its visitors have a name, and its users are whole numbers.
[endpoint.visited]
kind = "channels"
path = "/visited"
on_connect = "app"
connections_per_user = 1
identity = { anonymous = "guest", subject_kind = "int" }

# Nobody comes in whom the accounts here do not know.
[endpoint.known]
kind = "channels"
path = "/known"
on_connect = "app"
identity = { must_exist = true }
"#;

fn with(application: &Application) -> Setup {
    let source = format!("[source.app]\nurl = \"{}\"\nsecret_env = \"APP_SECRET\"\n", application.url());
    setup().over(CALLBACKS).over(&source).variable("APP_SECRET", SECRET)
}

async fn server(application: &Application) -> Server {
    with(application).start().await
}

/// A socket whose client has asked to connect, and the question about it.
async fn asks(server: &Server, application: &Application, target: &str, command: Value) -> (Client, u64, Call) {
    let mut client = Client::open(server, target).await;
    let id = client.send("connect", command).await;
    (client, id, application.call().await)
}

/// One that is let in with this result, and what it is told.
async fn enters(server: &Server, application: &Application, target: &str, result: Value) -> (Client, Value) {
    let (mut client, id, call) = asks(server, application, target, json!({})).await;
    call.answer(200, &json!({ "result": result }).to_string()).await;
    let mut reply = client.reply(id).await;
    assert!(reply.get("connect").is_some(), "{result}: {reply}");
    (client, reply["connect"].take())
}

#[tokio::test]
async fn the_application_says_who_connects() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let command = json!({
        "name": "js", "version": "5", "data": { "key": 1 },
        "subs": { "chat:5": { "recover": true, "epoch": "x", "offset": 3 } },
    });
    let (mut ann, id, call) = asks(&server, &application, "/asked", command).await;
    let mut question = call.body.clone();
    let client = question["client"].take();
    assert_eq!(client.as_str().map(str::len), Some(36), "{client}");
    assert_eq!(
        question,
        json!({
            "client": null, "transport": "websocket", "protocol": "json", "encoding": "json", "event": "connect",
            "name": "js", "version": "5", "data": { "key": 1 }, "channels": ["chat:5"],
        })
    );
    let result = json!({
        "user": "ann", "info": { "name": "Ann" }, "data": { "greeting": "hello" }, "meta": { "plan": "gold" },
        "subs": { "chat:5": { "info": 1, "data": 2 }, "inbox:shared": {} }, "expire_at": now() + 600,
    });
    call.answer(200, &json!({ "result": result }).to_string()).await;
    let connected = ann.reply(id).await["connect"].take();
    assert_eq!(connected["client"], client, "it was asked about under its name");
    assert_eq!(connected["data"], json!({ "greeting": "hello" }));
    assert!(connected["ttl"].as_u64().is_some_and(|ttl| (500..600).contains(&ttl)), "{connected}");
    let subs = connected["subs"].as_object().expect("subscriptions");
    // What no token opens, the application does.
    assert_eq!(subs.keys().collect::<Vec<_>>(), ["chat:5", "inbox:ann", "inbox:shared"]);
    assert_eq!((&subs["chat:5"]["data"], &subs["chat:5"]["was_recovering"]), (&json!(2), &json!(true)));
    assert!(!connected.to_string().contains("gold"), "what only the application knows is told to nobody");
    let there = ann.result("presence", json!({ "channel": "chat:5" })).await;
    let only = &there["presence"][client.as_str().unwrap_or_default()];
    assert_eq!(*only, json!({ "user": "ann", "client": client, "conn_info": { "name": "Ann" }, "chan_info": 1 }));

    // And is told again with every further question.
    let id = ann.send("rpc", json!({ "method": "x" })).await;
    let call = application.call().await;
    assert_eq!((&call.body["user"], &call.body["meta"]), (&json!("ann"), &json!({ "plan": "gold" })));
    call.answer(200, "").await;
    ann.reply(id).await;
    let metrics = server.metrics().await;
    let counted = metrics.value("lychgate_credentials_total", &[("endpoint", "asked"), ("kind", "application")]);
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn who_shows_a_credential_is_judged_by_it_alone() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let mut ann = Client::open(&server, "/asked").await;
    ann.connect(&own("ann")).await;
    let mut bob = Client::open(&server, &format!("/asked?token={}", own("bob"))).await;
    bob.result("connect", json!({})).await;
    // A bad one is never treated as none.
    for (target, token) in [("/asked", "x"), ("/asked?token=x", "")] {
        let mut client = Client::open(&server, target).await;
        client.send("connect", json!({ "token": token })).await;
        assert_eq!(client.closed().await, told(3500, "invalid token"), "{target}");
    }
    // Only now is anybody asked about.
    let (_, connected) = enters(&server, &application, "/asked", json!({ "user": "cat" })).await;
    assert_eq!(connected.get("expires"), None, "without an end: {connected}");
}

#[tokio::test]
async fn what_the_application_does_not_let_in_stays_outside() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let internal = json!({ "error": { "code": 100, "message": "internal server error", "temporary": true } });
    for (status, answer, reply) in [
        (200, r#"{"error":{"code":1000,"message":"not today"}}"#, error(1000, "not today")),
        (200, "no json", internal.clone()),
        (500, "{}", internal.clone()),
        (200, r#"{"result":{"user":"ann","subs":7}}"#, internal.clone()),
        (200, r#"{"result":{"user":"ann","b64data":"?"}}"#, internal.clone()),
        (200, r#"{"result":{"user":"ann","channels":["other:1"]}}"#, error(102, "unknown channel")),
        (200, r#"{"result":{"user":"ann","expire_at":7}}"#, error(109, "token expired")),
    ] {
        let (mut ann, id, call) = asks(&server, &application, "/asked", json!({})).await;
        call.answer(status, answer).await;
        assert_eq!(ann.reply(id).await, reply, "{answer}");
        ann.send("rpc", json!({ "method": "x" })).await;
        assert_eq!(ann.closed().await, bad_request(), "{answer}: nothing more is heard");
    }
    for (answer, close) in [
        ("", told(3500, "authentication required")),
        ("{}", told(3500, "authentication required")),
        (r#"{"disconnect":{"code":4500,"reason":"go away"}}"#, told(4500, "go away")),
        (r#"{"result":{"user":7}}"#, told(3500, "invalid token")),
        (r#"{"result":{"user":"a\u0000b"}}"#, told(3500, "invalid token")),
        // Nobody by name, where no visitors come in.
        (r#"{"result":{}}"#, told(3500, "authentication required")),
    ] {
        let (mut ann, _, call) = asks(&server, &application, "/asked", json!({})).await;
        call.answer(200, answer).await;
        assert_eq!(ann.closed().await, close, "{answer}");
    }
    enters(&server, &application, "/asked", json!({ "user": "ann" })).await;
}

#[tokio::test]
async fn its_word_goes_through_the_same_door_as_a_token() {
    let application = Application::bind().await;
    let server = with(&application).user("alice", "a password of alice").start().await;
    // Where users are numbers, another name is nobody's.
    let (mut client, _, call) = asks(&server, &application, "/visited", json!({})).await;
    call.answer(200, r#"{"result":{"user":"ann"}}"#).await;
    assert_eq!(client.closed().await.0, 3500);
    let (first, _) = enters(&server, &application, "/visited", json!({ "user": "42" })).await;
    // One connection for each user, whoever says who that is.
    let (mut second, _, call) = asks(&server, &application, "/visited", json!({})).await;
    call.answer(200, r#"{"result":{"user":"42"}}"#).await;
    assert_eq!(second.closed().await, told(3504, "connection limit"));
    drop(first);
    // Visitors are nobody's, and as many as they are.
    for _ in 0..2 {
        let (mut visitor, connected) =
            enters(&server, &application, "/visited", json!({ "channels": ["chat:5"], "info": "somebody" })).await;
        assert!(connected["subs"]["chat:5"].is_object(), "{connected}");
        let there = visitor.result("presence", json!({ "channel": "chat:5" })).await;
        let only = &there["presence"][connected["client"].as_str().unwrap_or_default()];
        assert_eq!((&only["user"], &only["conn_info"]), (&json!(""), &json!("somebody")));
    }
    // And who has to exist is looked up.
    let (mut nobody, _, call) = asks(&server, &application, "/known", json!({})).await;
    call.answer(200, r#"{"result":{"user":"mallory"}}"#).await;
    assert_eq!(nobody.closed().await.0, 3500);
    enters(&server, &application, "/known", json!({ "user": "alice" })).await;
}

#[tokio::test]
async fn headers_go_along_that_the_application_wants() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let headers = "cookie: session=1\r\nx-device: phone\r\nx-secret: 7\r\norigin: https://app.example.com\r\n";
    let mut ann = Client::open_with(&server, "/asked", headers).await;
    let emulated = json!({ "X-Device": "tablet", "X-Tenant": "acme", "Cookie": "session=2", "x-other": "1" });
    let id = ann.send("connect", json!({ "headers": emulated })).await;
    let call = application.call().await;
    assert_eq!(call.header("cookie"), Some("session=1"));
    assert_eq!(call.header("x-device"), Some("phone"), "what the request says wins");
    assert_eq!(call.header("x-tenant"), Some("acme"));
    assert_eq!((call.header("x-secret"), call.header("x-other")), (None, None), "nobody asked for these");
    call.answer(200, r#"{"result":{"user":"ann"}}"#).await;
    ann.reply(id).await;
    server.log().never_holds("session=");

    let mut without = Client::open(&server, "/asked").await;
    let id = without.send("connect", json!({ "headers": { "x-device": "tablet" } })).await;
    let call = application.call().await;
    assert_eq!((call.header("x-device"), call.header("cookie")), (Some("tablet"), None));
    call.answer(200, r#"{"result":{"user":"ann"}}"#).await;
    without.reply(id).await;
    let mut bad = Client::open(&server, "/asked").await;
    bad.send("connect", json!({ "headers": { "x-device": "two\r\nlines: 1" } })).await;
    assert_eq!(bad.closed().await, bad_request());
}

#[tokio::test]
async fn a_cookie_counts_only_where_it_is_known_which_page_sends_it() {
    let application = Application::bind().await;
    let server = server(&application).await;
    for origin in ["", "origin: https://evil.example\r\n"] {
        let asked = request("/asked", &format!("cookie: session=1\r\n{origin}"));
        let refusal = http::exchange(server.address, asked.as_bytes()).await;
        assert_eq!((refusal.status, refusal.code()), (403, "origin".to_owned()), "{origin}");
    }
    // With a token beside it the cookie goes nowhere, and so it does where no cookie is.
    let beside = request(&format!("/asked?token={}", own("ann")), "cookie: session=1\r\n");
    drop(Wire::over(connect(server.address).await, &beside, b"").await);
    drop(Wire::over(connect(server.address).await, &request("/asked", ""), b"").await);
}
