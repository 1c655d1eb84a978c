//! The example is a configuration and not a case in the code: what it says otherwise, the wire says otherwise.

use serde_json::json;

use super::redis::{Redis, Said};
use super::{PASSWORD, people, text};
use crate::harness::http::post;
use crate::harness::wait::until;
use crate::harness::wire::{ask, request};
use crate::harness::{Server, Wire};

#[tokio::test]
async fn other_words_in_the_file_are_other_words_on_the_wire() {
    let mut text = text();
    for (from, to) in [
        ("path = \"/ws/chat/{channel:int}\"", "path = \"/live/room/{channel:int}\""),
        ("path = \"/ws/presence\"", "path = \"/live/people\""),
        ("content = \"{in.content}\", user_id = \"{user.id|int}\"", "text = \"{in.content}\", by = \"{user.id}\""),
        ("[endpoint.chat.codec.in.typing_start]", "[endpoint.chat.codec.in.writes]"),
        ("type = \"typing_start\"", "type = \"writes\""),
        ("type = \"presence_list\", users =", "type = \"people\", all ="),
        ("\"dnd\", \"offline\"]", "\"busy\", \"offline\"]"),
        ("default = [4403, \"\"]", "default = [4999, \"no\"]"),
        ("path = \"/api/auth/login\"", "path = \"/in\""),
        ("field = \"identifier\"", "field = \"who\""),
        ("mirror_key = \"user:{user.id}\"\n", "mirror_key = \"person:{user.name}\"\n"),
        ("mirror_field = \"status\"", "mirror_field = \"state\""),
        ("type = \"heartbeat_ack\"", "type = \"seen\""),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let redis = Redis::start();
    let server = people(&text).over(&redis.section()).start().await;
    let mut nobody = Wire::open(server.address, "/live/room/5").await;
    assert_eq!(nobody.closed_politely().await, (4999, "no".to_owned()));
    let mut ann = Wire::enter(&server, "/live/room/5", "1").await;
    let mut bob = Wire::enter(&server, "/live/room/5", "2").await;
    ann.hear().await;
    ann.say(r#"{"content":"hello"}"#).await;
    let heard = bob.hear().await;
    assert_eq!((&heard["text"], &heard["by"], &heard["content"]), (&json!("hello"), &json!("1"), &json!(null)));
    ann.hear().await;
    ann.say(r#"{"type":"writes"}"#).await;
    assert_eq!(bob.hear().await["type"], "writes");
    ann.say(r#"{"type":"typing_start"}"#).await;
    assert_eq!(ann.hear().await["code"], "unknown_type");
    let mut dan = Wire::open(server.address, &Server::at("/live/people", "4")).await;
    dan.hear().await;
    let list = dan.hear().await;
    assert_eq!((&list["type"], list["all"].as_array().map(Vec::len)), (&json!("people"), Some(3)));
    dan.say(r#"{"type":"status_update","status":"dnd"}"#).await;
    dan.say(r#"{"type":"status_update","status":"busy"}"#).await;
    assert_eq!(dan.hear().await["status"], "busy", "the first is no word any more, and changed nothing");
    dan.say(r#"{"type":"heartbeat"}"#).await;
    assert_eq!(dan.hear().await["type"], "seen");
    let mut look = redis.look().await;
    until("the key of another name", async || match look.ask("HGET person:dan state").await {
        Said::Text(state) if state == "busy" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;

    let headers = "content-type: application/json\r\n";
    let body = json!({ "who": "ann", "password": PASSWORD }).to_string();
    assert_eq!(post(server.address, "/in", &body, headers).await.status, 200);
    assert_eq!(post(server.address, "/api/auth/login", &body, headers).await.status, 404);
    let old = ask(server.address, &request(&Server::at("/ws/chat/5", "1"), "")).await;
    assert_eq!(old.status, 404);
}
