//! Many who come and go at once, told to an application that is slow, fails and hangs up at random.
//!
//! The moments come from a seed, which is printed; `LYCHGATE_SEED` sets it.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::application::{Answer, Told, open};
use super::{client, plain, setup};
use crate::channels::cuts::{Random, seed};

const CONNECTIONS: u64 = 20;
const TURNS: u64 = 25;
const CLIENTS: u64 = 50;
const STEPS: u64 = 20;
const ROOMS: u64 = 3;

/// Takes about two of three calls; of the others it has heard some as well.
fn whimsical(seed: u64) -> impl FnMut() -> Answer + Send {
    let random = Random(Cell::new(seed));
    move || match random.below(9) {
        0 => None,
        1 => Some((500, "{}")),
        2 => Some((429, "later")),
        3 => Some((204, "")),
        4 => Some((200, "thank you")),
        _ => Some((200, "{}")),
    }
}

#[tokio::test]
async fn five_hundred_turns_of_one_user_arrive_in_order_and_whole() {
    let seed = seed();
    let told = Told::answering(whimsical(seed)).await;
    let server = setup(&told).over("[events]\nbatch_max = 80\n").start().await;
    let random = Random(Cell::new(seed ^ 1));
    let turns = (0..CONNECTIONS).map(async |number| {
        for _ in 0..TURNS {
            let goes = random.below(3);
            if number % 2 == 0 {
                let wire = plain(&server, 1, "ann").await;
                // Else it is gone without a word.
                if goes > 0 {
                    wire.leave().await;
                }
            } else {
                let (mut client, _) = client(&server, "ann").await;
                client.subscribe("told:2").await;
                if goes > 0 {
                    client.leave().await;
                }
            }
        }
    });
    join_all(turns).await;
    let ended = |events: &[Value]| events.iter().filter(|event| event["event"] == "disconnected").count() as u64;
    let events = told.knows("all of them to be gone", |events| ended(events) == CONNECTIONS * TURNS).await;
    assert_eq!(open(&events), BTreeSet::new(), "everybody has come before they went, once each");
    let mut online = 0_i64;
    for event in &events {
        online += match event["event"].as_str() {
            Some("connected") => 1,
            Some("disconnected") => -1,
            _ => 0,
        };
        assert!((0..=CONNECTIONS as i64 * 2).contains(&online), "{online} at {event}");
    }
    assert_eq!(online, 0);
    let reasons: BTreeSet<_> = events.iter().filter_map(|event| event.get("reason")?.as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["broken", "client"]));
    assert!((2..=80).contains(&told.largest_call()), "{} in one call", told.largest_call());
    let figures = server.metrics().await;
    assert!(figures.value("lychgate_event_calls_total", &[("outcome", "failed")]) > 0, "the application has failed");
    assert_eq!(figures.value("lychgate_events_total", &[("outcome", "dropped")]), 0);
}

#[tokio::test]
async fn channels_are_occupied_and_empty_in_turn_whoever_comes_and_goes() {
    let seed = seed();
    let told = Told::answering(whimsical(seed)).await;
    let server = setup(&told).start().await;
    let random = Random(Cell::new(seed ^ 2));
    let guests = (0..CLIENTS).map(async |number| {
        let (mut client, _) = client(&server, &format!("user-{number}")).await;
        let mut held = BTreeSet::new();
        for _ in 0..STEPS {
            let channel = format!("told:{}", random.below(ROOMS));
            if held.remove(&channel) {
                client.result("unsubscribe", json!({ "channel": channel })).await;
            } else if random.below(4) == 0 {
                plain(&server, random.below(ROOMS) as u32, "passer-by").await.leave().await;
            } else {
                client.subscribe(&channel).await;
                held.insert(channel);
            }
        }
        if random.below(2) == 0 {
            client.leave().await;
        }
    });
    join_all(guests).await;
    let nobody = |events: &[Value]| {
        let came = events.iter().filter(|event| event["event"] == "connected").count() as u64;
        came >= CLIENTS && open(events).is_empty()
    };
    let events = told.knows("everybody to be gone", nobody).await;
    let mut states: HashMap<String, Vec<Value>> = HashMap::new();
    for event in events.iter().filter(|event| event.get("namespace").is_some()) {
        states.entry(event["channel"].to_string()).or_default().push(event["event"].clone());
    }
    assert_eq!(states.len() as u64, ROOMS);
    for (channel, states) in states {
        let mut in_turn = states.iter().zip(["occupied", "empty"].iter().cycle());
        assert!(in_turn.all(|(state, wanted)| state == wanted), "{channel}: {states:?}");
    }
}

#[tokio::test]
async fn an_application_that_is_away_is_told_when_it_is_there() {
    let told = Told::away();
    let (mut server, setup) = setup(&told).start_and_keep().await;
    plain(&server, 1, "ann").await.leave().await;
    server.log().wait_for("a call in vain", |line| line["message"] == "events are not told; it is tried again").await;
    // It stops in good order, and the next one begins with what is left.
    server.process.terminate();
    assert_eq!(server.process.exited().await.code(), Some(0));
    let server = setup.start().await;
    plain(&server, 2, "bob").await.leave().await;
    told.open(|| Some((200, ""))).await;
    let events = told.count(8).await;
    let users: Vec<_> = events.iter().filter_map(|event| event.get("user")).collect();
    assert_eq!(users, ["ann", "ann", "bob", "bob"]);
    assert_eq!(open(&events), BTreeSet::new());
    assert!(events.iter().all(|event| event["reason"] != "server_lost"), "{events:#?}");
}
