//! A configuration of Centrifugo, imported and served: its clients and their tokens come in as before, and who was kept out
//! still is.

use serde_json::{Value, json};

use super::client::Client;
use super::error;
use crate::harness::http::post;
use crate::harness::process::program;
use crate::harness::token::{Signer, forge, now};
use crate::harness::{Application, Server, Setup, application};

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/import");

/// What stands in the first of them.
const OLD_SECRET: &str = "the-secret-of-the-shop-7f3a90c1e5b2";

const PATH: &str = "/connection/websocket";

fn import(file: &str) -> Setup {
    let file = format!("{FOLDER}/{file}");
    let output = program().args(["config", "import", "--from", "centrifugo", &file]).output().expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Setup::outside(&String::from_utf8(output.stdout).expect("text"))
}

async fn start() -> (Server, Setup) {
    import("v5_shop.json").variable("CENTRIFUGO_TOKEN_SECRET", OLD_SECRET).start_and_keep().await
}

/// A token as a backend of Centrifugo makes it.
fn token(secret: &str, claims: Value) -> String {
    let mut claims = claims;
    if claims.get("exp").is_none() {
        claims["exp"] = (now() + 600).into();
    }
    forge(Signer::Hmac(secret.as_bytes()), r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

async fn enter(server: &Server, user: &str) -> Client {
    Client::enter_with(server, PATH, &token(OLD_SECRET, json!({ "sub": user }))).await
}

#[tokio::test]
async fn clients_do_what_they_did() {
    let (server, setup) = start().await;
    let mut alice = Client::open(&server, PATH).await;
    let connected = alice.connect(&token(OLD_SECRET, json!({ "sub": "alice", "info": { "name": "Alice" } }))).await;
    assert_eq!(
        connected["subs"].as_object().map(|subs| subs.keys().cloned().collect()),
        Some(vec!["user:#alice".to_owned()])
    );
    let mut bob = enter(&server, "bob").await;

    // A room by a token for it, with everything that its namespace had.
    for (client, user) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        let token = token(OLD_SECRET, json!({ "sub": user, "channel": "chat:5" }));
        let result = client.result("subscribe", json!({ "channel": "chat:5", "token": token })).await;
        assert_eq!(result["recoverable"], true, "{result}");
    }
    alice.publish("chat:5", json!({ "text": "hello" })).await;
    let heard = loop {
        let mut push = bob.push().await;
        if push.get("pub").is_some() {
            break push["pub"].take();
        }
        assert!(push.get("join").is_some(), "{push}");
    };
    assert_eq!((&heard["data"], &heard["info"]["user"]), (&json!({ "text": "hello" }), &json!("alice")));
    assert_eq!(heard["info"]["conn_info"], json!({ "name": "Alice" }));
    let there = bob.result("presence", json!({ "channel": "chat:5" })).await;
    assert_eq!(there["presence"].as_object().map(serde_json::Map::len), Some(2));
    let kept = bob.result("history", json!({ "channel": "chat:5", "limit": 10 })).await;
    assert_eq!(kept["publications"][0]["data"], json!({ "text": "hello" }));

    // News for everybody, by the server API with a key that was made here.
    let mut command = program();
    command.args(["apikey", "create", "backend", "--scope", "channels:publish"]);
    setup.name_files(&mut command);
    let key = String::from_utf8(command.output().expect("it was built").stdout).expect("text");
    let mut carol = enter(&server, "carol").await;
    carol.subscribe("news:today").await;
    let body = json!({ "channel": "news:today", "data": "open" }).to_string();
    let headers = format!("x-api-key: {}\r\n", key.trim());
    assert_eq!(post(server.address, "/api/publish", &body, &headers).await.status, 200);
    assert_eq!(carol.data().await, "open");
    let body = json!({ "channel": "user:#carol", "data": "for carol" }).to_string();
    assert_eq!(post(server.address, "/api/publish", &body, &headers).await.status, 200);
    assert_eq!(carol.data().await, "for carol");
}

#[tokio::test]
async fn who_was_kept_out_still_is() {
    let (server, _setup) = start().await;
    let mut alice = enter(&server, "alice").await;
    let denied = error(103, "permission denied");
    for channel in ["chat:5", "user:#bob", "user:anything", "$news:today", "loose", "unknown:1"] {
        assert_eq!(alice.ask("subscribe", json!({ "channel": channel })).await, denied, "{channel}");
    }
    alice.subscribe("news:today").await;
    assert_eq!(alice.ask("publish", json!({ "channel": "news:today", "data": 1 })).await, denied);
    let not_there = error(108, "not available");
    assert_eq!(alice.ask("presence", json!({ "channel": "news:today" })).await, not_there);
    // A token for a room opens that one, for that user, and if it is signed as before.
    for (signed_by, claims) in [
        (OLD_SECRET, json!({ "sub": "bob", "channel": "chat:5" })),
        (OLD_SECRET, json!({ "sub": "alice", "channel": "chat:6" })),
        ("another-secret-that-nobody-knows-here", json!({ "sub": "alice", "channel": "chat:5" })),
    ] {
        let mut alice = enter(&server, "alice").await;
        let token = token(signed_by, claims.clone());
        alice.send("subscribe", json!({ "channel": "chat:5", "token": token })).await;
        match alice.line_or_closed().await {
            Ok(line) => assert_eq!(line["error"]["code"], 103, "{claims}"),
            Err((code, _)) => assert_eq!(code, 3500, "{claims}"),
        }
    }
    // And so does a token of a connection.
    for (signed_by, claims) in [
        ("another-secret-that-nobody-knows-here", json!({ "sub": "alice" })),
        (OLD_SECRET, json!({ "sub": "alice", "channel": "chat:5" })),
    ] {
        let mut client = Client::open(&server, PATH).await;
        client.send("connect", json!({ "token": token(signed_by, claims.clone()) })).await;
        assert_eq!(client.line_or_closed().await.map_err(|(code, _)| code), Err(3500), "{claims}");
    }
    let mut late = Client::open(&server, PATH).await;
    let expired = token(OLD_SECRET, json!({ "sub": "alice", "exp": now() - 60 }));
    assert_eq!(late.ask("connect", json!({ "token": expired })).await["error"]["code"], 109);
    let mut visitor = Client::open(&server, PATH).await;
    visitor.send("connect", json!({})).await;
    assert!(visitor.line_or_closed().await.is_err(), "nobody comes in without a token");
}

#[tokio::test]
async fn the_backend_is_asked_what_it_was_asked() {
    let backend = Application::bind().await;
    let mut setup = import("v6_backend.yaml")
        .variable("CENTRIFUGO_TOKEN_SECRET", OLD_SECRET)
        .variable("LYCHGATE_CALL_SECRET", application::SECRET);
    for event in ["connect", "refresh", "subscribe", "publish", "rpc", "sub_refresh"] {
        setup = setup.over(&format!("[source.{event}]\nurl = \"{}\"\n", backend.url()));
    }
    let server = setup.start().await;
    let ask = async |client: &mut Client, method: &str, request: Value, answer: &str| {
        let id = client.send(method, request).await;
        let call = backend.call().await;
        let question = call.body.clone();
        call.answer(200, answer).await;
        (question, client.reply(id).await)
    };
    let mut alice = Client::open_with(&server, PATH, "Cookie: session=17\r\nOrigin: https://nobody.invalid\r\n").await;
    let (question, reply) = ask(&mut alice, "connect", json!({}), r#"{"result":{"user":"alice"}}"#).await;
    assert_eq!((&question["event"], reply.get("error")), (&json!("connect"), None), "{reply}");
    let wish = json!({ "channel": "doc:1" });
    let no = r#"{"error":{"code":1000,"message":"not yours"}}"#;
    let (question, reply) = ask(&mut alice, "subscribe", wish.clone(), no).await;
    assert_eq!((&question["user"], reply), (&json!("alice"), error(1000, "not yours")));
    assert_eq!(ask(&mut alice, "subscribe", wish, r#"{"result":{}}"#).await.1.get("error"), None);
    let said = json!({ "channel": "doc:1", "data": 1 });
    let (question, reply) = ask(&mut alice, "publish", said, "{}").await;
    assert_eq!((&question["event"], reply), (&json!("publish"), json!({ "publish": {} })));
    let (question, _) = ask(&mut alice, "rpc", json!({ "method": "add" }), r#"{"result":{"data":2}}"#).await;
    assert_eq!(question["method"], "add");
    // Nobody is in whom it does not name, and channels without a proxy are as closed as they were.
    assert_eq!(alice.ask("subscribe", json!({ "channel": "loose" })).await, error(103, "permission denied"));
    let mut nobody = Client::open(&server, PATH).await;
    nobody.send("connect", json!({})).await;
    backend.call().await.answer(200, "{}").await;
    assert!(nobody.line_or_closed().await.is_err());
}
