//! What is said, by whom, and who hears it.

use serde_json::{Value, json};

use super::outside::Application;
use super::{CALLS, chat, example, hear, song, song_over, theirs};

#[tokio::test]
async fn chat_reaches_the_room_and_the_sender_with_the_servers_word_for_who_and_when() {
    let song = song().await;
    let mut bob = song.enter("124", "general").await;
    let target = format!("/ws/123?token={}&user_id=999&username=root&user_email=x", theirs("123"));
    let (mut ann, welcome) = song.welcomed(&target, "").await;
    assert_eq!(welcome["user_id"], "123", "parameters are no identity");
    hear(&mut bob, "user_joined").await;
    let frame = json!({
        "type": "chat", "user_id": "999", "timestamp": "1999-01-01T00:00:00Z",
        "data": { "message": "hello", "user_id": "999", "room_id": "graph_updates", "role": "admin" },
    });
    ann.say(&frame.to_string()).await;
    let (here, there) = (ann.hear().await, bob.hear().await);
    assert_eq!(here, there);
    assert_eq!(here["data"], json!({ "user_id": "123", "message": "hello", "room_id": "general" }));
    assert_eq!(here.as_object().expect("an object").len(), 3, "{here}");
    assert!(here["timestamp"].as_str().is_some_and(|time| time > "2020"), "{here}");
    let mut visitor = song.visit("general").await;
    visitor.say(&chat("may I?")).await;
    for wire in [&mut ann, &mut bob] {
        hear(wire, "user_joined").await;
        assert_eq!(hear(wire, "chat").await["data"]["user_id"], "anonymous");
    }
}

#[tokio::test]
async fn a_bad_frame_harms_nobody() {
    let song = song().await;
    let mut bob = song.enter("124", "general").await;
    let mut ann = song.enter("123", "general").await;
    hear(&mut bob, "user_joined").await;
    for (frame, message) in [
        ("rubbish", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("[1]", "Invalid JSON"),
        ("7", "Invalid JSON"),
        (r#"{"type":"chat","type":"x","data":{}}"#, "Invalid JSON"),
        ("{}", "Invalid message format"),
        (r#"{"type":"chat"}"#, "Invalid message format"),
        (r#"{"data":{"message":"x"}}"#, "Invalid message format"),
        (r#"{"type":7,"data":{}}"#, "Invalid message format"),
        (r#"{"type":"chat","data":{}}"#, "Invalid message format"),
        (r#"{"type":"chat","data":[1]}"#, "Invalid message format"),
        (r#"{"type":"nothing","data":{}}"#, "Unsupported message type: nothing"),
    ] {
        ann.say(frame).await;
        let error = hear(&mut ann, "error").await;
        assert_eq!(error["data"]["message"], message, "{frame}: {error}");
        assert!(error["timestamp"].is_string());
        let details = error["data"].get("details").or_else(|| error["data"].get("code"));
        assert!(details.is_some_and(Value::is_string), "{frame}: {error}");
    }
    ann.say(&chat("still here")).await;
    assert_eq!(hear(&mut bob, "chat").await["data"]["message"], "still here", "others heard nothing of it");
    hear(&mut ann, "chat").await;
    // And its end is told like any other.
    ann.say("[1]").await;
    ann.leave().await;
    assert_eq!(hear(&mut bob, "user_left").await["data"], json!({ "user_id": "123", "room_id": "general" }));
}

#[tokio::test]
async fn graph_interaction_goes_to_the_room_of_graph_updates_and_is_not_for_visitors() {
    let song = song().await;
    let mut graph = song.enter("124", "graph_updates").await;
    let mut ann = song.enter("123", "general").await;
    let mut other = song.visit("general").await;
    hear(&mut ann, "user_joined").await;
    let frame = json!({
        "type": "graph_interaction",
        "data": { "action": "move", "node_id": "n1", "position": { "x": 1.50, "y": -2 }, "user_id": "999" },
    });
    other.say(&frame.to_string()).await;
    assert_eq!(hear(&mut other, "error").await["data"]["code"], "not_authenticated");
    ann.say(&frame.to_string()).await;
    let heard = hear(&mut graph, "graph_interaction").await;
    let expected = json!({ "user_id": "123", "action": "move", "node_id": "n1", "position": { "x": 1.5, "y": -2 } });
    assert_eq!(heard["data"], expected, "the first that came was the user's, not the visitor's");
    ann.say(&chat("done")).await;
    for wire in [&mut ann, &mut other] {
        hear(wire, "chat").await;
    }
}

#[tokio::test]
async fn scraper_control_is_forwarded_signed_and_answered() {
    let application = Application::listen().await;
    let over = format!("[source.scraper]\nurl = \"{}\"\n", application.url());
    let song = song_over(&example(), &over).await;
    let mut bob = song.enter("124", "general").await;
    let mut ann = song.enter("123", "general").await;
    hear(&mut bob, "user_joined").await;
    let mut visitor = song.visit("general").await;
    for wire in [&mut ann, &mut bob] {
        hear(wire, "user_joined").await;
    }
    let frame = json!({ "type": "scraper_control", "data": { "command": "pause", "target": 7 }, "user_id": "999" });

    visitor.say(&frame.to_string()).await;
    assert_eq!(hear(&mut visitor, "error").await["data"]["code"], "not_authenticated");

    ann.say(&frame.to_string()).await;
    let call = application.answer(200, r#"{"paused":true}"#).await;
    assert_eq!((&call["event"], &call["user_id"]), (&json!("scraper_control"), &json!("123")));
    assert_eq!(call["data"], json!({ "command": "pause", "target": 7 }));
    assert_eq!(hear(&mut ann, "scraper_control").await["data"], json!({ "paused": true }));

    // An application that says nothing leaves the sender in silence; one that fails does not.
    for (status, body, code) in [(204, "", None), (500, "", Some("application")), (200, "rubbish", Some("application"))]
    {
        ann.say(&frame.to_string()).await;
        application.answer(status, body).await;
        if let Some(code) = code {
            assert_eq!(hear(&mut ann, "error").await["data"]["code"], code, "{status} {body}");
        }
    }
    ann.say(&chat("next")).await;
    for wire in [&mut ann, &mut bob, &mut visitor] {
        hear(wire, "chat").await;
    }
    song.server.log().never_holds(CALLS);
}
