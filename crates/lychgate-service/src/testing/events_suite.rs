//! What keeping the contract of [`Events`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::clock::UnixMicros;
use crate::ports::events::{Change, Events, NewEvent, Open, StoredEvent, Waiting};

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn events_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Events>>,
{
    events_come_back_as_they_were_in_their_order(&*make().await).await;
    numbers_go_on_whatever_was_removed(&*make().await).await;
    sources_have_nothing_to_do_with_each_other(&*make().await).await;
    what_is_open_is_what_was_told(&*make().await).await;
    what_is_lost_is_noted_until_it_is_told(&*make().await).await;
    many_at_once_leave_no_hole(&*make().await).await;
}

fn event(source: &str, body: &str, change: Change) -> NewEvent {
    NewEvent { source: source.into(), body: body.into(), at: UnixMicros(body.len() as u64), change }
}

fn opens(source: &str, key: &str) -> NewEvent {
    event(source, &format!("{{\"opens\":\"{key}\"}}"), Change::Opens(key.into()))
}

fn closes(source: &str, key: &str) -> NewEvent {
    event(source, &format!("{{\"closes\":\"{key}\"}}"), Change::Closes(key.into()))
}

async fn append(events: &dyn Events, new: &[NewEvent]) {
    events.append(new).await.expect("storing works");
}

async fn oldest(events: &dyn Events, source: &str, limit: u32) -> Vec<StoredEvent> {
    events.oldest(source, limit).await.expect("reading works")
}

async fn numbers(events: &dyn Events, source: &str) -> Vec<u64> {
    oldest(events, source, 10_000).await.iter().map(|event| event.number).collect()
}

async fn waiting(events: &dyn Events, source: &str) -> (u64, u64) {
    let Waiting { events, lost } = events.waiting(source).await.expect("reading works");
    (events, lost)
}

async fn remove(events: &dyn Events, source: &str, through: u64) -> u64 {
    events.remove(source, through).await.expect("removing works")
}

async fn open(events: &dyn Events, source: &str) -> Vec<String> {
    let open = events.open(source, 10_000).await.expect("reading works");
    open.iter().map(|open| open.key.to_string()).collect()
}

async fn events_come_back_as_they_were_in_their_order(events: &dyn Events) {
    assert_eq!(waiting(events, "app").await, (0, 0));
    assert_eq!(oldest(events, "app", 9).await, []);
    append(events, &[]).await;
    let bodies = ["{}", "{\"é\": \"\\u0000';--\"}", "{\"n\":3}"];
    append(events, &bodies.map(|body| event("app", body, Change::Closes("nothing".into())))).await;
    let wanted: Vec<_> = (1..).zip(bodies).map(|(number, body)| stored(number, body)).collect();
    assert_eq!(oldest(events, "app", 9).await, wanted);
    assert_eq!(oldest(events, "app", 2).await, wanted[..2]);
    assert_eq!(oldest(events, "app", 0).await, []);
    assert_eq!(waiting(events, "app").await, (3, 0));
}

fn stored(number: u64, body: &str) -> StoredEvent {
    StoredEvent { number, body: body.into(), at: UnixMicros(body.len() as u64) }
}

async fn numbers_go_on_whatever_was_removed(events: &dyn Events) {
    append(events, &[opens("app", "a"), opens("app", "b"), closes("app", "a")]).await;
    assert_eq!(remove(events, "app", 2).await, 2);
    assert_eq!(numbers(events, "app").await, [3]);
    assert_eq!(remove(events, "app", 2).await, 0, "a second time");
    assert_eq!(remove(events, "app", 99).await, 1);
    assert_eq!(waiting(events, "app").await, (0, 0));
    append(events, &[closes("app", "b")]).await;
    assert_eq!(numbers(events, "app").await, [4]);
}

async fn sources_have_nothing_to_do_with_each_other(events: &dyn Events) {
    append(events, &[opens("app", "a"), opens("other", "a"), opens("app", "b")]).await;
    assert_eq!((numbers(events, "app").await, numbers(events, "other").await), (vec![1, 2], vec![1]));
    events.note_lost("other", 3).await.expect("noting works");
    append(events, &[event("app", "{}", Change::Forgets)]).await;
    assert_eq!((open(events, "app").await, open(events, "other").await), (vec![], vec!["a".to_owned()]));
    assert_eq!(remove(events, "app", 99).await, 3);
    assert_eq!((waiting(events, "app").await, waiting(events, "other").await), ((0, 0), (1, 3)));
}

async fn what_is_open_is_what_was_told(events: &dyn Events) {
    append(events, &[opens("app", "b"), opens("app", "a"), opens("app", "c")]).await;
    append(events, &[closes("app", "b"), closes("app", "unknown")]).await;
    assert_eq!(open(events, "app").await, ["a", "c"]);
    let first = events.open("app", 1).await.expect("reading works");
    assert_eq!(first, [Open { key: "a".into(), body: "{\"opens\":\"a\"}".into() }]);
    // What was removed was told, and is open all the same.
    remove(events, "app", 99).await;
    assert_eq!(open(events, "app").await, ["a", "c"]);
    append(events, &[opens("app", "a"), closes("app", "a"), opens("app", "a"), closes("app", "c")]).await;
    assert_eq!(open(events, "app").await, ["a"]);
    assert_eq!(numbers(events, "app").await, [6, 7, 8, 9], "every event is told");
    // In one commit, whatever was open before.
    let anew = event("app", "{\"opens\":\"anew\"}", Change::Opens("a".into()));
    append(events, &[closes("app", "a"), anew, opens("app", "a"), opens("app", "b"), closes("app", "b")]).await;
    let body = |key: &str, body: &str| Open { key: key.into(), body: body.into() };
    let all = async || events.open("app", 9).await.expect("reading works");
    assert_eq!(all().await, [body("a", "{\"opens\":\"anew\"}")]);
    let forgets = event("app", "{}", Change::Forgets);
    append(events, &[opens("app", "c"), closes("app", "a"), forgets, opens("app", "d"), closes("app", "c")]).await;
    assert_eq!(all().await, [body("d", "{\"opens\":\"d\"}")]);
}

async fn what_is_lost_is_noted_until_it_is_told(events: &dyn Events) {
    for count in [2, 3] {
        events.note_lost("app", count).await.expect("noting works");
    }
    append(events, &[opens("app", "a")]).await;
    assert_eq!(waiting(events, "app").await, (1, 5));
    append(events, &[event("app", "{}", Change::Forgets), opens("app", "b")]).await;
    assert_eq!(waiting(events, "app").await, (3, 0));
    assert_eq!(open(events, "app").await, ["b"]);
}

async fn many_at_once_leave_no_hole(events: &dyn Events) {
    let all: Vec<_> = (0..16).map(|n| [opens("app", &format!("{n:02}")), opens("other", &format!("{n:02}"))]).collect();
    for answer in join_all(all.iter().map(|new| events.append(new))).await {
        answer.expect("storing works");
    }
    for source in ["app", "other"] {
        assert_eq!(numbers(events, source).await, (1..=16).collect::<Vec<_>>());
        assert_eq!(open(events, source).await.len(), 16);
    }
}
