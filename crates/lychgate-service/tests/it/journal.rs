//! Durable channels: nothing is seen or acknowledged that is not stored, and what was stored comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use lychgate_hub::{Drain, Hub, HubConfig};
use lychgate_protocol::channel::ChannelName;
use lychgate_service::journal::{Journal, JournalParts};
use lychgate_service::local_broker::{Keeping, LocalBroker};
use lychgate_service::ports::broker::{
    Author, Broker, BrokerError, Epoch, HistoryPage, HistoryQuery, Kept, Publication, Published, Retains, Retention,
    Tags, Version,
};
use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::ports::publications::{Addition, Publications, StoredPublication};
use lychgate_service::testing::{Fault, MemoryPublications, publications_conformance};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const TTL: Duration = Duration::from_secs(100);

/// Channels that begin with `durable` are, and those that begin with `kept` are kept in memory.
struct Rules {
    publications_max: usize,
}

impl Retains for Rules {
    fn retention(&self, channel: &ChannelName) -> Option<Retention> {
        let is_durable = channel.starts_with("durable");
        (is_durable || channel.starts_with("kept")).then_some(Retention {
            publications_max: self.publications_max,
            time_to_live: TTL,
            position_time_to_live: 10 * TTL,
            is_durable,
            newest_alone: false,
        })
    }
}

#[derive(Default)]
struct Watch(AtomicU64);

impl Clock for Watch {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::Relaxed))
    }
}

/// What outlives a server.
struct World {
    store: Arc<MemoryPublications>,
    clock: Arc<Watch>,
    publications_max: usize,
    bytes_max: usize,
}

struct Server {
    journal: Arc<Journal>,
    local: Arc<LocalBroker>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _drain: Drain,
}

impl World {
    fn new() -> Self {
        Self::over(MemoryPublications::default())
    }

    fn over(store: MemoryPublications) -> Self {
        Self { store: Arc::new(store), clock: Arc::default(), publications_max: 10, bytes_max: 1_000_000 }
    }

    async fn start(&self) -> Server {
        let (registrar, drain) = Hub::new(HubConfig::default());
        let rules: Arc<dyn Retains> = Arc::new(Rules { publications_max: self.publications_max });
        let keeping = Keeping { rules: Arc::clone(&rules), bytes_max: self.bytes_max, channels_max: 3 };
        let local = Arc::new(LocalBroker::new(registrar).with_keeping(keeping));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (publications, clock) = (self.store.clone(), Arc::clone(&self.clock) as Arc<_>);
        let parts = JournalParts { local: Arc::clone(&local), publications, rules, clock };
        let journal = Journal::start(parts, &tasks, stop.clone()).await.expect("the store can be read");
        Server { journal: Arc::new(journal), local, tasks, stop, _drain: drain }
    }

    fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(u64::try_from(time.as_micros()).expect("a short time"), Ordering::Relaxed);
    }
}

impl Server {
    async fn commit(&self, name: &str, payload: &str) -> Result<Published, BrokerError> {
        self.journal.commit(&channel(name), publication(payload)).await
    }

    fn page(&self, name: &str) -> HistoryPage {
        let query = HistoryQuery { since: None, limit: 100, reverse: false };
        self.journal.history(&channel(name), query).expect("it keeps something")
    }

    /// What a channel keeps, with its numbers.
    fn kept(&self, name: &str) -> Vec<(u64, String)> {
        let page = self.page(name);
        let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).expect("text");
        page.publications.iter().map(|kept| (kept.offset, text(&kept.payload))).collect()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).expect("a name for a test is a name")
}

fn publication(payload: &str) -> Publication<'_> {
    Publication::of(payload.as_bytes())
}

fn numbered(from: u64, payloads: &[&str]) -> Vec<(u64, String)> {
    (from..).zip(payloads.iter().map(|&payload| payload.to_owned())).collect()
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

#[tokio::test]
async fn publications_in_memory_keep_the_contract() {
    publications_conformance(async || Arc::new(MemoryPublications::default()) as Arc<dyn Publications>).await;
}

#[tokio::test]
async fn nothing_is_seen_or_acknowledged_before_the_commit() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    let mut first = Box::pin(server.commit("durable:a", "1"));
    assert!(poll!(first.as_mut()).is_pending());
    settle().await;
    assert!(poll!(first.as_mut()).is_pending(), "it is not stored");
    assert_eq!(server.kept("durable:a"), []);
    assert_eq!(server.commit("kept:a", "2").await.map(|published| published.offset), Ok(1), "others go on");
    world.store.give_leave(1);
    let published = first.await.expect("it is stored");
    assert_eq!((published.offset, published.epoch), (1, Some(server.page("durable:a").top.epoch)));
    assert_eq!(server.kept("durable:a"), numbered(1, &["1"]));
}

