//! What one connection may cost.

use serde_json::{Value, json};

use super::client::Client;
use super::{enter, error, server, told};
use crate::harness::wire::{FIN, TEXT, frame};

#[tokio::test]
async fn a_flood_of_commands_is_answered_and_not_done() {
    let server = server().await;
    let mut client = Client::enter(&server, "/slow", "ann").await;
    let flood: Vec<String> = (2..102).map(|id| json!({ "id": id, "rpc": { "method": "x" } }).to_string()).collect();
    client.say(&flood.join("\n")).await;
    let mut refused = Vec::new();
    for id in 2..102 {
        refused.push(client.reply(id).await["error"].take());
    }
    let taken = refused.iter().take_while(|error| error["code"] == 108).count();
    // One for each channel that it may hold, one for the burst, less the connect; and what has grown back meanwhile.
    assert!((8..20).contains(&taken), "{taken} were taken");
    let too_many = json!({ "code": 111, "message": "too many requests", "temporary": true });
    assert_eq!(refused.last(), Some(&too_many), "{refused:?}");
    let counted =
        server.metrics().await.value("lychgate_messages_refused_total", &[("endpoint", "slow"), ("reason", "rate")]);
    assert_eq!(counted, refused.iter().filter(|error| error["code"] == 111).count() as u64);
    let mut other = enter(&server, "ann").await;
    for _ in 0..50 {
        other.hears_nothing("elsewhere so many are no flood").await;
    }
}

#[tokio::test]
async fn a_flood_that_has_no_reply_or_no_session_ends() {
    let server = server().await;
    let mut client = Client::open(&server, "/slow").await;
    client.say(&vec!["{}"; 50].join("\n")).await;
    assert_eq!(client.closed().await, super::bad_request(), "a pong that nobody asked for");
}

#[tokio::test]
async fn a_message_has_a_size() {
    let server = server().await;
    let mut client = Client::enter(&server, "/small", "ann").await;
    let of_length = |length: usize| {
        let empty = json!({ "id": 9, "publish": { "channel": "square:a", "data": "" } }).to_string();
        let data = "x".repeat(length - empty.len());
        json!({ "id": 9, "publish": { "channel": "square:a", "data": data } }).to_string()
    };
    client.say(&of_length(1_024)).await;
    assert_eq!(client.reply(9).await, json!({ "publish": {} }));
    client.say(&of_length(1_025)).await;
    assert_eq!(client.closed().await, told(1009, "message too big"));
}

#[tokio::test]
async fn a_connection_holds_so_many_channels() {
    let server = server().await;
    let mut client = Client::enter(&server, "/open", "ann").await;
    for n in 0..8 {
        client.subscribe(&format!("news:{n}")).await;
    }
    assert_eq!(client.ask("subscribe", json!({ "channel": "news:8" })).await, error(106, "limit exceeded"));
    client.result("unsubscribe", json!({ "channel": "news:0" })).await;
    assert_eq!(client.subscribe("news:8").await, json!({}));
    assert_eq!(client.ask("subscribe", json!({ "channel": "news:0" })).await["error"]["code"], 106);
}

