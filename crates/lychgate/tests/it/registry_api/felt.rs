//! A change of rights is felt at once by the sockets that it concerns, and by no others.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{CONFIG, World};
use crate::harness::http;
use crate::harness::wait::within;
use crate::harness::wire::{connect, request};
use crate::harness::{Server, Setup, Wire, token};

/// How much sooner than by itself a right that was lost has to be felt: `ask_again` is an hour.
const AT_ONCE: Duration = Duration::from_secs(5);

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// Says something in the room and hears it: the socket is there and its right stands.
async fn still_there(wire: &mut Wire, n: u32) {
    wire.say(&json!({ "n": n }).to_string()).await;
    assert_eq!(wire.hear().await, json!({ "n": n }));
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_and_the_others_stay() {
    let world = World::begin().await;
    world.chat(5, &["ann", "bob"]).await;
    world.chat(6, &["ann"]).await;
    let mut ann = world.enters("/chat/5", "ann").await;
    let mut ann_aside = world.enters("/aside/5", "ann").await;
    let mut ann_elsewhere = world.enters("/chat/6", "ann").await;
    let mut ann_unasked = world.enters("/open", "ann").await;
    let mut bob = world.enters("/chat/5", "bob").await;
    let began = Instant::now();
    world.expect(204, "DELETE", "/resources/chat:5/members/ann", "").await;
    assert_eq!(ann.closed_politely().await, told(4008, "forbidden"));
    assert_eq!(ann_aside.closed_politely().await, told(4008, "forbidden"), "another endpoint that asks about the same");
    let took = began.elapsed();
    assert!(took < AT_ONCE, "it took {took:?}");
    still_there(&mut bob, 1).await;
    still_there(&mut ann_elsewhere, 2).await;
    // The open endpoint shares the channel chat:5 and heard bob; nobody was asked about it.
    assert_eq!(ann_unasked.hear().await, json!({ "n": 1 }));
    still_there(&mut ann_unasked, 3).await;
    world.expect(201, "PUT", "/resources/chat:5/members/ann", "").await;
    world.enters("/chat/5", "ann").await;
}

#[tokio::test]
async fn what_is_deleted_or_changes_hands_is_felt_at_once() {
    let world = World::begin().await;
    for (name, owner) in [("entry:1", "ann"), ("entry:2", "ann")] {
        world.expect(201, "PUT", &format!("/resources/{name}"), &json!({ "owner": owner }).to_string()).await;
    }
    world.chat(5, &["ann", "bob"]).await;
    let mut first = world.enters("/entry/1", "ann").await;
    let mut second = world.enters("/entry/2", "ann").await;
    let (mut ann, mut bob) = (world.enters("/chat/5", "ann").await, world.enters("/chat/5", "bob").await);
    let began = Instant::now();
    world.expect(200, "PUT", "/resources/entry:2", r#"{"owner":"ann"}"#).await;
    world.expect(200, "PUT", "/resources/entry:1", r#"{"owner":"bob"}"#).await;
    assert_eq!(first.closed_politely().await, told(4007, "not owner"));
    still_there(&mut second, 1).await;
    world.expect(204, "DELETE", "/resources/chat:5", "").await;
    for wire in [&mut ann, &mut bob] {
        assert_eq!(wire.closed_politely().await, told(4006, "not found"));
    }
    let took = began.elapsed();
    assert!(took < AT_ONCE, "it took {took:?}");
    still_there(&mut second, 2).await;
}

#[tokio::test]
async fn whoever_shows_a_credential_late_feels_it_too() {
    let world = World::begin().await;
    world.chat(5, &["ann"]).await;
    let mut ann = Wire::open(world.server.address, "/chat/5").await;
    ann.say(&json!({ "type": "auth", "token": token::own("ann") }).to_string()).await;
    ann.entered().await;
    world.expect(204, "DELETE", "/resources/chat:5/members/ann", "").await;
    assert_eq!(ann.closed_politely().await, told(4008, "forbidden"));
}

/// Sockets that come while a member goes: whichever way the two meet, nobody stays.
#[tokio::test]
async fn nobody_slips_in_by_an_answer_from_before() {
    let world = World::of(Setup::of(CONFIG).over("[limits]\nconnects_burst_per_address = 10000\n")).await;
    world.chat(5, &["bob"]).await;
    let mut bob = world.enters("/chat/5", "bob").await;
    for _ in 0..20 {
        world.expect(201, "PUT", "/resources/chat:5/members/ann", "").await;
        let target = Server::at("/chat/5", "ann");
        let come = async || {
            let request = request(&target, "");
            let mut wire = Wire::over(connect(world.server.address).await, &request, b"").await;
            wire.closed_politely().await
        };
        let comers = futures_util::future::join_all((0..8).map(|_| come()));
        let gone = world.expect(204, "DELETE", "/resources/chat:5/members/ann", "");
        let (closes, _) = within("all of them to be out", futures_util::future::join(comers, gone)).await;
        assert!(closes.iter().all(|close| *close == told(4008, "forbidden")), "{closes:?}");
    }
    still_there(&mut bob, 1).await;
}

/// A client that does not wait for the answer: its write is carried out and felt, or has never begun.
#[tokio::test]
async fn a_write_whose_client_has_gone_is_felt() {
    let world = World::begin().await;
    let mut carried_out = 0;
    for patience in [0, 0, 0, 1, 1, 1, 2, 2, 2, 4] {
        world.ask("PUT", "/resources/chat:5", "null").await;
        world.ask("PUT", "/resources/chat:5/members/ann", "").await;
        let mut ann = world.enters("/chat/5", "ann").await;
        let head = format!("DELETE /api/resources/chat:5 HTTP/1.1\r\nhost: gate\r\nx-api-key: {}\r\n\r\n", world.key);
        let mut tcp = connect(world.server.address).await;
        tokio::io::AsyncWriteExt::write_all(&mut tcp, head.as_bytes()).await.expect("the server reads");
        for _ in 0..patience {
            http::get(world.server.operations, "/health/live").await;
        }
        drop(tcp);
        // Behind whatever the server made of it: one writer, in order.
        let orderly = world.ask("DELETE", "/resources/chat:5", "").await.status;
        carried_out += usize::from(orderly == 404);
        assert_eq!(ann.closed_politely().await, told(4006, "not found"));
    }
    assert!(carried_out > 0, "no write was carried out whose client had gone");
}
