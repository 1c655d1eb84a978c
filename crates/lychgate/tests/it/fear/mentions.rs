//! Who is called by name is told on all of their sockets, if they may hear what was said.

use serde_json::json;

use super::{board, change, chat, example, hear, people, text, told};
use crate::harness::Wire;

#[tokio::test]
async fn a_mention_reaches_every_socket_of_the_mentioned_user() {
    let server = example().start().await;
    let (mut bob, _) = board(&server, "2").await;
    let mut ann = chat(&server, "1").await;
    assert_eq!(change(&mut bob).await, told(1, "online"));
    let mut member = chat(&server, "2").await;
    hear(&mut ann, "user_joined").await;
    ann.say(r#"{"content":"@bob, @nobody: look. @cleo @bob"}"#).await;
    let message = hear(&mut member, "message").await;
    assert_eq!(hear(&mut ann, "message").await, message);
    let expected = json!({
        "type": "notification", "notification_id": message["id"], "notification_type": "mention",
        "title": "ann mentioned you", "content": "@bob, @nobody: look. @cleo @bob", "channel_id": 5,
        "message_id": message["id"], "sender_id": 1, "sender_username": "ann", "created_at": message["timestamp"],
    });
    assert_eq!(member.hear().await, expected);
    assert_eq!(bob.hear().await, expected);
    for wire in [&mut ann, &mut bob, &mut member] {
        wire.entered().await;
    }
}

/// A mention quotes the text, so it is told to those alone who could have read it.
#[tokio::test]
async fn a_mention_tells_nobody_who_is_not_a_member() {
    let server = example().start().await;
    let (mut dan, _) = board(&server, "4").await;
    let (mut bob, _) = board(&server, "2").await;
    assert_eq!(change(&mut dan).await, told(2, "online"));
    let mut ann = chat(&server, "1").await;
    for wire in [&mut dan, &mut bob] {
        assert_eq!(change(wire).await, told(1, "online"));
    }
    ann.say(r#"{"content":"do not tell @dan, tell @bob"}"#).await;
    hear(&mut ann, "message").await;
    hear(&mut bob, "notification").await;
    // Dan is asked about first: what he was not told by now he is not told.
    dan.entered().await;
}

#[tokio::test]
async fn where_everybody_may_enter_everybody_is_told() {
    let open = text().replace("policy = { rule = \"member\" }", "policy = { rule = \"any\" }");
    let server = people(&open).start().await;
    let (mut dan, _) = board(&server, "4").await;
    let mut ann = Wire::enter(&server, "/ws/chat/9", "1").await;
    assert_eq!(change(&mut dan).await, told(1, "online"));
    ann.say(r#"{"content":"@dan"}"#).await;
    assert_eq!(hear(&mut dan, "notification").await["channel_id"], 9);
}

/// Where each user has a channel of their own, nobody else could have read it.
#[tokio::test]
async fn a_mention_leaves_no_channel_that_is_the_speakers_own() {
    let own = text()
        .replace("policy = { rule = \"member\" }", "policy = { rule = \"any\" }")
        .replace("channel = \"chat:{channel}\"", "channel = \"chat:{user.id}\"");
    let server = people(&own).start().await;
    let (mut dan, _) = board(&server, "4").await;
    let mut ann = Wire::enter(&server, "/ws/chat/9", "1").await;
    assert_eq!(change(&mut dan).await, told(1, "online"));
    ann.say(r#"{"content":"@dan @ann"}"#).await;
    hear(&mut ann, "message").await;
    hear(&mut ann, "notification").await;
    dan.entered().await;
}
