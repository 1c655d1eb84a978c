//! Who is there: the newcomer's own update, then the list, then each change once.

use std::cell::Cell;

use futures_util::future::join;
use serde_json::json;

use super::{board, change, chat, example, hear, listed, people_of, told};
use crate::harness::token::{now, own_until};
use crate::harness::wire::{FIN, TEXT, frame};
use crate::harness::{Server, Wire};

fn status_update(status: &str) -> String {
    json!({ "type": "status_update", "status": status }).to_string()
}

#[tokio::test]
async fn a_newcomer_hears_its_own_update_and_then_the_list_and_ids_are_numbers_here_and_texts_there() {
    let server = example().start().await;
    let mut ann = Wire::open(server.address, &Server::at("/ws/presence", "1")).await;
    let update = json!({ "type": "presence_update", "user_id": 1, "username": "ann", "status": "online" });
    assert_eq!(ann.hear().await, update);
    let list = json!({
        "type": "presence_list", "users": [{ "user_id": "1", "username": "ann", "status": "online" }],
    });
    assert_eq!(ann.hear().await, list);
    // A socket in a channel counts as well.
    let bob = chat(&server, "2").await;
    assert_eq!(change(&mut ann).await, told(2, "online"));
    let (_dan, people) = board(&server, "4").await;
    assert_eq!(people, listed(&[("1", "online"), ("2", "online"), ("4", "online")]));
    assert_eq!(change(&mut ann).await, told(4, "online"));
    bob.leave().await;
    assert_eq!(change(&mut ann).await, told(2, "offline"));
    ann.entered().await;
}

/// It is no news for anybody else, and the newcomer's client waits for it.
#[tokio::test]
async fn a_second_device_hears_its_own_update_alone() {
    let server = example().start().await;
    let (mut phone, _) = board(&server, "1").await;
    phone.say(&status_update("away")).await;
    assert_eq!(change(&mut phone).await, told(1, "away"));
    let (mut bob, _) = board(&server, "2").await;
    assert_eq!(change(&mut phone).await, told(2, "online"));
    let mut desk = Wire::open(server.address, &Server::at("/ws/presence", "1")).await;
    assert_eq!(change(&mut desk).await, told(1, "away"));
    assert_eq!(people_of(&desk.hear().await), listed(&[("1", "away"), ("2", "online")]));
    desk.entered().await;
    phone.entered().await;
    bob.entered().await;
    // Neither is it news that one of two devices goes.
    phone.leave().await;
    desk.entered().await;
    bob.entered().await;
    desk.leave().await;
    assert_eq!(change(&mut bob).await, told(1, "offline"));
}

#[tokio::test]
async fn a_status_is_one_of_four_and_anything_else_is_online() {
    let server = example().start().await;
    let (mut ann, _) = board(&server, "1").await;
    let (mut bob, _) = board(&server, "2").await;
    assert_eq!(change(&mut ann).await, told(2, "online"));
    for (asked, becomes) in [("away", "away"), ("dnd", "dnd"), ("dancing", "online"), ("offline", "offline")] {
        ann.say(&status_update(asked)).await;
        assert_eq!(change(&mut bob).await, told(1, becomes));
        assert_eq!(change(&mut ann).await, told(1, becomes));
    }
    // Who says "offline" is on nobody's list, and stays connected.
    let (_, people) = board(&server, "4").await;
    assert_eq!(people, listed(&[("2", "online"), ("4", "online")]));
    for wire in [&mut ann, &mut bob] {
        assert_eq!(change(wire).await, told(4, "online"));
    }
}

/// What one socket says in one breath is answered in the order in which it was said.
#[tokio::test]
async fn a_heartbeat_is_acknowledged_in_its_turn() {
    let server = example().start().await;
    let (mut ann, _) = board(&server, "1").await;
    let say = |text: &str| frame(FIN | TEXT, text.as_bytes());
    let heartbeat = r#"{"type":"heartbeat"}"#;
    for round in 0..10 {
        let status = ["dnd", "away"][round % 2];
        ann.write(&[say(heartbeat), say(&status_update(status)), say(heartbeat)].concat()).await;
        assert_eq!(ann.hear().await, json!({ "type": "heartbeat_ack" }));
        assert_eq!(change(&mut ann).await, told(1, status));
        hear(&mut ann, "heartbeat_ack").await;
    }
    let mut chat = chat(&server, "1").await;
    chat.say(heartbeat).await;
    hear(&mut chat, "heartbeat_ack").await;
}

/// A list that is queued behind a change that it does not know would bring an old state back.
#[tokio::test]
async fn no_change_slips_between_the_list_and_what_comes_after() {
    const NEWCOMERS: usize = 300;
    let server = example().over("[server]\nworkers = 2\n[limits]\nconnections_per_user = 1000\nconnects_burst_per_address = 100000\n[endpoint.presence]\nmessages_per_second = 1000000\n").start().await;
    let (mut ann, _) = board(&server, "1").await;
    // As many words as fit into one write, time and again, for as long as others arrive.
    let words: Vec<u8> =
        (0..20).flat_map(|round| frame(FIN | TEXT, status_update(["dnd", "away"][round % 2]).as_bytes())).collect();
    let is_over = Cell::new(false);
    let arriving = async {
        let mut seen_changes = 0;
        for _ in 0..NEWCOMERS {
            let mut bob = Wire::open(server.address, &Server::at("/ws/presence", "2")).await;
            let mut state = None;
            for _ in 0..12 {
                let told = bob.hear().await;
                if told["type"] == "presence_list" {
                    let list = people_of(&told);
                    state = list.into_iter().find(|(id, _)| id == "1").map(|(_, status)| status);
                } else if told["user_id"] == 1 {
                    // Each update is a change, so none says what was known already.
                    let now = told["status"].as_str().expect("a text").to_owned();
                    assert_ne!(state.as_ref(), Some(&now), "a change came before the list that does not know it");
                    if state.is_some() {
                        seen_changes += 1;
                        state = Some(now);
                    }
                }
            }
        }
        is_over.set(true);
        seen_changes
    };
    let changing = async {
        while !is_over.get() {
            ann.write(&words).await;
            for _ in 0..20 {
                while ann.hear().await["user_id"] != 1 {}
            }
        }
    };
    let (seen_changes, ()) = join(arriving, changing).await;
    assert!(seen_changes > NEWCOMERS, "there was something to see");
}

/// The server has said its last word, so its board forgets the device, whatever the other end does.
#[tokio::test]
async fn who_does_not_answer_a_close_is_no_longer_there() {
    let server = example().over("[limits]\nclose_timeout = \"60s\"\n").start().await;
    let (mut bob, _) = board(&server, "2").await;
    let mut ann = Wire::open(server.address, &format!("/ws/chat/5?token={}", own_until("1", now() + 2))).await;
    ann.entered().await;
    let mut member = chat(&server, "2").await;
    assert_eq!(change(&mut bob).await, told(1, "online"));
    hear(&mut ann, "user_joined").await;
    assert_eq!(ann.closed().await, super::forbidden());
    // It reads, and says nothing; its connection stays open.
    assert_eq!(change(&mut bob).await, told(1, "offline"));
    assert_eq!(hear(&mut member, "user_left").await["user_id"], 1);
    let (_, people) = board(&server, "4").await;
    assert_eq!(people, listed(&[("2", "online"), ("4", "online")]));
    drop(ann);
}
