//! A plain endpoint and clients of the protocol in one channel: each hears the others in its own way.

use serde_json::{Value, json};

use super::{enter, server};
use crate::harness::Wire;

#[tokio::test]
async fn a_plain_socket_and_two_clients_share_a_channel() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    ann.result("subscribe", json!({ "channel": "chat:5", "join_leave": true })).await;
    ann.push().await;
    bob.result("subscribe", json!({ "channel": "chat:5", "recoverable": true })).await;
    ann.push().await;
    let mut plain = Wire::enter(&server, "/ws/chat/5", "cleo").await;
    let mut elsewhere = Wire::enter(&server, "/ws/chat/6", "cleo").await;
    plain.say(r#"{"text":"from a plain one"}"#).await;
    assert_eq!(plain.hear().await, json!({ "text": "from a plain one" }), "itself as well");
    for client in [&mut ann, &mut bob] {
        let publication = client.push().await["pub"].take();
        assert_eq!(publication["data"], json!({ "text": "from a plain one" }));
        assert_eq!(publication["offset"], 1);
        assert_eq!(publication["info"], json!({ "user": "cleo", "client": "" }), "its connection has no name here");
    }
    ann.publish("chat:5", json!({ "text": "from ann" })).await;
    for client in [&mut ann, &mut bob] {
        let publication = client.push().await["pub"].take();
        assert_eq!((&publication["data"], &publication["offset"]), (&json!({ "text": "from ann" }), &json!(2)));
        assert_eq!(publication["info"]["user"], "ann");
    }
    assert_eq!(plain.hear().await, json!({ "text": "from ann" }), "the bare data, and nothing of joins and pings");
    bob.result("unsubscribe", json!({ "channel": "chat:5" })).await;
    plain.say(r#"{"text":"while bob was away"}"#).await;
    plain.hear().await;
    let back = json!({ "channel": "chat:5", "recover": true, "offset": 2 });
    let result = bob.result("subscribe", back).await;
    assert_eq!(result["publications"][0]["data"], json!({ "text": "while bob was away" }), "{result}");
    elsewhere.entered().await;
}

#[tokio::test]
async fn order_is_one_for_all() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    let mut plain = Wire::enter(&server, "/ws/chat/5", "cleo").await;
    for client in [&mut ann, &mut bob] {
        client.subscribe("chat:5").await;
    }
    let burst = |from: &str| -> Vec<String> {
        (0..40)
            .map(|n| {
                json!({ "id": 100 + n, "publish": { "channel": "chat:5", "data": { "from": from, "n": n } } })
                    .to_string()
            })
            .collect()
    };
    ann.say(&burst("ann").join("\n")).await;
    for n in 0..40 {
        plain.say(&json!({ "from": "cleo", "n": n }).to_string()).await;
    }
    bob.say(&burst("bob").join("\n")).await;
    let mut heard = Vec::new();
    for _ in 0..120 {
        heard.push(plain.hear().await);
    }
    let client = async |client: &mut super::client::Client| {
        let (mut all, mut offsets) = (Vec::new(), Vec::new());
        while all.len() < 120 {
            let mut line = client.line().await;
            if line.get("push").is_some() {
                offsets.push(line["push"]["pub"]["offset"].as_u64().expect("a number"));
                all.push(line["push"]["pub"]["data"].take());
            }
        }
        assert_eq!(offsets, (1..=120).collect::<Vec<_>>(), "no hole and nothing twice");
        all
    };
    assert_eq!(client(&mut ann).await, heard);
    assert_eq!(client(&mut bob).await, heard);
    for from in ["ann", "bob", "cleo"] {
        let of: Vec<&Value> = heard.iter().filter(|data| data["from"] == from).map(|data| &data["n"]).collect();
        assert_eq!(of, (0..40).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>(), "{from}");
    }
}

/// A newline ends a line of the protocol, and a plain socket may put as many as it likes into its JSON.
#[tokio::test]
async fn a_text_on_many_lines_is_one_publication() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    ann.subscribe("chat:5").await;
    let mut plain = Wire::enter(&server, "/ws/chat/5", "cleo").await;
    plain.say("{\n  \"text\": \"two\\nlines\"\r\n}").await;
    plain.hear().await;
    let frame = ann.wire.frame().await;
    let text = String::from_utf8(frame.payload).expect("text");
    assert_eq!(text.lines().count(), 1, "{text:?}");
    let line: Value = serde_json::from_str(&text).expect("one line of JSON");
    assert_eq!(line["push"]["pub"]["data"], json!({ "text": "two\nlines" }));
}
