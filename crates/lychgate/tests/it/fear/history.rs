//! What was said before, by HTTP and on joining.

use serde_json::{Value, json};

use super::{chat, example, hear};
use crate::harness::http::{Reply, exchange};
use crate::harness::token::own;
use crate::harness::{Server, Wire};

async fn page(server: &Server, sub: &str, target: &str) -> Reply {
    let token = own(sub);
    let request =
        format!("GET {target} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n");
    exchange(server.address, request.as_bytes()).await
}

fn contents(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("a list");
    messages.iter().map(|message| message["content"].as_str().expect("a text")).collect()
}

async fn say(wire: &mut Wire, texts: &[&str]) -> Vec<Value> {
    let mut said = Vec::new();
    for text in texts {
        wire.say(&json!({ "content": text }).to_string()).await;
        said.push(hear(wire, "message").await);
    }
    said
}

#[tokio::test]
async fn history_by_http_is_newest_first_and_its_last_page_says_so() {
    let server = example().start().await;
    let mut ann = chat(&server, "1").await;
    let said = say(&mut ann, &["one", "two", "three", "four"]).await;
    let id = said[0]["id"].clone();
    ann.say(&json!({ "type": "reaction_add", "message_id": id, "emoji": "👍" }).to_string()).await;
    hear(&mut ann, "reaction_add").await;

    let first = page(&server, "2", "/api/channels/5/messages?limit=2").await.json();
    assert_eq!(contents(&first), ["four", "three"]);
    assert_eq!(first["messages"][0], said[3], "it looks as it was sent");
    let next = first["next"].as_i64().expect("there is more");
    let second = page(&server, "2", &format!("/api/channels/5/messages?limit=2&before={next}")).await.json();
    assert_eq!(contents(&second), ["two", "one"]);
    assert_eq!(second["messages"][1]["reactions"], json!([{ "user_id": "1", "emoji": "👍" }]));
    assert_eq!(second["next"], json!(null), "a full page that is the last one");
    let all = page(&server, "2", "/api/channels/5/messages?limit=200").await.json();
    assert_eq!((contents(&all).len(), &all["next"]), (4, &json!(null)));
    // By the rules of the channel.
    for (sub, target, status) in [
        ("4", "/api/channels/5/messages", 403),
        ("1", "/api/channels/7/messages", 404),
        ("999", "/api/channels/5/messages", 401),
        ("3", "/api/channels/5/messages", 403),
    ] {
        assert_eq!(page(&server, sub, target).await.status, status, "{sub} at {target}");
    }
}

#[tokio::test]
async fn newcomers_are_told_what_was_said_before_if_that_is_configured() {
    let server = example().over("[endpoint.chat]\nhistory_on_join = 3\n").start().await;
    let mut ann = chat(&server, "1").await;
    let said = say(&mut ann, &["one", "two", "three", "four"]).await;
    let mut bob = Wire::open(server.address, &Server::at("/ws/chat/5", "2")).await;
    for message in &said[1..] {
        assert_eq!(bob.hear().await, *message);
    }
    hear(&mut ann, "user_joined").await;
    ann.say(r#"{"content":"five"}"#).await;
    assert_eq!(hear(&mut bob, "message").await["content"], "five");
}

#[tokio::test]
async fn without_it_a_newcomer_hears_nothing_of_the_past() {
    let server = example().start().await;
    let mut ann = chat(&server, "1").await;
    say(&mut ann, &["one"]).await;
    chat(&server, "2").await;
}
