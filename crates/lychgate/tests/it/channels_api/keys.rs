//! Keys: who may use the API, and for what.

use serde_json::json;

use super::{SCOPES, World, key};

/// Each method with a body that is in order, and the scope that it needs.
const METHODS: [(&str, &str, &str); 12] = [
    ("publish", r#"{"channel":"news","data":1}"#, "channels:publish"),
    ("broadcast", r#"{"channels":["news"],"data":1}"#, "channels:publish"),
    ("presence", r#"{"channel":"chat:5"}"#, "channels:read"),
    ("presence_stats", r#"{"channel":"chat:5"}"#, "channels:read"),
    ("history", r#"{"channel":"news"}"#, "channels:read"),
    ("channels", "{}", "channels:read"),
    ("info", "{}", "channels:read"),
    ("subscribe", r#"{"user":"alice","channel":"news"}"#, "channels:manage"),
    ("unsubscribe", r#"{"user":"alice","channel":"news"}"#, "channels:manage"),
    ("disconnect", r#"{"user":"alice"}"#, "channels:manage"),
    ("refresh", r#"{"user":"alice"}"#, "channels:manage"),
    ("history_remove", r#"{"channel":"news"}"#, "channels:manage"),
];

#[tokio::test]
async fn a_key_is_good_for_its_scopes_alone() {
    let world = World::begin().await;
    let keys: Vec<(&str, String)> = SCOPES.iter().map(|scope| (*scope, key(&world.setup, scope, &[scope]))).collect();
    let registry = key(&world.setup, "registry", &["registry:read", "registry:write"]);
    for (method, body, needed) in METHODS {
        for (scope, key) in &keys {
            let reply = world.send_with(method, body, &format!("x-api-key: {key}\r\n")).await;
            if *scope == needed {
                assert_eq!(reply.status, 200, "{method} by {scope}: {reply:?}");
            } else {
                assert_eq!((reply.status, reply.code().as_str()), (403, "missing_scope"), "{method} by {scope}");
                assert_eq!(reply.json()["detail"], format!("This API key lacks the scope {needed}."));
            }
        }
        let reply = world.send_with(method, body, &format!("x-api-key: {registry}\r\n")).await;
        assert_eq!(reply.status, 403, "{method}: {reply:?}");
    }
    let reply = world.send_with("batch", r#"{"commands":[]}"#, &format!("x-api-key: {registry}\r\n")).await;
    assert_eq!(reply.status, 403, "{reply:?}");
}

#[tokio::test]
async fn nothing_is_done_without_a_key() {
    let world = World::begin().await;
    let bad = format!("lgk_{}", "A".repeat(43));
    for (method, body, _) in METHODS {
        let reply = world.send_with(method, body, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "missing"), "{method}");
    }
    for header in [format!("x-api-key: {bad}\r\n"), "authorization: apikey x\r\n".to_owned()] {
        let reply = world.send_with("publish", r#"{"channel":"news","data":1}"#, &header).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "invalid"), "{header}");
    }
    let page = world.done("history", json!({ "channel": "news", "limit": 10 })).await;
    assert_eq!(page["offset"], 0, "nothing was published: {page}");
}

#[tokio::test]
async fn a_key_is_shown_as_libraries_show_it() {
    let world = World::begin().await;
    let body = r#"{"channel":"news","data":1}"#;
    let shown = |header: &str| format!("{header} {}\r\n", world.key);
    for header in ["x-api-key:", "authorization: Bearer", "authorization: apikey", "Authorization: APIKEY"] {
        assert_eq!(world.send_with("publish", body, &shown(header)).await.status, 200, "{header}");
    }
    let both = format!("{}{}", shown("x-api-key:"), shown("authorization: apikey"));
    let reply = world.send_with("publish", body, &both).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "two_keys"));
    for header in ["authorization: Basic", "x-other:"] {
        assert_eq!(world.send_with("publish", body, &shown(header)).await.code(), "missing", "{header}");
    }
    let in_query = format!("publish?api_key={}", world.key);
    assert_eq!(world.send_with(&in_query, body, "").await.code(), "missing", "a query is no place for a key");
}
