//! What goes over the wire where no application is asked.

use serde_json::{Value, json};

use super::{enter, error, example, greeted};
use crate::harness::token::{now_exactly, own};
use crate::harness::wire::{BINARY, FIN, frame};
use crate::harness::{Server, Wire};

/// The next thing heard is the answer to what is said now: nothing was said to what came before.
async fn heard_nothing(wire: &mut Wire) {
    wire.say(r#"{"type":"no_such_type"}"#).await;
    assert_eq!(wire.hear().await, error("Unsupported message type: no_such_type"));
}

fn is_time(value: &Value) -> bool {
    value.as_f64().is_some_and(|time| (time - now_exactly()).abs() < 30.0)
}

#[tokio::test]
async fn welcome_is_connection_established_and_then_a_ping() {
    let server = example().start().await;
    let mut ids = Vec::new();
    for sub in ["1", "1", "2"] {
        let mut wire = Wire::open(server.address, &Server::at("/ws", sub)).await;
        let mut established = wire.hear().await;
        let time = established["timestamp"].take();
        let id = established["connection_id"].take();
        assert!(is_time(&time), "{time}");
        let shape =
            json!({ "type": "connection_established", "connection_id": null, "timestamp": null, "system": true });
        assert_eq!(established, shape);
        let mut ping = wire.hear().await;
        assert!(is_time(&ping["timestamp"].take()));
        assert_eq!(ping, json!({ "type": "ping", "timestamp": null, "system": true }));
        ids.push(id.as_str().expect("an id").to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "no two connections have one id");
}

#[tokio::test]
async fn the_server_pings_time_and_again_and_the_text_pong_is_no_error() {
    let server = example().over("[endpoint.ws.codec.ping]\nevery = \"1s\"\n").start().await;
    let mut answers = enter(&server, "1").await;
    let mut says_nothing = enter(&server, "2").await;
    for _ in 0..3 {
        assert_eq!(answers.hear().await["type"], "ping");
        answers.say("pong").await;
    }
    for _ in 0..3 {
        assert_eq!(says_nothing.hear().await["type"], "ping", "who does not answer in words stays");
    }
    let refused = server.metrics().await.value("lychgate_messages_refused_total", &[("reason", "bad_frame")]);
    assert_eq!(refused, 0, "nothing was refused");
}

#[tokio::test]
async fn what_clients_send_out_of_habit_is_tolerated() {
    let server = example().start().await;
    let mut wire = enter(&server, "1").await;
    let (own, other) = (own("1"), own("2"));
    for text in [
        "pong".to_owned(),
        json!({ "type": "ping", "timestamp": 1 }).to_string(),
        json!({ "type": "pong" }).to_string(),
        json!({ "type": "auth", "token": own }).to_string(),
        json!({ "type": "auth", "token": other }).to_string(),
        json!({ "type": "auth" }).to_string(),
    ] {
        wire.say(&text).await;
        heard_nothing(&mut wire).await;
    }
    server.log().never_holds(&own);
    server.log().never_holds(&other);
}

#[tokio::test]
async fn malformed_frames_are_answered_and_end_nothing() {
    let server = example().start().await;
    let mut wire = enter(&server, "1").await;
    let mut other = enter(&server, "1").await;
    for text in [
        "",
        "hello",
        "{",
        "[1]",
        "7",
        "null",
        "pong ",
        "PONG",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"user_message"}"#,
        r#"{"type":"user_message","payload":null}"#,
    ] {
        wire.say(text).await;
        assert_eq!(wire.hear().await, error("Invalid message format"), "{text:?}");
    }
    wire.write(&frame(FIN | BINARY, b"{}")).await;
    assert_eq!(wire.hear().await["payload"]["sub_agent_name"], "System");
    heard_nothing(&mut wire).await;
    heard_nothing(&mut other).await;
}

#[tokio::test]
async fn json_in_a_json_text_is_unwrapped_once() {
    let server = example().start().await;
    let mut wire = enter(&server, "1").await;
    let wrap = |text: &str| Value::from(text).to_string();
    let ping = json!({ "type": "ping" }).to_string();
    wire.say(&wrap(&ping)).await;
    heard_nothing(&mut wire).await;
    wire.say(&wrap(&json!({ "type": "strange" }).to_string())).await;
    assert_eq!(wire.hear().await, error("Unsupported message type: strange"));
    for text in [wrap(&wrap(&ping)), wrap("no JSON"), wrap("[1]")] {
        wire.say(&text).await;
        assert_eq!(wire.hear().await, error("Invalid message format"), "{text}");
    }
}

#[tokio::test]
async fn nothing_in_the_address_or_in_a_frame_makes_somebody_else_of_a_user() {
    let server = example().start().await;
    let mut bob = enter(&server, "2").await;
    let target = format!("{}&user_id=2&sub=2&email=bob@example.com", Server::at("/ws", "1"));
    let mut ann = Wire::open(server.address, &target).await;
    greeted(&mut ann).await;
    let bearer = format!("authorization: Bearer {}\r\n", own("1"));
    let publish = json!({ "type": "note", "user_id": "2", "channel": "user:2", "to": "2" }).to_string();
    let path = "/api/ws/publish?user_id=2&channel=user:2";
    let reply = crate::harness::http::post(server.address, path, &publish, &bearer).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(ann.hear().await["type"], "note");
    heard_nothing(&mut bob).await;
}
