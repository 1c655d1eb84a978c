//! What is not done, with a control beside it: nobody hears of it, and the same request in order is done.

use serde_json::{Value, json};

use super::{Sdk, World};

#[tokio::test]
async fn bad_requests_do_nothing() {
    let world = World::begin().await;
    let mut alice = Sdk::within(&world, "alice", "news").await;
    let long = "x".repeat(256);
    for (method, body, refused) in [
        ("publish", json!({ "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "", "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "news" }), (400, 107)),
        ("publish", json!({ "channel": "news", "data": 1, "b64data": "MQ==" }), (400, 107)),
        ("publish", json!({ "channel": "news", "b64data": "%" }), (400, 107)),
        ("publish", json!({ "channel": "news", "b64data": "eA==" }), (400, 107)),
        ("publish", json!({ "channel": "news", "b64data": "/w==" }), (400, 107)),
        ("publish", json!({ "channel": "news", "data": 1, "idempotency_key": "x".repeat(129) }), (400, 107)),
        ("publish", json!({ "channel": 5, "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "none", "data": 1 }), (404, 102)),
        ("publish", json!({ "channel": "newsroom", "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "chat:x", "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "a b", "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": "é", "data": 1 }), (400, 107)),
        ("publish", json!({ "channel": long, "data": 1 }), (400, 107)),
        ("publish", json!(["news"]), (400, 107)),
        ("publish", json!(null), (400, 107)),
        ("broadcast", json!({ "data": 1 }), (400, 107)),
        ("broadcast", json!({ "channels": [], "data": 1 }), (400, 107)),
        ("broadcast", json!({ "channels": vec!["news"; 1_001], "data": 1 }), (400, 107)),
        ("broadcast", json!({ "channels": ["news"] }), (400, 107)),
        ("subscribe", json!({ "channel": "news" }), (400, 107)),
        ("subscribe", json!({ "user": "alice" }), (400, 107)),
        ("subscribe", json!({ "user": "alice", "channel": "none" }), (404, 102)),
        ("subscribe", json!({ "user": "alice", "channel": "chat:x" }), (400, 107)),
        ("unsubscribe", json!({ "channel": "news" }), (400, 107)),
        ("unsubscribe", json!({ "user": "alice", "channel": "a b" }), (400, 107)),
        ("disconnect", json!({}), (400, 107)),
        ("refresh", json!({}), (400, 107)),
        ("presence", json!({}), (400, 107)),
        ("presence", json!({ "channel": "none" }), (404, 102)),
        ("presence_stats", json!({ "channel": "none" }), (404, 102)),
        ("history", json!({ "channel": "none" }), (404, 102)),
        ("history_remove", json!({ "channel": "none" }), (404, 102)),
        ("channels", json!([]), (400, 107)),
    ] {
        assert_eq!(world.refused(method, body.clone()).await, refused, "{method} {body}");
    }
    world.done("publish", json!({ "channel": "news", "data": "first", "idempotency_key": "x".repeat(128) })).await;
    let heard = alice.push("news", "pub").await;
    assert_eq!((&heard["data"], &heard["offset"]), (&json!("first"), &json!(1)), "nothing came before it");
}

#[tokio::test]
async fn a_body_is_one_json_object() {
    let world = World::begin().await;
    for body in [
        "",
        "x",
        "{",
        r#"{"channel":"news","data":1}{}"#,
        r#"{"channel":"news","channel":"news","data":1}"#,
        r#"{"channel":"news","data":{]}}"#,
        r#"["news",[],1,null,false,""]"#,
    ] {
        let reply = world.send("publish", body, "").await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!(107)), "{body}: {reply:?}");
        assert!(!reply.text().contains("struct"), "{reply:?}");
    }
    let most = 256 * 1024;
    let good = r#"{"channel":"news","data":1}"#;
    let padded = |bytes: usize| format!("{good}{}", " ".repeat(bytes - good.len()));
    let reply = world.send("publish", &padded(most + 1), "").await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "too_large"));
    for body in [padded(most).as_str(), r#" {"channel":"news","data":1,"tags":{},"unknown":7} "#] {
        let reply = world.send("publish", body, "").await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

#[tokio::test]
async fn an_error_is_bare_for_those_who_ask_for_it() {
    let world = World::begin().await;
    let body = r#"{"channel":"none","data":1}"#;
    let error = json!({ "code": 102, "message": "there is no namespace for this channel" });
    for (header, answer) in [
        ("", json!({ "error": error })),
        ("x-centrifugo-error-mode: reply\r\n", json!({ "error": error })),
        ("x-centrifugo-error-mode: transport\r\n", error.clone()),
    ] {
        let reply = world.send("publish", body, header).await;
        assert_eq!((reply.status, reply.json()), (404, answer), "{header}");
    }
    let good = r#"{"channel":"news","data":1}"#;
    let reply = world.send("publish", good, "x-centrifugo-error-mode: transport\r\n").await;
    assert_eq!((reply.status, &reply.json()["result"]["offset"]), (200, &json!(1)));
}

#[tokio::test]
async fn there_is_no_other_method_and_no_other_verb() {
    let world = World::begin().await;
    for method in ["rpc", "map_publish", "Publish", "publish/", ""] {
        let reply = world.ask(method, &json!({})).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{method}");
    }
    let request =
        format!("GET /api/publish HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nx-api-key: {}\r\n\r\n", world.key);
    let reply = crate::harness::http::exchange(world.server.address, request.as_bytes()).await;
    assert_eq!((reply.status, reply.code().as_str(), reply.header("allow")), (405, "method", Some("POST")));
    let result: Value = world.done("publish", json!({ "channel": "news", "data": 1 })).await;
    assert_eq!(result["offset"], 1);
}