#[tokio::test]
async fn a_channel_has_so_many_subscribers_and_publications_so_many_bytes() {
    let limits = "[namespace.square]\nsubscribers_max = 2\npublication_bytes_max = 7\n";
    let server = super::setup().over(limits).start().await;
    let full = error(106, "limit exceeded");
    let mut ann = enter(&server, "ann").await;
    let mut bob = enter(&server, "bob").await;
    let mut cleo = enter(&server, "cleo").await;
    let square = json!({ "channel": "square:a" });
    for client in [&mut ann, &mut bob] {
        client.result("subscribe", square.clone()).await;
    }
    assert_eq!(cleo.ask("subscribe", square.clone()).await, full);
    assert_eq!(cleo.subscribe("square:b").await["error"], Value::Null, "another channel has room of its own");
    ann.result("unsubscribe", square.clone()).await;
    cleo.result("subscribe", square.clone()).await;
    assert_eq!(ann.ask("subscribe", square).await, full);
    for (data, refused) in [("12345", false), ("123456", true)] {
        let publish = json!({ "channel": "square:a", "data": data });
        let answer = cleo.ask("publish", publish).await;
        assert_eq!(answer == full, refused, "{data}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_holds_so_many_publications() {
    let server = super::setup().over("[limits]\npublications_per_answer = 4\n").start().await;
    let mut client = enter(&server, "ann").await;
    let epoch = client.result("subscribe", json!({ "channel": "chat:1", "positioned": true })).await["epoch"].take();
    for n in 1..=5 {
        client.publish("chat:1", json!(n)).await;
    }
    let page = client.result("history", json!({ "channel": "chat:1", "limit": -1 })).await;
    assert_eq!(page["publications"].as_array().map(Vec::len), Some(4), "{page}");
    let mut other = enter(&server, "bob").await;
    for (offset, is_recovered) in [(0, Value::Null), (1, json!(true))] {
        let back = json!({ "channel": "chat:1", "recover": true, "epoch": epoch, "offset": offset });
        let result = other.result("subscribe", back).await;
        assert_eq!(result["recovered"], is_recovered, "{result}");
        other.result("unsubscribe", json!({ "channel": "chat:1" })).await;
    }
}

/// What others keep or who is there must not make somebody a slow reader who only asked.
#[tokio::test]
async fn an_answer_has_a_size_as_well() {
    let server =
        super::setup().over("[limits]\nmessage_bytes_max = \"8KiB\"\nqueue_bytes_max = \"64KiB\"\n").start().await;
    let mut client = enter(&server, "ann").await;
    let epoch = client.result("subscribe", json!({ "channel": "chat:1", "positioned": true })).await["epoch"].take();
    for _ in 0..8 {
        client.publish("chat:1", json!("x".repeat(4_000))).await;
        client.push().await;
    }
    let page = client.result("history", json!({ "channel": "chat:1", "limit": -1 })).await;
    assert_eq!(page["publications"].as_array().map(Vec::len), Some(3), "a quarter of the queue");
    let rest = client.result("history", json!({ "channel": "chat:1", "limit": -1, "since": { "offset": 6 } })).await;
    assert_eq!(rest["publications"].as_array().map(Vec::len), Some(2), "whoever asks from there gets the rest");
    let mut other = enter(&server, "bob").await;
    for (offset, is_recovered) in [(0, Value::Null), (5, json!(true))] {
        let back = json!({ "channel": "chat:1", "recover": true, "epoch": epoch, "offset": offset });
        let result = other.result("subscribe", back).await;
        assert_eq!(result["recovered"], is_recovered, "from {offset}");
        other.result("unsubscribe", json!({ "channel": "chat:1" })).await;
    }
    let info = format!("\"{}\"", "x".repeat(5_000));
    let mut all = Vec::new();
    for n in 0..4 {
        let who = Client::enter_with(&server, "/many", &super::signed(&[("info", &info)])).await;
        all.push(who);
        all[n].subscribe("square:a").await;
        let there = client.ask("presence", json!({ "channel": "square:a" })).await;
        assert_eq!(there["error"]["code"].as_u64(), (n == 3).then_some(106), "{n}");
    }
    let stats = client.result("presence_stats", json!({ "channel": "square:a" })).await;
    assert_eq!(stats["num_clients"], 4, "how many they are is always told");
}

#[tokio::test]
async fn whoever_reads_may_ask_for_more_than_the_queue_holds() {
    let server =
        super::setup().over("[limits]\nmessage_bytes_max = \"8KiB\"\nqueue_bytes_max = \"64KiB\"\n").start().await;
    let mut client = enter(&server, "ann").await;
    for _ in 0..3 {
        client.publish("square:a", json!("x".repeat(4_000))).await;
    }
    let ask = |id: u64| json!({ "id": id, "history": { "channel": "square:a", "limit": -1 } }).to_string();
    let all: Vec<String> = (100..140).map(ask).collect();
    client.say(&all.join("\n")).await;
    // The same in messages of their own, which are read at once.
    let frames: Vec<u8> = (140..180).flat_map(|id| frame(FIN | TEXT, ask(id).as_bytes())).collect();
    client.wire.write(&frames).await;
    for id in 100..180 {
        let page = client.reply(id).await;
        assert_eq!(page["history"]["publications"].as_array().map(Vec::len), Some(3), "{id}");
    }
}
