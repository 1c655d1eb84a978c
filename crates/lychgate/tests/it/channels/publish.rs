//! Who may publish, under whose name it goes out, and what comes of what is kept.

use serde_json::{Value, json};

use super::client::Client;
use super::{enter, error, server, signed};

#[tokio::test]
async fn only_whom_the_namespace_names_may_publish() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    let to = |channel: &str| json!({ "channel": channel, "data": { "n": 1 } });
    for (channel, code) in
        [("chat:1", 103), ("news:a", 103), ("paid:a", 103), ("room:1", 103), ("other:1", 102), ("chat:x", 107)]
    {
        assert_eq!(ann.ask("publish", to(channel)).await["error"]["code"], code, "{channel}");
    }
    ann.subscribe("news:a").await;
    assert_eq!(ann.ask("publish", to("news:a")).await, error(103, "permission denied"), "nobody does in that one");
    ann.subscribe("chat:1").await;
    ann.publish("chat:1", json!({ "n": 2 })).await;
    assert_eq!(ann.data().await, json!({ "n": 2 }));
    ann.publish("square:a", json!({ "n": 3 })).await;
    ann.hears_nothing("who publishes from outside does not hear it").await;
    let mut visitor = Client::open(&server, "/open").await;
    visitor.result("connect", json!({})).await;
    assert_eq!(visitor.ask("publish", to("square:a")).await, error(103, "permission denied"));
}

