//! The same protocol where no WebSocket gets through: server-sent events, and an answer that does not end.
//!
//! What channels do is tested over WebSockets. Here stands what is different: how a connection begins, how it is spoken
//! to, how it ends, and that nothing else is.

mod door;
mod emulation;
mod endings;
mod listener;

use std::cell::Cell;

use serde_json::{Value, json};

use self::listener::{Listener, Way, connect};
use super::cuts::{Random, seed};
use super::{enter, setup};
use crate::harness::application::SECRET;
use crate::harness::token::own;
use crate::harness::wait::until;
use crate::harness::{Application, Server, Setup};

const FALLBACKS: &str = r#"
[endpoint.many]
sse = "/many/sse"
http_stream = "/many/http_stream"

[endpoint.open]
sse = "/open/sse"
http_stream = "/open/http_stream"

[endpoint.hasty]
sse = "/hasty/sse"
http_stream = "/hasty/http_stream"

[endpoint.slow]
sse = "/slow/sse"
http_stream = "/slow/http_stream"

[endpoint.small]
sse = "/small/sse"
http_stream = "/small/http_stream"

[endpoint.listed]
kind = "channels"
path = "/listed"
origins = ["https://app.example.com"]
credentials = ["cookie:token", "query:token"]
sse = "/listed/sse"
http_stream = "/listed/http_stream"

[endpoint.strict]
kind = "channels"
path = "/strict"
profile = "strict"
credentials = ["query:token"]
sse = "/strict/sse"
http_stream = "/strict/http_stream"

[profile.strict]
refusal = "http"
"#;

fn with_fallbacks() -> Setup {
    setup().over(FALLBACKS)
}

async fn begin() -> Server {
    with_fallbacks().start().await
}

/// Who is in a channel, by the word of somebody who is not.
async fn users_in(server: &Server, channel: &str) -> Vec<String> {
    let mut asker = enter(server, "asker").await;
    let there = asker.result("presence", json!({ "channel": channel })).await;
    let users = there["presence"].as_object().expect("an object").values();
    let mut users: Vec<String> = users.map(|info| info["user"].as_str().expect("a user").to_owned()).collect();
    users.sort();
    users
}

/// Waits until exactly these are in a channel.
async fn are_in(server: &Server, channel: &str, users: &[&str]) {
    until("those who are left", async || {
        let there = users_in(server, channel).await;
        if there == users { Ok(()) } else { Err(format!("{there:?}")) }
    })
    .await;
}

