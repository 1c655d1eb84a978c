//! Who is in a channel, and who comes and goes.

use serde_json::{Value, json};

use super::client::Client;
use super::{enter, error, server, signed};
use crate::harness::token::own;

#[tokio::test]
async fn everybody_who_is_there_is_listed_and_nobody_else() {
    let server = server().await;
    let stats = json!({ "channel": "chat:1" });
    let mut names = Vec::new();
    let mut all = Vec::new();
    for sub in ["ann", "ann", "bob"] {
        let mut client = Client::open(&server, "/many").await;
        names.push((client.connect(&own(sub)).await["client"].as_str().expect("an id").to_owned(), sub));
        client.subscribe("chat:1").await;
        all.push(client);
    }
    let there = all[0].result("presence", stats.clone()).await;
    let listed = there["presence"].as_object().expect("a map");
    assert_eq!(listed.len(), 3);
    for (client, sub) in &names {
        assert_eq!(listed[client], json!({ "user": sub, "client": client }));
    }
    assert_eq!(all[0].result("presence_stats", stats.clone()).await, json!({ "num_clients": 3, "num_users": 2 }));
    all[1].result("unsubscribe", stats.clone()).await;
    assert_eq!(all[0].result("presence_stats", stats.clone()).await, json!({ "num_clients": 2, "num_users": 2 }));
    assert_eq!(all[1].ask("presence_stats", stats).await, error(103, "permission denied"), "she has left");
}

#[tokio::test]
async fn presence_is_for_whom_the_namespace_names() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    for method in ["presence", "presence_stats"] {
        for (channel, code) in
            [("chat:1", 103), ("sealed:a", 103), ("news:a", 108), ("room:1", 108), ("other:1", 102), ("chat:x", 107)]
        {
            assert_eq!(
                ann.ask(method, json!({ "channel": channel })).await["error"]["code"],
                code,
                "{method} {channel}"
            );
        }
    }
    for channel in ["chat:1", "sealed:a", "news:a"] {
        ann.subscribe(channel).await;
    }
    assert_eq!(ann.ask("presence", json!({ "channel": "sealed:a" })).await, error(103, "permission denied"));
    assert_eq!(ann.ask("presence", json!({ "channel": "news:a" })).await, error(108, "not available"));
    ann.result("presence", json!({ "channel": "chat:1" })).await;
    let empty = json!({ "channel": "square:empty" });
    assert_eq!(ann.result("presence", empty.clone()).await, json!({ "presence": {} }));
    assert_eq!(
        ann.result("presence_stats", empty).await,
        json!({ "num_clients": 0, "num_users": 0 }),
        "zeros are written"
    );
}

#[tokio::test]
async fn who_comes_and_goes_is_told_to_those_who_asked() {
    let server = server().await;
    let mut asked = enter(&server, "ann").await;
    asked.result("subscribe", json!({ "channel": "chat:1", "join_leave": true })).await;
    assert_eq!(asked.push().await["join"]["info"]["user"], "ann", "of oneself, too");
    let mut silent = enter(&server, "cleo").await;
    silent.subscribe("chat:1").await;
    assert_eq!(asked.push().await["join"]["info"]["user"], "cleo");
    let mut bob = Client::open(&server, "/many").await;
    let token = signed(&[("sub", r#""bob""#), ("info", r#"{"name":"Bob"}"#)]);
    let client = bob.connect(&token).await["client"].take();
    bob.subscribe("chat:1").await;
    let info = json!({ "user": "bob", "client": client, "conn_info": { "name": "Bob" } });
    assert_eq!(asked.push().await, json!({ "channel": "chat:1", "join": { "info": info } }));
    bob.result("unsubscribe", json!({ "channel": "chat:1" })).await;
    assert_eq!(asked.push().await, json!({ "channel": "chat:1", "leave": { "info": info } }));
    silent.hears_nothing("she has not asked").await;
    silent.subscribe("news:a").await;
    bob.result("subscribe", json!({ "channel": "news:a", "join_leave": true })).await;
    bob.hears_nothing("there it is told to nobody").await;
    let mut always = enter(&server, "dan").await;
    always.subscribe("square:a").await;
    assert_eq!(always.push().await["join"]["info"]["user"], "dan", "there it is told to everybody");
}

#[tokio::test]
async fn a_visitor_is_there_without_a_name() {
    let server = super::setup().over("[namespace.square.policy]\nanonymous = true\n").start().await;
    let mut visitor = Client::open(&server, "/open").await;
    let client = visitor.result("connect", json!({})).await["client"].take();
    visitor.subscribe("square:a").await;
    let there = visitor.result("presence", json!({ "channel": "square:a" })).await;
    let listed = &there["presence"][client.as_str().expect("an id")];
    assert_eq!(listed, &json!({ "user": "", "client": client }), "also an empty user is written");
    visitor.publish("square:a", json!(1)).await;
    let join = visitor.push().await;
    assert_eq!(join["join"]["info"]["user"], "");
    assert_eq!(visitor.push().await["pub"]["info"]["user"], "");
    let mut ann = enter(&server, "ann").await;
    assert_eq!(ann.subscribe("square:a").await["positioned"], true);
    assert_eq!(ann.push().await["join"]["info"]["user"], "ann");
    assert_eq!(visitor.push().await["join"]["info"]["conn_info"], Value::Null);
}
