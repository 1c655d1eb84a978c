//! Deltas: whoever asks for them gets what differs, and everybody else gets what was said.

use lychgate_protocol::centrifuge::delta;
use serde_json::{Value, json};

use super::client::Client;
use super::{enter, setup};
use crate::harness::Server;

const DELTAS: &str = r#"
[namespace.long]
channel = "long:{name:name}"
publish = "permitted"
history_size = 3
deltas = true
policy = { rule = "any" }
"#;

const BYTES_MAX: usize = 64 * 1_024;

async fn server() -> Server {
    setup().over(DELTAS).start().await
}

async fn subscribe(client: &mut Client, channel: &str) -> Value {
    client.result("subscribe", json!({ "channel": channel, "delta": "fossil", "recoverable": true })).await
}

/// A text of which little changes from one to the next.
fn text(n: usize) -> Value {
    json!({ "text": "lorem ipsum dolor sit amet ".repeat(20), "n": n })
}

/// The next publication: whether it is a delta, and what it comes to behind `last`.
async fn next(client: &mut Client, last: &mut Vec<u8>) -> (bool, Value) {
    let push = client.push().await;
    told(&push["pub"], last)
}

fn told(publication: &Value, last: &mut Vec<u8>) -> (bool, Value) {
    let data = publication["data"].as_str().unwrap_or_else(|| panic!("a string was expected: {publication}"));
    let is_delta = publication["delta"] == true;
    if is_delta {
        let mut whole = Vec::new();
        delta::apply(last, data.as_bytes(), BYTES_MAX, &mut whole).expect("a delta of what came before");
        *last = whole;
    } else {
        *last = data.as_bytes().to_vec();
    }
    (is_delta, serde_json::from_slice(last).expect("JSON"))
}

#[tokio::test]
async fn the_first_is_whole_and_the_rest_is_what_differs() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    let (mut early, mut late) = (Vec::new(), Vec::new());
    assert_eq!(subscribe(&mut ann, "long:x").await["delta"], true);
    bob.subscribe("long:x").await;
    for n in 0..3 {
        bob.publish("long:x", text(n)).await;
        assert_eq!(bob.data().await, text(n), "who did not ask gets what was said");
        assert_eq!(next(&mut ann, &mut early).await, (n > 0, text(n)));
    }
    // Somebody who comes later begins with a whole one, while the others go on.
    let mut cleo = enter(&server, "cleo").await;
    subscribe(&mut cleo, "long:x").await;
    for n in 3..6 {
        bob.publish("long:x", text(n)).await;
        assert_eq!(next(&mut ann, &mut early).await, (true, text(n)));
        assert_eq!(next(&mut cleo, &mut late).await, (n > 3, text(n)));
    }
    // What is as short as its delta is sent whole, and is what the next one differs from.
    bob.publish("long:x", json!(7)).await;
    assert_eq!(next(&mut ann, &mut early).await, (false, json!(7)));
    bob.publish("long:x", json!(8)).await;
    assert_eq!(next(&mut ann, &mut early).await, (false, json!(8)));
}

#[tokio::test]
async fn who_comes_back_goes_on_from_what_it_is_told() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    let mut last = Vec::new();
    let place = subscribe(&mut ann, "long:x").await;
    bob.publish("long:x", text(1)).await;
    assert_eq!(next(&mut ann, &mut last).await, (false, text(1)));
    ann.leave().await;
    bob.publish("long:x", text(2)).await;
    bob.publish("long:x", text(3)).await;
    let mut ann = enter(&server, "ann").await;
    let back = json!({ "channel": "long:x", "delta": "fossil", "recover": true, "offset": 1, "epoch": place["epoch"] });
    let result = ann.result("subscribe", back.clone()).await;
    assert_eq!(result["recovered"], true, "{result}");
    let missed = result["publications"].as_array().expect("a list");
    let missed: Vec<_> = missed.iter().map(|publication| told(publication, &mut last).1).collect();
    assert_eq!(missed, [text(2), text(3)]);
    bob.publish("long:x", text(4)).await;
    assert_eq!(next(&mut ann, &mut last).await, (true, text(4)), "it differs from what was told last");
    // Who has missed nothing may have kept nothing either.
    let mut cleo = enter(&server, "cleo").await;
    let here = json!({ "channel": "long:x", "delta": "fossil", "recover": true, "offset": 4, "epoch": place["epoch"] });
    assert_eq!(cleo.result("subscribe", here).await["recovered"], true);
    bob.publish("long:x", text(5)).await;
    assert_eq!(next(&mut cleo, &mut Vec::new()).await, (false, text(5)));
    assert_eq!(next(&mut ann, &mut last).await, (true, text(5)));
}

#[tokio::test]
async fn where_there_are_none_nobody_gets_any() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    let wish = |channel: &str, delta: &str| json!({ "channel": channel, "delta": delta });
    assert_eq!(ann.result("subscribe", wish("chat:5", "fossil")).await.get("delta"), None);
    ann.publish("chat:5", text(1)).await;
    assert_eq!(ann.data().await, text(1));
    ann.send("subscribe", wish("long:x", "bsdiff")).await;
    assert_eq!(ann.closed().await, super::bad_request());
}
