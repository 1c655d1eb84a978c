//! The copy in Redis: a hash for 300 seconds, or the later form of it; and what happens without Redis.

use serde_json::{Value, json};

use super::redis::{Look, Redis, Said};
use super::{board, change, chat, example, hear, people, text, told};
use crate::harness::http::get;
use crate::harness::wait::until;
use crate::harness::{Server, Wire};

const HEARTBEAT: &str = r#"{"type":"heartbeat"}"#;

async fn with_redis() -> (Redis, Look, Server) {
    let redis = Redis::start();
    let server = example().over(&redis.section()).start().await;
    let look = redis.look().await;
    (redis, look, server)
}

async fn is_fresh(look: &mut Look, key: &str, seconds: i64) {
    until("the time to run from its beginning", async || match look.ttl(key).await {
        ttl if (seconds - 30..=seconds).contains(&ttl) => Ok(()),
        ttl => Err(ttl.to_string()),
    })
    .await;
}

#[tokio::test]
async fn user_keys_have_a_status_and_presence_ttls_of_300_seconds() {
    let (_redis, mut look, server) = with_redis().await;
    let mut ann = chat(&server, "1").await;
    look.until_status("1", "online").await;
    is_fresh(&mut look, "user:1", 300).await;
    assert_eq!(
        look.ask("HGETALL user:1").await,
        Said::List(vec![Said::Text("status".into()), Said::Text("online".into())])
    );

    // Connecting, a heartbeat and a status update each begin the time anew.
    look.ask("EXPIRE user:1 9").await;
    ann.say(HEARTBEAT).await;
    hear(&mut ann, "heartbeat_ack").await;
    is_fresh(&mut look, "user:1", 300).await;
    look.ask("EXPIRE user:1 9").await;
    let (mut presence, _) = board(&server, "1").await;
    is_fresh(&mut look, "user:1", 300).await;
    look.ask("EXPIRE user:1 9").await;
    presence.say(HEARTBEAT).await;
    hear(&mut presence, "heartbeat_ack").await;
    is_fresh(&mut look, "user:1", 300).await;
    look.ask("EXPIRE user:1 9").await;
    presence.say(r#"{"type":"status_update","status":"dnd"}"#).await;
    assert_eq!(change(&mut presence).await, told(1, "dnd"));
    look.until_status("1", "dnd").await;
    is_fresh(&mut look, "user:1", 300).await;

    // The first of two goes, the last of two goes.
    ann.leave().await;
    presence.say(HEARTBEAT).await;
    hear(&mut presence, "heartbeat_ack").await;
    look.until_status("1", "dnd").await;
    look.ask("EXPIRE user:1 9").await;
    presence.leave().await;
    look.until_status("1", "offline").await;
    is_fresh(&mut look, "user:1", 300).await;
    assert_eq!(look.status("2").await, None, "nobody was written who was not there");
    assert_eq!(look.ask("KEYS *").await, Said::List(vec![Said::Text("user:1".into())]));
}

#[tokio::test]
async fn a_stop_of_the_server_leaves_everybody_offline() {
    let (_redis, mut look, mut server) = with_redis().await;
    let _ann = chat(&server, "1").await;
    let _bob = chat(&server, "2").await;
    look.until_status("1", "online").await;
    look.until_status("2", "online").await;
    server.process.terminate();
    assert!(server.process.exited().await.success());
    assert_eq!(look.status("1").await.as_deref(), Some("offline"));
    assert_eq!(look.status("2").await.as_deref(), Some("offline"));
}

/// What stands in the example behind a `#`.
fn later() -> String {
    let mut text = text();
    for key in ["mirror_key", "mirror_field", "mirror_ttl"] {
        let line = text.lines().find(|line| line.starts_with(key)).expect("the key is in the example").to_owned();
        text = text.replace(&format!("{line}\n"), "");
    }
    assert!(text.contains("\n# mirror_value"), "the later form is in the example");
    text.replace("\n# mirror_", "\nmirror_")
}

#[tokio::test]
async fn the_later_form_is_a_json_value_for_60_seconds_that_is_published_too() {
    let redis = Redis::start();
    let server = people(&later()).over(&redis.section()).start().await;
    let (mut look, mut listening) = (redis.look().await, redis.look().await);
    listening.ask("SUBSCRIBE presence").await;
    let (mut ann, _) = board(&server, "1").await;
    let mut states = Vec::new();
    let mut published = async |states: &mut Vec<String>| {
        let Said::List(parts) = listening.next().await else { panic!("a message has three parts") };
        let [Said::Text(kind), Said::Text(channel), Said::Text(message)] = &parts[..] else { panic!("{parts:?}") };
        assert_eq!((kind.as_str(), channel.as_str()), ("message", "presence"));
        let message: Value = serde_json::from_str(message).expect("JSON");
        assert_eq!(message["user_id"], "1");
        assert!(message["last_seen"].as_str().is_some_and(|text| text.as_bytes()[10] == b'T'), "{message}");
        states.push(message["status"].as_str().expect("a text").to_owned());
    };
    published(&mut states).await;
    let Said::Text(value) = look.ask("GET presence:user:1").await else { panic!("no value") };
    let value: Value = serde_json::from_str(&value).expect("JSON");
    assert_eq!((&value["status"], value.as_object().map(serde_json::Map::len)), (&json!("online"), Some(2)));
    is_fresh(&mut look, "presence:user:1", 60).await;
    ann.say(r#"{"type":"status_update","status":"away"}"#).await;
    published(&mut states).await;
    ann.leave().await;
    published(&mut states).await;
    assert_eq!(states, ["online", "away", "offline"]);
    let Said::Text(value) = look.ask("GET presence:user:1").await else { panic!("no value") };
    assert!(value.contains("offline"), "{value}");
    is_fresh(&mut look, "presence:user:1", 60).await;
    assert_eq!(look.ask("EXISTS user:1").await, Said::Number(0));
}

async fn ready(server: &Server) -> (u16, Value) {
    let reply = get(server.operations, "/health/ready").await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn without_redis_everything_goes_on_and_readiness_says_what_is_missing() {
    let (mut redis, mut look, server) = with_redis().await;
    let mut ann = chat(&server, "1").await;
    look.until_status("1", "online").await;
    let whole = json!({ "status": "ok", "checks": { "database": "ok", "redis": "ok" } });
    assert_eq!(ready(&server).await, (200, whole.clone()));
    redis.kill();
    let degraded = json!({ "status": "degraded", "checks": { "database": "ok", "redis": "failing" } });
    assert_eq!(ready(&server).await, (200, degraded), "the copy takes nobody out");
    let (mut bob, people) = board(&server, "2").await;
    assert_eq!(people.len(), 2);
    let mut member = Wire::enter(&server, "/ws/chat/5", "2").await;
    ann.say(r#"{"content":"hello"}"#).await;
    assert_eq!(hear(&mut member, "message").await["content"], "hello");
    bob.say(r#"{"type":"status_update","status":"away"}"#).await;
    assert_eq!(change(&mut bob).await, told(2, "away"));
    until("the wait for the copy to be counted", async || {
        let metrics = server.metrics().await;
        let waiting = metrics.value("lychgate_mirror_waiting", &[]);
        let failed = metrics.value("lychgate_mirror_writes_total", &[("outcome", "failed")]);
        if waiting > 0 && failed > 0 { Ok(()) } else { Err(format!("{waiting} {failed}")) }
    })
    .await;
    server.log().wait_for_text("the copy of presence cannot be written").await;
    redis.restart();
    let mut look = redis.look().await;
    look.until_status("2", "away").await;
    assert_eq!(ready(&server).await, (200, whole));
    server.log().wait_for_text("the copy of presence is written again").await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_stops_the_start_with_the_key() {
    for (keys, key, said) in [
        ("mirror_value = { a = \"{nobody}\" }", "mirror_value.a", "nobody"),
        ("mirror_publish = \"presence\"\nmirror_message = \"{room}\"", "mirror_message", "room"),
        ("mirror_message = \"{status}\"", "mirror_message", "Write mirror_publish"),
    ] {
        let setup = example().over(&format!("[board.people]\n{keys}\n"));
        let mut process = setup.launch();
        assert!(!process.exited().await.success(), "{keys}");
        process.log.ended().await;
        let log = process.log.text();
        assert!(log.contains(&format!("board.people.{key}")) && log.contains(said), "{keys}: {log}");
    }
}