#[tokio::test]
async fn what_waits_goes_into_one_commit_in_its_order() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    let mut first = Box::pin(server.commit("durable:a", "0"));
    assert!(poll!(first.as_mut()).is_pending());
    settle().await;
    // These wait behind it, some with somebody who waits for them and some without.
    let unseen = server.journal.publish(&channel("durable:a"), publication("1")).expect("there is room");
    assert_eq!((unseen.offset, unseen.epoch), (0, None), "its place is not known yet");
    let more: Vec<String> = (2..100).map(|n| n.to_string()).collect();
    let rest = join_all(more.iter().map(|payload| server.commit("durable:a", payload)));
    let mut rest = Box::pin(rest);
    assert!(poll!(rest.as_mut()).is_pending());
    world.store.give_leave(10);
    assert_eq!(first.await.map(|published| published.offset), Ok(1));
    let offsets: Vec<_> = rest.await.into_iter().map(|published| published.expect("it is stored").offset).collect();
    assert_eq!(offsets, (3..=100).collect::<Vec<_>>());
    assert_eq!(world.store.commits(), [1, 64, 35]);
    let newest = ["90", "91", "92", "93", "94", "95", "96", "97", "98", "99"];
    assert_eq!(server.kept("durable:a"), numbered(91, &newest));
}

#[tokio::test]
async fn a_channel_that_is_swept_away_during_a_commit_keeps_its_place() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    world.store.give_leave(1);
    let first = server.commit("durable:a", "1").await.expect("it is stored");
    let name = channel("durable:a");
    server.journal.forget(&name).await.expect("it is forgotten");
    let mut second = Box::pin(server.commit("durable:a", "2"));
    assert!(poll!(second.as_mut()).is_pending());
    settle().await;
    server.local.sweep(Instant::now() + 100 * TTL);
    assert_eq!(server.local.figures().channels, 0, "nobody is there, and nothing is kept");
    world.store.give_leave(1);
    let second = second.await.expect("it is stored");
    assert_eq!((second.offset, second.epoch), (2, first.epoch));
    assert_eq!((server.kept("durable:a"), server.local.figures().channels), (numbered(2, &["2"]), 1));
    server.stop().await;
    let page = world.start().await.page("durable:a");
    assert_eq!((page.top.offset, Some(page.top.epoch)), (2, first.epoch));
}

#[tokio::test]
async fn what_does_not_lead_to_where_the_channel_stands_stays_away() {
    let world = World::new();
    let epoch = Epoch::fresh();
    let never = UnixMicros(u64::MAX >> 1);
    let kept = |offset| {
        let kept = Arc::new(Kept {
            offset,
            payload: offset.to_string().into_bytes().into(),
            author: None,
            tags: Tags::default(),
        });
        StoredPublication { kept, expires_at: never }
    };
    // What another program took out, or a shorter time than before did.
    for (name, numbers) in [("durable:a", &[1, 2, 4, 5][..]), ("durable:b", &[5]), ("durable:c", &[1, 5])] {
        let publications = numbers.iter().copied().map(kept).collect();
        let addition =
            Addition { channel: channel(name), epoch, publications, version: None, keep: 10, expires_at: never };
        world.store.append(&[addition]).await.expect("storing works");
    }
    let server = world.start().await;
    assert_eq!(server.kept("durable:a"), numbered(4, &["4", "5"]));
    for name in ["durable:b", "durable:c"] {
        assert_eq!(server.kept(name), numbered(5, &["5"]));
    }
    assert_eq!(server.commit("durable:c", "6").await.map(|published| published.offset), Ok(6));
}

