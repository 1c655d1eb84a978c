//! The shape of `presence_timeline_test.py`: two users log in by JSON, sit at the board, one says something in a channel,
//! and the key of each is looked at all along.

use serde_json::json;

use super::login::log_in;
use super::redis::Redis;
use super::{PASSWORD, example, hear};
use crate::harness::{Client, Server};

struct Person {
    id: i64,
    token: String,
}

async fn person(server: &Server, identifier: &str) -> Person {
    let answer = log_in(server, identifier, PASSWORD).await.json();
    Person {
        id: answer["user"]["id"].as_i64().expect("the user is in the answer"),
        token: answer["access_token"].as_str().expect("a token").to_owned(),
    }
}

#[tokio::test]
async fn the_timeline_of_two_users() {
    let redis = Redis::start();
    let server = example().over(&redis.section()).start().await;
    let mut look = redis.look().await;
    let mut line = Vec::new();
    let (ann, bob) = (person(&server, "ann").await, person(&server, "bob@example.com").await);
    let (ann_key, bob_key) = (ann.id.to_string(), bob.id.to_string());
    line.push((look.status(&ann_key).await, look.status(&bob_key).await));

    let mut ann_board = Client::open(server.address, &format!("/ws/presence?token={}", ann.token)).await;
    assert_eq!(ann_board.hear().await["user_id"], ann.id);
    assert_eq!(ann_board.hear().await["type"], "presence_list");
    look.until_status(&ann_key, "online").await;
    assert!((290..=300).contains(&look.ttl(&format!("user:{ann_key}")).await));
    let mut bob_board = Client::open(server.address, &format!("/ws/presence?token={}", bob.token)).await;
    assert_eq!(bob_board.hear().await["user_id"], bob.id);
    let list = bob_board.hear().await;
    assert_eq!(list["users"].as_array().map(Vec::len), Some(2));
    look.until_status(&bob_key, "online").await;
    assert_eq!(ann_board.hear().await["user_id"], bob.id);
    line.push((look.status(&ann_key).await, look.status(&bob_key).await));

    let mut ann_chat = Client::open(server.address, &format!("/ws/chat/5?token={}", ann.token)).await;
    let mut bob_chat = Client::open(server.address, &format!("/ws/chat/5?token={}", bob.token)).await;
    assert_eq!(ann_chat.hear().await["type"], "user_joined");
    ann_chat.say(&json!({ "type": "message", "content": "timeline" }).to_string()).await;
    for wire in [&mut ann_chat, &mut bob_chat] {
        let message = wire.hear().await;
        assert_eq!((&message["content"], &message["user_id"]), (&json!("timeline"), &json!(ann.id)));
    }
    ann_board.say(&json!({ "type": "heartbeat" }).to_string()).await;
    assert_eq!(ann_board.hear().await["type"], "heartbeat_ack");

    // Ann closes her tab: both of her sockets.
    drop((ann_board, ann_chat));
    look.until_status(&ann_key, "offline").await;
    assert!((290..=300).contains(&look.ttl(&format!("user:{ann_key}")).await));
    let left = bob_board.hear().await;
    assert_eq!((&left["user_id"], &left["status"]), (&json!(ann.id), &json!("offline")));
    line.push((look.status(&ann_key).await, look.status(&bob_key).await));
    let is = |status: &str| Some(status.to_owned());
    assert_eq!(line, [(None, None), (is("online"), is("online")), (is("offline"), is("online"))]);
    let mut back = super::Wire::open(server.address, &format!("/ws/chat/5?token={}", ann.token)).await;
    back.say(r#"{"content":"again"}"#).await;
    hear(&mut back, "message").await;
    look.until_status(&ann_key, "online").await;
}
