//! Runs and their watchers: joining without gap, leaving without trace, and every end that a text can come to.

mod joining;
mod kills;
mod world;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use lychgate_hub::{Class, OutboxLimits, SubscribeError};
use lychgate_service::ports::text_source::SourceFault;
use lychgate_service::streams::{Opening, StreamCounts, StreamForm, StreamLimits, WatchRefused};
use serde_json::json;
use tokio::time::advance;

use self::world::{Answer, FAILED, Feed, JSON, PLAIN, WHOLE, World, settle};

const GRACE: Duration = Duration::from_secs(10);
const KEEP: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(1);

fn keeping() -> StreamLimits {
    StreamLimits { keep: KEEP, ..StreamLimits::default() }
}

async fn run_of(world: &mut World, channel: &str) -> (world::Watcher, Feed) {
    let watcher = world.watch(channel, JSON).expect("a run");
    let feed = world.feed().await;
    (watcher, feed)
}

#[tokio::test(start_paused = true)]
async fn two_who_watch_are_one_request() {
    let mut world = World::new(StreamLimits::default());
    let plain = world.watch("entry:7", PLAIN).expect("a run");
    let feed = world.feed().await;
    let json = world.watch("entry:7", JSON).expect("the same run");
    feed.say(&["Dear ", "", "diary"]).await;
    assert_eq!(feed.request, json!({"prompt": "say it"}));
    assert_eq!((world.streams.runs(), world.tasks.len()), (1, 1));
    feed.end().await;
    assert!(world.feeds.try_recv().is_err(), "one request");
    assert_eq!(plain.frames(), (vec!["Dear ".to_owned(), "diary".to_owned()], Some(4000)));
    let frames = [r#"{"token":"Dear "}"#, r#"{"token":"diary"}"#, r#"{"done":true}"#].map(str::to_owned);
    assert_eq!(json.frames(), (frames.to_vec(), Some(4000)));

    // Another resource, or the same one later, is another request.
    let (_other, _other_feed) = run_of(&mut world, "entry:8").await;
    let (_again, _again_feed) = run_of(&mut world, "entry:7").await;
    assert_eq!(world.streams.counts(), StreamCounts { started: 3, completed: 1, ..StreamCounts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_watches_is_cancelled_after_the_grace_and_not_before() {
    for answer in [Answer::Pieces, Answer::Nothing] {
        let mut world = World::new(keeping());
        *world.source.answer.lock().expect("no panic") = answer;
        let (watcher, feed) = run_of(&mut world, "entry:7").await;
        drop(watcher);
        settle().await;
        advance(GRACE - TICK).await;
        settle().await;
        assert!(!feed.is_cancelled() && world.streams.runs() == 1);
        advance(TICK).await;
        settle().await;
        assert!(feed.is_cancelled(), "the source sees that nobody listens any more");
        world.check_empty();
        assert_eq!(world.streams.counts().cancelled, 1);
        *world.source.answer.lock().expect("no panic") = Answer::Pieces;
        let (next, feed) = run_of(&mut world, "entry:7").await;
        feed.say(&["new"]).await;
        assert_eq!(next.text(), ("new".to_owned(), None), "the next one starts anew");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_within_the_grace_gets_the_whole_text() {
    let mut world = World::new(StreamLimits::default());
    let (watcher, feed) = run_of(&mut world, "entry:7").await;
    feed.say(&["one "]).await;
    drop(watcher);
    feed.say(&["two "]).await;
    advance(GRACE - TICK).await;
    settle().await;
    let back = world.watch("entry:7", PLAIN).expect("the same run");
    advance(GRACE * 3).await;
    feed.say(&["three "]).await;
    assert_eq!(back.frames().0, ["one two ", "three "], "the text so far, then the rest");
    drop(back);
    // The grace begins anew with each last leaving.
    advance(GRACE - TICK).await;
    settle().await;
    let again = world.watch("entry:7", JSON).expect("the same run");
    feed.say(&["four"]).await;
    feed.end().await;
    assert_eq!(again.text(), ("one two three four".to_owned(), WHOLE));
    drop(again);
    world.check_empty();
    assert_eq!(world.streams.counts(), StreamCounts { started: 1, completed: 1, ..StreamCounts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_session_that_only_stops_watching_gets_no_more_and_may_watch_again() {
    let mut world = World::new(StreamLimits::default());
    let (mut watcher, feed) = run_of(&mut world, "entry:7").await;
    feed.say(&["one "]).await;
    watcher.watch = None;
    feed.say(&["two "]).await;
    assert_eq!(watcher.text(), ("one ".to_owned(), None));
    assert_eq!(world.drain.stats().channels, 0);
    let mut queue = |frame| world.drain.send(&watcher.session, frame).expect("an open session");
    let again = world.streams.watch(world::permit("entry:7"), &watcher.session, world.opening(JSON), &mut queue);
    watcher.watch = again.ok();
    feed.say(&["three"]).await;
    feed.end().await;
    assert_eq!(watcher.text(), ("one one two three".to_owned(), WHOLE));
}

#[tokio::test(start_paused = true)]
async fn every_fault_ends_with_what_the_form_says_of_it_and_then_with_the_code() {
    let faults = [
        SourceFault::Unreachable,
        SourceFault::Status(503),
        SourceFault::Stalled,
        SourceFault::Overdue,
        SourceFault::TooLarge,
        SourceFault::Malformed,
        SourceFault::Cut,
        SourceFault::Failed,
    ];
    for fault in faults {
        let said = json!({"error": fault.code()}).to_string();
        for at_once in [true, false] {
            let mut world = World::new(keeping());
            if at_once {
                *world.source.answer.lock().expect("no panic") = Answer::Fault(fault.clone());
            }
            let (json, feed) = run_of(&mut world, "entry:7").await;
            let plain = world.watch("entry:7", PLAIN).expect("a run that is there or kept");
            if !at_once {
                feed.say(&["half"]).await;
                feed.fail(fault.clone()).await;
            }
            settle().await;
            let half = if at_once { vec![] } else { vec!["half".to_owned()] };
            assert_eq!(plain.frames(), (half, Some(4001)), "{fault:?}");
            assert_eq!(json.frames().0.last(), Some(&said));
            assert_eq!(json.text().1, FAILED);
            let late = world.watch("entry:7", JSON).expect("a kept run");
            settle().await;
            assert_eq!(
                (late.frames().0.last(), late.text()),
                (Some(&said), json.text()),
                "who comes late hears the same"
            );
            assert!(feed.is_cancelled() && world.feeds.try_recv().is_err());
            assert_eq!(world.streams.counts(), StreamCounts { started: 1, failed: 1, ..StreamCounts::default() });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_has_a_limit_in_bytes_and_one_in_time() {
    let limits = StreamLimits { text_bytes_max: 6, run_max: Duration::from_secs(60), ..StreamLimits::default() };
    let mut world = World::new(limits);
    let (watcher, feed) = run_of(&mut world, "entry:7").await;
    feed.say(&["1234", "56"]).await;
    assert_eq!(watcher.text(), ("123456".to_owned(), None), "as much as the limit is let through");
    feed.say(&["7"]).await;
    assert_eq!(watcher.text(), ("123456".to_owned(), FAILED));
    assert!(watcher.frames().0.last().expect("a frame").contains("too_large"));
    assert!(feed.is_cancelled());

    let (watcher, feed) = run_of(&mut world, "entry:8").await;
    advance(Duration::from_secs(60) - TICK).await;
    feed.say(&["late"]).await;
    assert_eq!(watcher.text(), ("late".to_owned(), None));
    advance(TICK).await;
    settle().await;
    assert!(watcher.frames().0.last().expect("a frame").contains("overdue"));
    assert!(feed.is_cancelled() && watcher.text().1 == FAILED);
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_kept_for_those_who_come_late_and_then_forgotten() {
    let mut world = World::new(keeping());
    let (first, feed) = run_of(&mut world, "entry:7").await;
    feed.say(&["all ", "of it"]).await;
    feed.end().await;
    advance(KEEP - TICK).await;
    settle().await;
    let (plain, json) = (world.watch("entry:7", PLAIN).expect("kept"), world.watch("entry:7", JSON).expect("kept"));
    settle().await;
    assert_eq!(plain.frames(), (vec!["all of it".to_owned()], Some(4000)));
    assert_eq!(json.text(), first.text());
    assert_eq!(json.frames().0.last().map(String::as_str), Some(r#"{"done":true}"#));
    assert!(world.feeds.try_recv().is_err(), "nobody was asked again");
    advance(TICK).await;
    settle().await;
    assert_eq!((world.streams.runs(), world.tasks.len()), (0, 0), "although three still hold their watch");
    let (_next, _feed) = run_of(&mut world, "entry:7").await;
    drop((first, plain, json));
    assert_eq!(world.registrar.members(&"entry:7".parse().expect("a name")), 1, "old watches leave new runs alone");
}

#[tokio::test(start_paused = true)]
async fn more_runs_than_there_may_be_are_refused() {
    let mut world = World::new(StreamLimits { runs_max: 2, ..StreamLimits::default() });
    let (_one, _one_feed) = run_of(&mut world, "entry:1").await;
    let (_two, two_feed) = run_of(&mut world, "entry:2").await;
    assert_eq!(world.watch("entry:3", PLAIN).err(), Some(WatchRefused::Full));
    let _joins = world.watch("entry:2", PLAIN).expect("joining takes no place");
    two_feed.end().await;
    let _three = world.watch("entry:3", PLAIN).expect("a place became free");
    assert_eq!(world.watch("entry:4", PLAIN).err(), Some(WatchRefused::Full));
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_leaves_nothing_behind() {
    let mut world = World::new(StreamLimits::default());
    let (session, wire) = world.open(OutboxLimits::default(), usize::MAX);
    world.drain.finish(&session, "".into());
    let refused = world.watch_as("entry:7", world.opening(PLAIN), session, wire);
    assert_eq!(refused.err(), Some(WatchRefused::Session(SubscribeError::Finished)));
    settle().await;
    world.check_empty();
    assert!(world.feeds.try_recv().is_err(), "nobody was asked");

    let (watcher, feed) = run_of(&mut world, "entry:7").await;
    feed.say(&["once"]).await;
    let mut queue = |_| panic!("who is refused gets nothing");
    let again = world.streams.watch(world::permit("entry:7"), &watcher.session, world.opening(PLAIN), &mut queue);
    assert_eq!(again.err(), Some(WatchRefused::Session(SubscribeError::Already)));
    feed.end().await;
    assert_eq!(watcher.text(), ("once".to_owned(), WHOLE), "and the first watch goes on");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_costs_nobody_else() {
    let mut world = World::new(StreamLimits::default());
    let (session, wire) = world.open(OutboxLimits { bytes_max: 30, slices_max: 9 }, 0);
    let slow = world.watch_as("entry:7", world.opening(PLAIN), session, wire).expect("a run");
    let feed = world.feed().await;
    let quick = world.watch("entry:7", PLAIN).expect("the same run");
    feed.say(&["0123456789", "0123456789", "0123456789"]).await;
    assert_eq!(quick.text().0, "0123456789".repeat(3));
    slow.wire.make_room();
    world.drain.writable(&slow.session);
    assert!(slow.was_slow());
    assert_eq!(world.drain.stats().sessions_overflowed, 1);
    // It counts as a watcher until its connection has ended, and no longer.
    drop(quick);
    advance(GRACE * 2).await;
    settle().await;
    assert!(!feed.is_cancelled());
    drop(slow);
    settle().await;
    advance(GRACE).await;
    settle().await;
    assert!(feed.is_cancelled());
    world.check_empty();
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_all_runs_and_starts_none() {
    let mut world = World::new(keeping());
    let (running, feed) = run_of(&mut world, "entry:1").await;
    let (kept, kept_feed) = run_of(&mut world, "entry:2").await;
    kept_feed.end().await;
    assert_eq!(world.tasks.len(), 2);
    world.stop.cancel();
    settle().await;
    assert!(feed.is_cancelled());
    assert_eq!(world.watch("entry:3", PLAIN).err(), Some(WatchRefused::Stopping));
    drop((running, kept));
    world.check_empty();
}

/// A form that cannot write one word.
struct Panics;

impl StreamForm for Panics {
    fn piece<'a>(&self, text: &'a str) -> Cow<'a, str> {
        assert!(!text.contains("unspeakable"), "it cannot be said");
        Cow::Borrowed(text)
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_panics_ends_its_run_and_leaves_nothing_behind() {
    let mut world = World::new(StreamLimits::default());
    let (watcher, feed) = run_of(&mut world, "entry:7").await;
    let plain = world.opening(PLAIN);
    let opening = || Opening { class: Class(2), form: Arc::new(Panics), ..plain.clone() };
    let (session, wire) = world.open(OutboxLimits::default(), usize::MAX);
    let panics = world.watch_as("entry:7", opening(), session, wire).expect("the same run");
    feed.say(&["well, ", "unspeakable"]).await;
    assert_eq!((watcher.text().1, panics.text()), (FAILED, ("well, ".to_owned(), FAILED)));
    assert!(feed.is_cancelled() && world.streams.counts().failed == 1);

    // One who comes while such a word is in the text so far goes alone.
    let (watcher, feed) = run_of(&mut world, "entry:8").await;
    feed.say(&["unspeakable"]).await;
    let (session, wire) = world.open(OutboxLimits::default(), usize::MAX);
    let comes = std::panic::AssertUnwindSafe(|| drop(world.watch_as("entry:8", opening(), session, wire)));
    assert!(std::panic::catch_unwind(comes).is_err());
    assert_eq!(world.registrar.members(&"entry:8".parse().expect("a name")), 1);
    feed.end().await;
    assert_eq!(watcher.text(), ("unspeakable".to_owned(), WHOLE));
}
