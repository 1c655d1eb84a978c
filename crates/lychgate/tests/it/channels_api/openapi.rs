//! The description of the HTTP API says what the server does: every operation of `docs/reference/openapi.json` is sent as
//! its example has it, and there is no other.

use std::collections::BTreeSet;

use lychgate_gateway::http::api::channels::method_names;
use serde_json::Value;

use super::{World, key};
use crate::harness::http;

const PAGE: &str = include_str!("../../../../../docs/reference/openapi.json");

/// Verbs and paths of the registry, in an order in which each finds what it needs.
const REGISTRY: [(&str, &str); 7] = [
    ("put", "/resources/{name}"),
    ("get", "/resources/{name}"),
    ("get", "/resources"),
    ("put", "/resources/{name}/members/{user}"),
    ("get", "/resources/{name}/members"),
    ("delete", "/resources/{name}/members/{user}"),
    ("delete", "/resources/{name}"),
];

fn page() -> Value {
    serde_json::from_str(PAGE).expect("JSON")
}

#[test]
fn every_operation_is_described_and_no_other() {
    let page = page();
    let described: BTreeSet<(String, String)> = page["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, verbs)| verbs.as_object().expect("verbs").keys().map(|verb| (verb.clone(), path.clone())))
        .collect();
    let methods = method_names().map(|name| ("post".to_owned(), format!("/{name}")));
    let registry = REGISTRY.iter().map(|(verb, path)| ((*verb).to_owned(), (*path).to_owned()));
    assert_eq!(described, methods.chain(registry).collect());
    assert_eq!(page["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn what_is_described_is_what_happens() {
    let (world, page) = (World::begin().await, page());
    let scopes = ["registry:read", "registry:write", "channels:publish", "channels:read", "channels:manage"];
    let all = key(&world.setup, "everything", &scopes);
    let methods: Vec<String> = method_names().map(|name| format!("/{name}")).collect();
    let operations = methods.iter().map(|path| ("post", path.as_str())).chain(REGISTRY);
    for (verb, path) in operations {
        let operation = &page["paths"][path][verb];
        let scope = operation["security"][0]["bearer"][0].as_str().expect("a scope");
        let others: Vec<&str> = scopes.iter().copied().filter(|other| *other != scope && path != "/batch").collect();
        let body = &operation["requestBody"]["content"]["application/json"]["example"];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let target = path.replace("{name}", "entry:1").replace("{user}", "alice");
        let send = async |key: &str| {
            let head = format!("{} /api{target} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n", verb.to_uppercase());
            let rest = format!("x-api-key: {key}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            http::exchange(world.server.address, format!("{head}{rest}").as_bytes()).await
        };
        if !others.is_empty() {
            let lacking = key(&world.setup, &format!("{verb}:{path}"), &others);
            let reply = send(&lacking).await;
            assert_eq!(reply.status, 403, "{verb} {path}: {reply:?}");
            assert!(reply.text().contains(scope) && !operation["responses"]["403"].is_null(), "{reply:?}");
        }
        let reply = send(&all).await;
        assert!((200..300).contains(&reply.status), "{verb} {path}: {reply:?}");
        let answer = &operation["responses"][reply.status.to_string()];
        assert!(!answer.is_null(), "{verb} {path} answered with {}, which is not described", reply.status);
        let schema = &answer["content"]["application/json"]["schema"];
        if schema.is_null() {
            assert!(reply.body.is_empty(), "{verb} {path}: {reply:?}");
        } else {
            fits(&page, schema, &reply.json(), path);
        }
    }
}

/// Whether an answer has what its description requires, and nothing that is not described.
fn fits(page: &Value, schema: &Value, answer: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(place) => page.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("{place} is nowhere")),
        None => schema,
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(answer.get(name).is_some(), "{at}: {name} is missing in {answer}");
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), answer.as_object()) {
        for (name, value) in fields {
            let schema = properties.get(name).unwrap_or_else(|| panic!("{at}: {name} is not described"));
            fits(page, schema, value, &format!("{at}.{name}"));
        }
    }
    for (name, value) in answer.as_object().into_iter().flatten().filter(|_| !schema["additionalProperties"].is_null())
    {
        fits(page, &schema["additionalProperties"], value, &format!("{at}.{name}"));
    }
    for value in answer.as_array().into_iter().flatten() {
        fits(page, &schema["items"], value, &format!("{at}[]"));
    }
    let is_of = |kind: &str| match kind {
        "string" => answer.is_string(),
        "integer" => answer.is_u64(),
        "object" => answer.is_object(),
        "array" => answer.is_array(),
        "null" => answer.is_null(),
        _ => true,
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    assert!(kinds.is_empty() || kinds.iter().any(|kind| is_of(kind)), "{at}: {answer} is none of {kinds:?}");
}
