//! Rooms: what is said in one stays there, and nothing is left of it when the last one leaves.

use serde_json::json;

use super::{chat, closed, hear, song, theirs};
use crate::harness::wait::until;

#[tokio::test]
async fn rooms_whose_names_begin_alike_never_leak_and_are_cleaned_up() {
    let song = song().await;
    let rooms = ["gen", "general", "gen_eral2", "GEN", "gen-eral"];
    let mut inside = Vec::new();
    for room in rooms {
        inside.push((room, song.enter("123", room).await, song.visit(room).await));
    }
    for (room, ann, visitor) in &mut inside {
        hear(ann, "user_joined").await;
        ann.say(&chat(room)).await;
        for wire in [ann, visitor] {
            let heard = hear(wire, "chat").await;
            assert_eq!((&heard["data"]["message"], &heard["data"]["room_id"]), (&json!(room), &json!(room)));
        }
    }
    for (room, ann, mut visitor) in inside {
        ann.leave().await;
        let left = hear(&mut visitor, "user_left").await;
        assert_eq!(left["data"], json!({ "user_id": "123", "room_id": room }));
        visitor.leave().await;
    }
    until("that no room is left", async || match song.server.metrics().await.value("lychgate_hub_channels", &[]) {
        0 => Ok(()),
        left => Err(left.to_string()),
    })
    .await;
}

#[tokio::test]
async fn what_is_no_room_is_refused_by_name() {
    let song = song().await;
    let at = |room: &str| format!("/ws/123?room_id={room}&token={}", theirs("123"));
    for room in ["", "a:b", "*", "a%20b", "a%00", &"a".repeat(65)] {
        assert_eq!(song.refused(&at(room), "").await, closed("No such room"), "{room:?}");
    }
    assert_eq!(song.refused(&format!("{}&room_id=b", at("a")), "").await, closed("No such room"), "two at once");
    song.welcomed(&at(&"a".repeat(64)), "").await;
}

#[tokio::test]
async fn closing_one_tab_leaves_the_other_in_the_room() {
    let song = song().await;
    let mut bob = song.enter("124", "general").await;
    let first = song.enter("123", "general").await;
    let mut second = song.enter("123", "general").await;
    for _ in 0..2 {
        hear(&mut bob, "user_joined").await;
    }
    first.leave().await;
    for wire in [&mut bob, &mut second] {
        hear(wire, "user_left").await;
    }
    bob.say(&chat("are you there?")).await;
    hear(&mut second, "chat").await;
    hear(&mut bob, "chat").await;
    second.say(&chat("yes")).await;
    assert_eq!(hear(&mut bob, "chat").await["data"]["message"], "yes");
    // A connection that is cut is told as well.
    drop(second);
    hear(&mut bob, "user_left").await;
}
