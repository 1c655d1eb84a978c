//! What is said in a channel: stored first, with its author from the token, and then told.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{chat, example, hear, legacy, people_over, text};
use crate::harness::token::now;
use crate::harness::wire::{BINARY, FIN, frame};
use crate::harness::{Server, Wire};

/// Ann and Bob in channel 5.
async fn two(server: &Server) -> (Wire, Wire) {
    let mut ann = chat(server, "1").await;
    let bob = chat(server, "2").await;
    let joined = hear(&mut ann, "user_joined").await;
    assert_eq!((&joined["user_id"], &joined["username"]), (&json!(2), &json!("bob")));
    assert_eq!(joined["channel_id"], 5);
    (ann, bob)
}

fn is_iso(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 20 && text.as_bytes()[10] == b'T')
}

#[tokio::test]
async fn a_message_goes_to_all_the_author_too_with_numbers_for_ids() {
    let server = example().start().await;
    let (mut ann, mut bob) = two(&server).await;
    ann.say(r#"{"type":"message","content":"hello"}"#).await;
    let heard = bob.hear().await;
    assert!(is_iso(&heard["timestamp"]), "{heard}");
    let expected = json!({
        "type": "message", "id": heard["id"], "content": "hello", "user_id": 1, "username": "ann",
        "channel_id": 5, "timestamp": heard["timestamp"], "reactions": [],
    });
    assert!(heard["id"].is_i64());
    assert_eq!(heard, expected);
    assert_eq!(ann.hear().await, expected);
    // The type may be left out; what is blank is dropped; the rest keeps its order.
    for text in [r#"{"content":"  "}"#, r#"{"type":"message"}"#, r#"{"content":""}"#, r#"{"content":"second"}"#] {
        ann.say(text).await;
    }
    assert_eq!(bob.hear().await["content"], "second");
    let mut dan = Wire::enter(&server, "/ws/chat/6", "4").await;
    dan.say(r#"{"content":"in another channel"}"#).await;
    assert_eq!(dan.hear().await["channel_id"], 6);
    assert_eq!(ann.hear().await["content"], "second");
    ann.entered().await;
    bob.entered().await;
}

#[tokio::test]
async fn messages_are_stored_with_the_author_of_the_token_and_without_a_foreign_key_error() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("fear.db");
    let place = format!("[database]\nurl = \"sqlite:{}\"\n", path.display());
    let server = people_over(&text(), &place).start().await;
    let (mut ann, mut bob) = two(&server).await;
    ann.say(r#"{"content":"one","user_id":2,"author_id":77}"#).await;
    bob.say(r#"{"content":"two","user_id":77}"#).await;
    for _ in 0..2 {
        hear(&mut ann, "message").await;
    }
    let mut database =
        SqliteConnectOptions::new().filename(&path).read_only(true).connect().await.expect("the server made it");
    let rows: Vec<(i64, String)> = sqlx::query_as("select author_id, payload from messages order by author_id")
        .fetch_all(&mut database)
        .await
        .expect("rows");
    database.close().await.expect("an end");
    let authors: Vec<i64> = rows.iter().map(|(author, _)| *author).collect();
    assert_eq!(authors, [1, 2], "{rows:?}");
    assert!(rows[0].1.contains("one"), "{rows:?}");
}

#[tokio::test]
async fn what_cannot_be_stored_is_heard_by_nobody() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("fear.db");
    let place = format!("[database]\nurl = \"sqlite:{}\"\n", path.display());
    let server = people_over(&text(), &place).start().await;
    let (mut ann, mut bob) = two(&server).await;
    ann.say(r#"{"content":"kept"}"#).await;
    hear(&mut ann, "message").await;
    let mut database = SqliteConnectOptions::new().filename(&path).connect().await.expect("the server made it");
    sqlx::raw_sql("drop table reactions; drop table messages;").execute(&mut database).await.expect("it is there");
    ann.say(r#"{"content":"lost"}"#).await;
    assert_eq!(hear(&mut ann, "error").await["code"], "store");
    ann.say(r#"{"type":"typing_start"}"#).await;
    assert_eq!(hear(&mut bob, "message").await["content"], "kept");
    hear(&mut bob, "typing_start").await;
    database.close().await.expect("an end");
}

#[tokio::test]
async fn typing_goes_to_the_others_alone() {
    let server = example().start().await;
    let (mut ann, mut bob) = two(&server).await;
    for kind in ["typing_start", "typing_stop"] {
        ann.say(&json!({ "type": kind }).to_string()).await;
        let expected = json!({ "type": kind, "user_id": 1, "username": "ann", "channel_id": 5 });
        assert_eq!(bob.hear().await, expected);
    }
    ann.entered().await;
}

#[tokio::test]
async fn reactions_are_stored_and_go_to_all() {
    let server = example().start().await;
    let (mut ann, mut bob) = two(&server).await;
    ann.say(r#"{"content":"hello"}"#).await;
    let id = hear(&mut ann, "message").await["id"].as_i64().expect("a number");
    hear(&mut bob, "message").await;
    let add = json!({ "type": "reaction_add", "message_id": id, "emoji": "👍" }).to_string();
    bob.say(&add).await;
    let expected = json!({
        "type": "reaction_add", "message_id": id, "emoji": "👍", "user_id": 2, "username": "bob", "channel_id": 5,
    });
    assert_eq!(ann.hear().await, expected);
    assert_eq!(bob.hear().await, expected);
    // The same again changes nothing.
    bob.say(&add).await;
    bob.say(&json!({ "type": "reaction_remove", "message_id": id, "emoji": "👍" }).to_string()).await;
    for wire in [&mut ann, &mut bob] {
        assert_eq!(hear(wire, "reaction_remove").await["emoji"], "👍");
    }
    // A message of another channel is none here.
    let mut dan = Wire::enter(&server, "/ws/chat/6", "4").await;
    dan.say(&add).await;
    assert_eq!(hear(&mut dan, "error").await["code"], "no_message");
    dan.say(r#"{"type":"reaction_add","emoji":"👍"}"#).await;
    assert_eq!(hear(&mut dan, "error").await["code"], "bad_shape");
    ann.entered().await;
}

#[tokio::test]
async fn a_bad_frame_is_answered_and_the_socket_goes_on() {
    let server = example().start().await;
    let (mut ann, mut bob) = two(&server).await;
    for (text, code) in [
        ("no JSON", "bad_json"),
        ("[1]", "bad_json"),
        (r#"{"content":"a","content":"b"}"#, "bad_json"),
        (r#"{"type":"sing"}"#, "unknown_type"),
        (r#"{"content":5}"#, "bad_shape"),
        (&json!({ "content": "x".repeat(4001) }).to_string(), "too_long"),
    ] {
        ann.say(text).await;
        assert_eq!(hear(&mut ann, "error").await["code"], code, "{text}");
    }
    ann.write(&frame(FIN | BINARY, b"\0")).await;
    assert_eq!(hear(&mut ann, "error").await["code"], "binary");
    ann.say(r#"{"content":"still here"}"#).await;
    assert_eq!(hear(&mut bob, "message").await["content"], "still here");
    drop(ann);
    assert_eq!(hear(&mut bob, "user_left").await["user_id"], 1, "whichever way a socket ends");
}

/// `bad_frame` holds for what an act finds wrong, too.
#[tokio::test]
async fn where_bad_frames_are_ignored_an_act_without_its_object_is_ignored() {
    let over = "[endpoint.chat.codec]\nbad_frame = \"ignore\"\n\
                [endpoint.chat.codec.in.reaction_add]\nrequire = []\n";
    let server = example().over(over).start().await;
    let (mut ann, _bob) = two(&server).await;
    for text in [r#"{"type":"reaction_add"}"#, r#"{"type":"reaction_add","message_id":"x","emoji":"y"}"#, "rubbish"] {
        ann.say(text).await;
    }
    ann.entered().await;
    assert_eq!(server.metrics().await.value("lychgate_messages_refused_total", &[("reason", "bad_shape")]), 2);
    // A frame that can be read and names nothing is no bad frame.
    ann.say(r#"{"type":"reaction_add","message_id":99,"emoji":"y"}"#).await;
    assert_eq!(hear(&mut ann, "error").await["code"], "no_message");
}

#[tokio::test]
async fn a_flood_is_told_to_send_more_slowly() {
    // So long that nothing grows back while the test is slow.
    let rate = "[endpoint.chat.codec.in.message]\nrate = { count = 30, window = \"1h\" }\n";
    let server = example().over(rate).start().await;
    let (mut ann, mut bob) = two(&server).await;
    for _ in 0..31 {
        ann.say(r#"{"content":"again"}"#).await;
    }
    for _ in 0..30 {
        hear(&mut bob, "message").await;
    }
    let mut last = ann.hear().await;
    while last["type"] == "message" {
        last = ann.hear().await;
    }
    assert_eq!(last["code"], "rate");
    // Another socket is another count.
    let token = legacy(&json!({ "sub": "1", "exp": now() + 600 }));
    let mut other = Wire::open(server.address, &format!("/ws/chat/5?token={token}")).await;
    other.say(r#"{"content":"calm"}"#).await;
    assert_eq!(hear(&mut other, "message").await["content"], "calm");
}
