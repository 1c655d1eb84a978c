//! A server that is killed leaves nobody online for ever, and one that is stopped nobody at all.

use std::collections::BTreeSet;

use super::application::{Told, open};
use super::{client, plain, setup};
use crate::harness::wait::until;

#[tokio::test]
async fn what_a_killed_server_has_left_open_is_closed_by_the_next_one_and_nothing_else() {
    let told = Told::begin().await;
    let (mut server, setup) = setup(&told).start_and_keep().await;
    let gone = plain(&server, 3, "gone").await;
    gone.leave().await;
    let ann = plain(&server, 1, "ann").await;
    let (mut bob, _) = client(&server, "bob").await;
    bob.subscribe("told:1").await;
    bob.subscribe("told:2").await;
    // gone came and went with its channel; ann, told:1, bob, told:2.
    let before = told.count(8).await;
    let left = open(&before);
    assert_eq!(left.len(), 4);
    server.process.kill();
    server.process.exited().await;
    drop((ann, bob));

    let server = setup.start().await;
    let cleo = plain(&server, 1, "cleo").await;
    let events = told.count(14).await;
    let ends = &events[8..12];
    assert_eq!(open(&events[..12]), BTreeSet::new());
    for event in ends {
        assert_eq!(event["reason"], "server_lost", "{event}");
    }
    let users: Vec<_> = ends.iter().filter_map(|event| event["user"].as_str()).collect();
    assert_eq!(BTreeSet::from_iter(users), BTreeSet::from(["ann", "bob"]));
    assert_eq!((&events[12]["event"], &events[12]["user"]), (&"connected".into(), &"cleo".into()));
    assert_eq!(events[13]["channel"], "told:1", "it is occupied anew");
    cleo.leave().await;
    assert_eq!(open(&told.count(16).await), BTreeSet::new());
}

#[tokio::test]
async fn ten_kills_leave_no_hole_and_nothing_open() {
    let told = Told::begin().await;
    let mut setup = setup(&told);
    for life in 0..10_u64 {
        let (mut server, kept) = setup.start_and_keep().await;
        setup = kept;
        let mut guests = Vec::new();
        for guest in 0..5 {
            let (mut client, _) = client(&server, &format!("{life}-{guest}")).await;
            client.subscribe(&format!("told:{guest}")).await;
            guests.push(client);
        }
        // Some of it is told, some is stored, some is neither.
        if life % 2 == 0 {
            guests.pop();
        }
        server.process.kill();
        server.process.exited().await;
        drop(guests);
    }
    let server = setup.start().await;
    let last = plain(&server, 1, "last").await;
    let is_last =
        |events: &[serde_json::Value]| events.iter().any(|event| event["user"] == "last") && open(events).len() == 2;
    told.knows("the last one and its channel alone", is_last).await;
    last.leave().await;
    told.knows("nobody", |events| open(events).is_empty()).await;
}

#[tokio::test]
async fn a_stop_in_good_order_tells_the_end_of_everybody() {
    let told = Told::begin().await;
    let (mut server, setup) = setup(&told).start_and_keep().await;
    let mut wires = Vec::new();
    for guest in 0..10 {
        wires.push(plain(&server, guest % 3, &format!("user-{guest}")).await);
    }
    let (bob, _) = client(&server, "bob").await;
    told.knows("everybody", |events| open(events).len() == 14).await;
    server.process.terminate();
    // They do not answer, and are cut.
    assert_eq!(server.process.exited().await.code(), Some(0));
    drop((wires, bob));
    // What was stored and not told any more is told by the next one, and not as lost.
    let server = setup.start().await;
    let events = told.knows("nobody", |events| open(events).is_empty()).await;
    let ends: Vec<_> = events.iter().filter(|event| event["event"] == "disconnected").collect();
    assert_eq!(ends.len(), 11);
    for event in ends {
        assert_eq!((&event["reason"], &event["code"]), (&"restart".into(), &1012.into()), "{event}");
    }
    until("nothing to wait", async || match server.metrics().await.value("lychgate_events_waiting", &[]) {
        0 => Ok(()),
        waiting => Err(waiting.to_string()),
    })
    .await;
}