#[tokio::test]
async fn channels_work_as_over_a_websocket() {
    let server = begin().await;
    for way in Way::BOTH {
        let mut ann = Listener::open(&server, way, "/many", &connect(&own("ann"))).await;
        let connected = ann.connected().await;
        assert_eq!((&connected["ping"], &connected["pong"]), (&json!(25), &json!(true)), "{connected}");
        assert_eq!((ann.session.len(), ann.node.is_empty()), (32, false), "{connected}");
        for (name, value) in [
            ("content-type", if way == Way::Sse { "text/event-stream" } else { "application/x-ndjson" }),
            ("cache-control", "no-store, no-transform"),
            ("x-accel-buffering", "no"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(ann.head.header(name), Some(value), "{way:?}: {:?}", ann.head);
        }
        let mut bob = enter(&server, "bob").await;
        let room = format!("chat:{}", way as u8 + 1);
        ann.subscribe(&room).await;
        bob.subscribe(&room).await;
        bob.publish(&room, json!({ "from": "bob\r\n" })).await;
        let said = json!({ "channel": room, "data": { "from": "ann" } });
        assert_eq!(ann.result("publish", said).await, json!({}));
        for data in [json!({ "from": "bob\r\n" }), json!({ "from": "ann" })] {
            assert_eq!(ann.data().await, data);
            assert_eq!(bob.data().await, data);
        }
        // JSON may hold a line end between its tokens, which ends a line of an event, too.
        bob.say(&format!("{{\"id\":9,\"publish\":{{\"channel\":\"{room}\",\"data\":[1,\r2]}}}}")).await;
        assert_eq!(ann.data().await, json!([1, 2]), "{way:?}");
        let history = ann.result("history", json!({ "channel": room, "limit": 10 })).await;
        assert_eq!(history["publications"].as_array().map(Vec::len), Some(3), "{history}");
        assert_eq!(users_in(&server, "square:a").await, [] as [&str; 0]);
        // Several commands in one request are answered one by one.
        ann.say("{\"id\":100,\"presence_stats\":{\"channel\":\"square:a\"}}\n{\"id\":101,\"rpc\":{\"method\":\"x\"}}")
            .await;
        assert_eq!([ann.line().await["id"].clone(), ann.line().await["id"].clone()], [json!(100), json!(101)]);
    }
    let mut by_socket = enter(&server, "ann").await;
    by_socket.subscribe("chat:1").await;
    let mut over = super::client::Client::open(&server, "/many").await;
    let connected = over.connect(&own("ann")).await;
    assert_eq!((connected.get("session"), connected.get("node")), (None, None), "a WebSocket needs neither");
}

#[tokio::test]
async fn what_was_missed_is_recovered_over_another_way() {
    let server = begin().await;
    let mut bob = enter(&server, "bob").await;
    bob.subscribe("chat:1").await;
    bob.publish("chat:1", json!(1)).await;
    let mut ann = Listener::enter(&server, Way::HttpStream, "/many", "ann").await;
    let position = ann.subscribe("chat:1").await;
    drop(ann);
    bob.publish("chat:1", json!(2)).await;
    bob.publish("chat:1", json!(3)).await;
    let mut again = Listener::enter(&server, Way::Sse, "/many", "ann").await;
    let wish = json!({ "channel": "chat:1", "recover": true, "offset": 1, "epoch": position["epoch"] });
    let recovered = again.result("subscribe", wish).await;
    assert_eq!(recovered["recovered"], true, "{recovered}");
    let missed: Vec<&Value> =
        recovered["publications"].as_array().expect("a list").iter().map(|p| &p["data"]).collect();
    assert_eq!(missed, [&json!(2), &json!(3)]);
}

/// A client that is cut wherever it was, while others speak, and comes back by the other way with all it had in one request.
#[tokio::test]
async fn cuts_at_any_moment_lose_nothing_and_double_nothing() {
    const MESSAGES: u64 = 1_000;
    let random = Random(Cell::new(seed()));
    let limits = "[limits]\npublications_per_answer = 10000\nmessages_per_second = 100000\nmessages_burst = 100000\n";
    let rates = "connects_per_second_per_address = 100000\nconnects_burst_per_address = 100000\n";
    let server = with_fallbacks().over(&format!("{limits}{rates}")).start().await;
    let mut publisher = enter(&server, "publisher").await;
    let publish = async {
        for n in 1..=MESSAGES {
            publisher.result("publish", json!({ "channel": "log:cut", "data": n })).await;
        }
    };
    let listen = async {
        let (mut heard, mut epoch, mut cuts) = (0, String::new(), 0);
        while heard < MESSAGES {
            let wish = json!({ "channel": "log:cut", "recover": true, "offset": heard, "epoch": epoch });
            let subscribe = json!({ "id": 2, "subscribe": wish });
            let first = format!("{}\n{subscribe}", connect(&own("ann")));
            let mut ann = Listener::open(&server, Way::BOTH[cuts % 2], "/many", &first).await;
            ann.connected().await;
            let line = ann.line().await;
            assert_eq!(line["subscribe"]["recovered"], true, "cut {cuts}: {line}");
            epoch = line["subscribe"]["epoch"].as_str().expect("an epoch").to_owned();
            let missed = line["subscribe"]["publications"].as_array().cloned().unwrap_or_default();
            for said in &missed {
                heard += 1;
                assert_eq!((&said["data"], &said["offset"]), (&json!(heard), &json!(heard)), "cut {cuts}");
            }
            for _ in 0..random.below(40) {
                if heard == MESSAGES {
                    break;
                }
                heard += 1;
                assert_eq!(ann.data().await, heard, "cut {cuts}");
            }
            cuts += 1;
        }
        cuts
    };
    let ((), cuts) = tokio::join!(publish, listen);
    assert!(cuts > 20, "it was cut {cuts} times");
    are_in(&server, "square:a", &[]).await;
}

#[tokio::test]
async fn pings_are_answered_by_requests() {
    let server = with_fallbacks().over("[limits]\nping_interval = \"2s\"\npong_timeout = \"2s\"\n").start().await;
    let mut lively = Listener::enter(&server, Way::Sse, "/many", "ann").await;
    let mut silent = Listener::enter(&server, Way::HttpStream, "/many", "bob").await;
    silent.subscribe("square:a").await;
    for _ in 0..2 {
        assert_eq!(lively.line().await, json!({}), "a ping");
        lively.say("{}").await;
    }
    assert_eq!(silent.push().await["join"]["info"]["user"], "bob");
    assert_eq!(silent.line().await, json!({}));
    assert_eq!(silent.told().await, super::told(3012, "no pong"));
    are_in(&server, "square:a", &[]).await;
    lively.hears_nothing("whoever answers stays").await;
    lively.say("{}\n{}").await;
    assert_eq!(lively.told().await, super::bad_request(), "a pong that nobody asked for");
}

#[tokio::test]
async fn the_application_is_told_how_a_client_came() {
    let application = Application::bind().await;
    let source = format!("[source.app]\nurl = \"{}\"\nsecret_env = \"APP_SECRET\"\n", application.url());
    let asks = "[endpoint.many]\non_rpc = \"app\"\n";
    let server = with_fallbacks().over(&source).over(asks).variable("APP_SECRET", SECRET).start().await;
    for way in Way::BOTH {
        let mut ann = Listener::enter(&server, way, "/many", "ann").await;
        let call = async {
            let call = application.call().await;
            let question = call.body.clone();
            call.answer(200, "{}").await;
            question
        };
        let (question, reply) = tokio::join!(call, ann.ask("rpc", json!({ "method": "x" })));
        assert_eq!((&question["transport"], &question["protocol"]), (&json!(way.name()), &json!("json")));
        assert_eq!(reply, json!({ "rpc": {} }));
    }
}

#[tokio::test]
async fn connections_are_counted_by_the_way_they_came() {
    let server = begin().await;
    let _socket = enter(&server, "ann").await;
    let _events = Listener::enter(&server, Way::Sse, "/many", "ann").await;
    let streams = Listener::enter(&server, Way::HttpStream, "/many", "ann").await;
    let metrics = server.metrics().await;
    let of = |name: &str, way: &str| metrics.value(name, &[("endpoint", "many"), ("transport", way)]);
    assert_eq!(metrics.value("lychgate_connections", &[("endpoint", "many")]), 3);
    for way in ["sse", "http_stream"] {
        assert_eq!(of("lychgate_fallback_connections", way), 1, "{way}");
        assert_eq!(of("lychgate_fallback_connects_total", way), 1, "{way}");
    }
    drop(streams);
    until("the one that went to be counted out", async || {
        let metrics = server.metrics().await;
        let open = metrics.value("lychgate_fallback_connections", &[("transport", "http_stream")]);
        let all = metrics.value("lychgate_connections", &[("endpoint", "many")]);
        if (open, all) == (0, 2) { Ok(()) } else { Err(format!("{open} of {all}")) }
    })
    .await;
}