#[tokio::test]
async fn what_is_published_is_json_and_is_not_touched() {
    let server = server().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    bob.subscribe("square:a").await;
    bob.push().await;
    for command in [json!({ "channel": "square:a" }), json!({ "channel": "square:a", "data": 1, "type": 1 })] {
        assert_eq!(ann.ask("publish", command.clone()).await, error(107, "bad request"), "{command}");
    }
    let spaced = r#"{ "n": 1.50,	"big": 12345678901234567890, "é": "\u00e9" }"#;
    for (at, data) in [spaced, "null", "0", "\"\"", "[ ]"].iter().enumerate() {
        ann.say(&format!(r#"{{"id":{},"publish":{{"channel":"square:a","data":{data}}}}}"#, 100 + at)).await;
        assert_eq!(ann.reply(100 + at as u64).await, json!({ "publish": {} }));
        let frame = bob.wire.frame().await;
        let text = String::from_utf8(frame.payload).expect("text");
        assert!(text.contains(&format!("\"data\":{data}")), "{text}");
    }
}

#[tokio::test]
async fn the_author_is_who_the_token_says() {
    let server = server().await;
    let token = signed(&[("sub", r#""ann""#), ("info", r#"{"name":"Ann"}"#)]);
    let mut ann = Client::open(&server, "/many").await;
    let connected = ann.connect(&token).await;
    let mut bob = enter(&server, "bob").await;
    bob.subscribe("square:a").await;
    bob.push().await;
    let claimed = json!({ "user": "bob", "info": { "user": "bob" } });
    let mut command = json!({ "channel": "square:a", "data": claimed, "info": { "user": "bob", "client": "x" } });
    command["user"] = json!("bob");
    assert_eq!(ann.result("publish", command).await, json!({}));
    let expected = json!({ "user": "ann", "client": connected["client"], "conn_info": { "name": "Ann" } });
    let push = bob.push().await;
    assert_eq!(push["pub"]["info"], expected);
    assert_eq!(push["pub"]["data"], claimed, "what it says itself is its own affair");
    let page = bob.result("history", json!({ "channel": "square:a", "limit": 1 })).await;
    assert_eq!(page["publications"][0]["info"], expected, "also in what is kept");
}

#[tokio::test]
async fn only_what_is_kept_is_counted() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    for channel in ["chat:1", "paid:gold"] {
        let token = super::vouch("ann", channel, &[]);
        ann.result("subscribe", json!({ "channel": channel, "token": token })).await;
    }
    ann.publish("paid:gold", json!(1)).await;
    let push = ann.push().await;
    assert_eq!((push["pub"].get("offset"), push["pub"].get("epoch")), (None, None), "{push}");
    let epoch = ann.result("history", json!({ "channel": "chat:1" })).await["epoch"].take();
    for n in 1..=2 {
        ann.publish("chat:1", json!(n)).await;
        let publication = ann.push().await["pub"].take();
        assert_eq!(publication["offset"], n);
        assert_eq!(publication["epoch"], if n == 1 { epoch.clone() } else { Value::Null }, "with the first one");
    }
}

/// What `history` gives as a list of offsets, or the error's code.
async fn history(client: &mut Client, more: Value) -> Result<Vec<u64>, u64> {
    let mut request = json!({ "channel": "square:a" });
    request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let reply = client.ask("history", request).await;
    if let Some(error) = reply.get("error") {
        return Err(error["code"].as_u64().expect("a code"));
    }
    let page = &reply["history"];
    assert_eq!(page["offset"], 5, "{page}");
    assert!(page["epoch"].as_str().is_some_and(|epoch| epoch.len() == 8), "{page}");
    let publications = page["publications"].as_array().expect("also when it is empty");
    Ok(publications.iter().map(|publication| publication["offset"].as_u64().expect("a number")).collect())
}

#[tokio::test]
async fn a_history_is_read_from_either_end() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    for n in 1..=5 {
        ann.publish("square:a", json!(n)).await;
    }
    let epoch = ann.result("history", json!({ "channel": "square:a" })).await["epoch"].take();
    let none: [u64; 0] = [];
    // Three are kept: 3, 4 and 5.
    for (request, offsets) in [
        (json!({}), Ok(&none[..])),
        (json!({ "limit": 0 }), Ok(&none)),
        (json!({ "limit": -1 }), Ok(&[3, 4, 5])),
        (json!({ "limit": 2 }), Ok(&[3, 4])),
        (json!({ "limit": 2, "reverse": true }), Ok(&[5, 4])),
        (json!({ "limit": -1, "since": { "offset": 3, "epoch": epoch } }), Ok(&[4, 5])),
        (json!({ "limit": 1, "since": { "offset": 3 } }), Ok(&[4])),
        (json!({ "limit": -1, "since": { "offset": 1 } }), Ok(&[3, 4, 5])),
        (json!({ "limit": -1, "since": { "offset": 0 } }), Ok(&[3, 4, 5])),
        (json!({ "limit": -1, "since": { "offset": 5 } }), Ok(&none)),
        (json!({ "limit": -1, "since": { "offset": 99 } }), Ok(&none)),
        (json!({ "limit": -1, "since": { "offset": 5 }, "reverse": true }), Ok(&[4, 3])),
        (json!({ "limit": -1, "since": { "offset": 0 }, "reverse": true }), Err(107)),
        (json!({ "limit": -1, "since": { "offset": 3, "epoch": "another" } }), Err(112)),
        (json!({ "since": { "offset": 5, "epoch": "another" } }), Err(112)),
    ] {
        assert_eq!(history(&mut ann, request.clone()).await, offsets.map(<[u64]>::to_vec), "{request}");
    }
}

#[tokio::test]
async fn a_history_is_for_whom_the_namespace_names() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    for (channel, code) in [("chat:1", 103), ("sealed:a", 103), ("news:a", 108), ("room:1", 103), ("other:1", 102)] {
        assert_eq!(ann.ask("history", json!({ "channel": channel })).await["error"]["code"], code, "{channel}");
    }
    for channel in ["chat:1", "sealed:a", "news:a"] {
        ann.subscribe(channel).await;
    }
    ann.result("history", json!({ "channel": "chat:1" })).await;
    assert_eq!(ann.ask("history", json!({ "channel": "sealed:a" })).await, error(103, "permission denied"));
    assert_eq!(ann.ask("history", json!({ "channel": "news:a" })).await, error(108, "not available"));
    ann.result("history", json!({ "channel": "square:a" })).await;
    ann.send("history", json!({ "channel": "" })).await;
    assert_eq!(ann.closed().await, super::bad_request());
}
