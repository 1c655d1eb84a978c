//! Messages that are no commands, and commands that are written in unusual ways.

use serde_json::{Value, json};

use super::client::Client;
use super::{bad_request, enter, server, told};
use crate::harness::token::own;
use crate::harness::wire::{BINARY, CONTINUATION, FIN, TEXT, frame};

#[tokio::test]
async fn what_is_no_command_ends_the_session() {
    let server = server().await;
    for (case, text) in [
        ("nothing", ""),
        ("a newline", "\n"),
        ("no JSON", "hello"),
        ("half of it", r#"{"id":2,"rpc":{"#),
        ("a list", "[]"),
        ("a number", "7"),
        ("a blank line between", "{\"id\":2,\"rpc\":{}}\n\n{\"id\":3,\"rpc\":{}}"),
        ("no id", r#"{"rpc":{}}"#),
        ("id 0", r#"{"id":0,"rpc":{}}"#),
        ("a negative id", r#"{"id":-1,"rpc":{}}"#),
        ("an id that is too large", r#"{"id":4294967296,"rpc":{}}"#),
        ("an id that is a text", r#"{"id":"2","rpc":{}}"#),
        ("a method that nobody knows", r#"{"id":2,"fly":{}}"#),
        ("the schema's ping", r#"{"id":2,"ping":{}}"#),
        ("a field twice", r#"{"id":2,"id":3,"rpc":{}}"#),
        ("a field of another type", r#"{"id":2,"subscribe":{"channel":7}}"#),
        ("an empty channel", r#"{"id":2,"subscribe":{"channel":""}}"#),
        ("an empty channel to publish to", r#"{"id":2,"publish":{"data":1}}"#),
        ("an unknown delta", r#"{"id":2,"subscribe":{"channel":"chat:1","delta":"x"}}"#),
        ("no token to refresh with", r#"{"id":2,"refresh":{}}"#),
    ] {
        let mut client = enter(&server, "ann").await;
        client.say(text).await;
        let mut last = client.line_or_closed().await;
        if last == Ok(json!({ "id": 2, "error": { "code": 108, "message": "not available" } })) {
            last = client.line_or_closed().await;
        }
        assert_eq!(last, Err(bad_request()), "{case}");
    }
    let mut client = enter(&server, "ann").await;
    client.hears_nothing("the control").await;
}

#[tokio::test]
async fn no_text_and_too_deep_a_text_end_it_too() {
    let server = server().await;
    let deep =
        format!(r#"{{"id":2,"publish":{{"channel":"square:a","data":{}1{}}}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let mut client = enter(&server, "ann").await;
    client.say(&deep).await;
    assert_eq!(client.closed().await, bad_request());
    let mut client = enter(&server, "ann").await;
    client.wire.write(&frame(FIN | BINARY, b"\xff{}")).await;
    assert_eq!(client.closed().await, bad_request());
}

#[tokio::test]
async fn what_nobody_takes_is_said_in_the_protocols_words() {
    let server = server().await;
    let mut client = enter(&server, "ann").await;
    assert_eq!(client.ask("rpc", json!({ "method": "x" })).await, super::error(108, "not available"));
    client.say(r#"{"send":{"data":1}}"#).await;
    assert_eq!(client.closed().await, told(3508, "not available"));
}

#[tokio::test]
async fn a_frame_may_hold_many_commands_of_any_spelling() {
    let server = server().await;
    let mut client = Client::open(&server, "/many").await;
    let first = json!({ "id": 1, "connect": { "token": own("ann"), "name": "test", "version": "1", "other": [1] } });
    let lines = [
        &first.to_string(),
        r#"{"id":2,"subscribe":{"channel":"chat:1"}}"#,
        r#" { "rpc" : {} , "id" : 2 } "#,
        r#"{"id":3,"subscribe":{"channel":"chat:2","token":null}}"#,
        "{\"id\":4,\"unsubscribe\":{\"channel\":\"chat:1\"}}\n",
    ]
    .join("\n");
    client.say(&lines).await;
    let mut replies = Vec::new();
    for _ in 0..5 {
        replies.push(client.line().await);
    }
    let ids: Vec<&Value> = replies.iter().map(|reply| &reply["id"]).collect();
    assert_eq!(ids, [1, 2, 2, 3, 4], "each is answered, an id that comes twice as well: {replies:?}");
    assert_eq!(replies[2]["error"]["code"], 108);
    assert_eq!(replies[4]["unsubscribe"], json!({}));
    assert_eq!(client.subscribe("chat:1").await["recoverable"], Value::Null, "it was left, so it can be entered again");
    assert_eq!(client.ask("subscribe", json!({ "channel": "chat:2" })).await["error"]["code"], 105);
}

#[tokio::test]
async fn a_message_may_be_binary_or_in_pieces() {
    let server = server().await;
    let mut client = enter(&server, "ann").await;
    client.wire.write(&frame(FIN | BINARY, br#"{"id":2,"subscribe":{"channel":"chat:1"}}"#)).await;
    assert_eq!(client.reply(2).await["error"], Value::Null);
    client.wire.write(&frame(TEXT, br#"{"id":3,"unsub"#)).await;
    client.wire.write(&frame(FIN | CONTINUATION, br#"scribe":{"channel":"chat:1"}}"#)).await;
    assert_eq!(client.reply(3).await, json!({ "unsubscribe": {} }));
}

#[tokio::test]
async fn of_two_methods_in_one_command_the_first_of_the_protocol_counts() {
    let server = server().await;
    let mut client = enter(&server, "ann").await;
    client.say(r#"{"id":2,"rpc":{},"subscribe":{"channel":"chat:1"}}"#).await;
    assert!(client.reply(2).await.get("subscribe").is_some());
}