#[tokio::test]
async fn what_cannot_be_stored_is_an_error_and_takes_no_place() {
    let world = World::new();
    let server = world.start().await;
    server.commit("durable:a", "1").await.expect("it is stored");
    world.store.set_fault(Some(Fault::Full));
    assert_eq!(server.commit("durable:a", "2").await, Err(BrokerError::NotStored));
    assert_eq!(server.journal.forget(&channel("durable:a")).await, Err(BrokerError::NotStored));
    assert_eq!(server.kept("durable:a"), numbered(1, &["1"]));
    assert!(server.commit("kept:a", "3").await.is_ok(), "memory is not full");
    world.store.set_fault(None);
    assert_eq!(server.commit("durable:a", "4").await.map(|published| published.offset), Ok(2));
    server.stop().await;
    assert_eq!(world.start().await.kept("durable:a"), numbered(1, &["1", "4"]));
}

#[tokio::test]
async fn what_was_stored_comes_back_with_its_epoch() {
    let world = World::new();
    let server = world.start().await;
    let author = Author { user: "ann", client: "c1", connection_info: Some("{}"), channel_info: None };
    let tags = Tags::new([("kind".to_owned(), "offer".to_owned())].into()).expect("one tag");
    let signed = Publication { author: Some(author), tags: Some(&tags), ..publication("1") };
    server.journal.commit(&channel("durable:a"), signed).await.expect("it is stored");
    for name in ["durable:a", "durable:b", "kept:a"] {
        server.commit(name, "2").await.expect("it is taken");
    }
    let (kept, epoch) = (server.page("durable:a").publications, server.page("durable:a").top.epoch);
    let epoch_in_memory = server.page("kept:a").top.epoch;
    server.stop().await;
    let server = world.start().await;
    assert_eq!(server.page("durable:a").publications, kept, "with their author and tags");
    assert_eq!(kept[0].tags, tags);
    assert_eq!(server.page("durable:a").top.epoch, epoch);
    assert_eq!(server.kept("durable:b"), numbered(1, &["2"]));
    assert_ne!(server.page("kept:a").top.epoch, epoch_in_memory);
    let next = server.commit("durable:a", "3").await.expect("it is stored");
    assert_eq!((next.offset, next.epoch), (3, Some(epoch)));
}

/// A publication of a version.
fn versioned<'a>(payload: &'a str, number: u64, epoch: &'a str) -> Publication<'a> {
    Publication { version: Some(Version { number, epoch }), ..publication(payload) }
}

#[tokio::test]
async fn what_comes_too_late_is_dropped_also_after_a_restart() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    let name = channel("durable:a");
    // All of them wait for the same commit.
    let (first, late, newer, other_run) = {
        let commit = |payload, number, epoch| server.journal.commit(&name, versioned(payload, number, epoch));
        let give_leave = async {
            settle().await;
            world.store.give_leave(100);
        };
        let (first, late, newer, other_run, ()) = tokio::join!(
            commit("7", 7, "run"),
            commit("late", 7, "run"),
            commit("8", 8, ""),
            commit("1", 1, "another"),
            give_leave,
        );
        let offset = |published: Result<Published, BrokerError>| published.map(|published| published.offset);
        (offset(first), offset(late), offset(newer), offset(other_run))
    };
    assert_eq!((first, late, newer, other_run), (Ok(1), Ok(1), Ok(2), Ok(3)), "who is late is told where it stands");
    assert_eq!(server.commit("durable:a", "without").await.map(|published| published.offset), Ok(4));
    assert_eq!(server.kept("durable:a"), numbered(1, &["7", "8", "1", "without"]));
    let commits = world.store.commits().len();
    server.stop().await;
    let server = world.start().await;
    let late = server.journal.commit(&name, versioned("late", 1, "another")).await.expect("it is no fault");
    assert_eq!((late.offset, late.epoch), (4, Some(server.page("durable:a").top.epoch)));
    assert_eq!(world.store.commits().len(), commits, "nothing is stored for it");
    let next = server.journal.commit(&name, versioned("2", 2, "another")).await;
    assert_eq!(next.map(|published| published.offset), Ok(5));
}

#[tokio::test]
async fn a_version_that_is_not_stored_does_not_count() {
    let world = World::new();
    let server = world.start().await;
    let name = channel("durable:a");
    world.store.set_fault(Some(Fault::Full));
    let (first, late) = tokio::join!(
        server.journal.commit(&name, versioned("7", 7, "")),
        server.journal.commit(&name, versioned("6", 6, "")),
    );
    assert_eq!((first, late), (Err(BrokerError::NotStored), Err(BrokerError::NotStored)));
    world.store.set_fault(None);
    let again = server.journal.commit(&name, versioned("6", 6, "")).await;
    assert_eq!(again.map(|published| published.offset), Ok(1));
}

#[tokio::test]
async fn what_is_forgotten_or_kept_nowhere_does_not_come_back() {
    let world = World::new();
    let server = world.start().await;
    let name = channel("durable:a");
    // All of them wait at once, so that their order is the queue's.
    let transient = Publication { transient: true, ..publication("passing") };
    let (_, _, forgotten, passing, last) = tokio::join!(
        server.commit("durable:a", "1"),
        server.commit("durable:a", "2"),
        server.journal.forget(&name),
        server.journal.commit(&name, transient),
        server.commit("durable:a", "3"),
    );
    assert_eq!(forgotten, Ok(()));
    assert_eq!(passing.map(|published| (published.offset, published.epoch)), Ok((0, None)));
    assert_eq!(last.map(|published| published.offset), Ok(3), "forgetting keeps the place");
    assert_eq!(server.kept("durable:a"), numbered(3, &["3"]));
    server.stop().await;
    assert_eq!(world.start().await.kept("durable:a"), numbered(3, &["3"]));
}

#[tokio::test]
async fn what_waits_is_stored_before_the_end() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    let name = channel("durable:a");
    let all: Vec<String> = (1..=200).map(|n| n.to_string()).collect();
    for payload in &all {
        server.journal.publish(&name, publication(payload)).expect("there is room");
    }
    let journal = Arc::clone(&server.journal);
    world.store.give_leave(100);
    server.stop().await;
    assert_eq!(journal.commit(&name, publication("late")).await, Err(BrokerError::Unavailable));
    let top = world.start().await.page("durable:a");
    assert_eq!((top.top.offset, top.publications.len()), (200, 10));
}

#[tokio::test]
async fn a_full_queue_refuses_and_loses_nothing_that_it_took() {
    let world = World::over(MemoryPublications::held_back());
    let server = world.start().await;
    let mut taken = 0;
    while server.journal.publish(&channel("durable:a"), publication("1")).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 1_024);
    assert_eq!(server.commit("durable:a", "1").await, Err(BrokerError::Unavailable));
    world.store.give_leave(100);
    server.stop().await;
    assert_eq!(world.start().await.page("durable:a").top.offset, taken);
}

#[tokio::test]
async fn what_has_outlived_its_time_does_not_come_back() {
    let world = World::new();
    let server = world.start().await;
    server.commit("durable:a", "1").await.expect("it is stored");
    let epoch = server.page("durable:a").top.epoch;
    world.pass(TTL / 2);
    server.commit("durable:a", "2").await.expect("it is stored");
    server.stop().await;
    world.pass(TTL / 2);
    let server = world.start().await;
    assert_eq!(server.kept("durable:a"), numbered(2, &["2"]));
    server.stop().await;
    world.pass(TTL / 2);
    let server = world.start().await;
    assert_eq!((server.page("durable:a").top.offset, server.page("durable:a").top.epoch), (2, epoch));
    assert_eq!(server.kept("durable:a"), [], "and where it stood is known");
    server.stop().await;
    world.pass(10 * TTL);
    assert_ne!(world.start().await.page("durable:a").top.epoch, epoch, "it begins anew");
}

#[tokio::test]
async fn as_much_comes_back_as_may_be_kept() {
    let mut world = World::new();
    let server = world.start().await;
    for n in 1..=8 {
        server.commit("durable:a", &n.to_string()).await.expect("it is stored");
    }
    server.stop().await;
    world.publications_max = 3;
    let server = world.start().await;
    assert_eq!(server.kept("durable:a"), numbered(6, &["6", "7", "8"]));
    server.stop().await;
    // Each costs its bytes and some more.
    (world.publications_max, world.bytes_max) = (10, 200);
    let server = world.start().await;
    assert_eq!(server.kept("durable:a"), numbered(7, &["7", "8"]));
    let fourth = ["durable:b", "durable:c", "durable:d"].map(|name| server.commit(name, "1"));
    let fourth = join_all(fourth).await;
    assert_eq!(fourth.last().copied(), Some(Err(BrokerError::Unavailable)), "three channels may be remembered");
    assert!(fourth[..2].iter().all(Result::is_ok));
}
