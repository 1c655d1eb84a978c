//! What the application is told, over a store and an application that a test has fail: in order, without a hole, and
//! right again after a loss.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lychgate_hub::Witness as _;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::channels::{ChannelPattern, Namespace, Namespaces};
use lychgate_service::events::{
    Attendance, ChannelWitness, Ended, EventFigures, EventLimits, EventSource, EventsKept, Outbox, OutboxParts,
    Sessions,
};
use lychgate_service::policy::{Access, Policy};
use lychgate_service::ports::application::{Application, CallFault, Manner};
use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::ports::events::Events as _;
use lychgate_service::ports::readiness::Readiness as _;
use lychgate_service::principal::Principal;
use lychgate_service::testing::{Fault, MemoryEvents, events_conformance};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const LIMITS: EventLimits =
    EventLimits { queue_max: 1_000, waiting_max: 1_000, batch_max: 10, retry_max: Duration::from_secs(30) };

/// Rises with each look.
#[derive(Default)]
struct Watch(AtomicU64);

impl Clock for Watch {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// An application that takes what it is told, or does not.
#[derive(Default)]
struct App {
    /// What it says to the next calls; when there is nothing left, it takes what comes.
    faults: Mutex<Vec<CallFault>>,
    is_away: Mutex<bool>,
    heard: Mutex<Vec<Value>>,
    called: Notify,
}

#[async_trait]
impl Application for App {
    async fn call_as(&self, body: &Value, _: Manner<'_>) -> Result<Value, CallFault> {
        let fault = if *self.is_away.lock() { Some(CallFault::Unavailable) } else { self.faults.lock().pop() };
        // Whoever refuses has heard it all the same.
        self.heard.lock().extend(body["events"].as_array().expect("a list of events").iter().cloned());
        self.called.notify_one();
        fault.map_or(Ok(Value::Null), Err)
    }
}

impl App {
    /// What it knows of, each thing once, in the order of the numbers; and checks that these have no hole.
    fn events(&self) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        for event in self.heard.lock().iter() {
            let next = events.last().map_or(1, |last| number(last) + 1);
            assert!(number(event) <= next, "a hole before {event}");
            match events.get(number(event) as usize - 1) {
                Some(known) => assert_eq!(known, event, "a number is given once"),
                None => events.push(event.clone()),
            }
        }
        events
    }

    /// Waits until it knows of so many.
    async fn knows(&self, count: usize) -> Vec<Value> {
        loop {
            let called = self.called.notified();
            let events = self.events();
            if events.len() >= count {
                return events;
            }
            called.await;
        }
    }
}

fn number(event: &Value) -> u64 {
    event["seq"].as_u64().expect("a number")
}

/// The events in short: their kind, and who or what.
fn short(events: &[Value]) -> Vec<String> {
    let of = |event: &Value| {
        let what = ["client", "channel", "count"].into_iter().find_map(|key| event.get(key));
        format!("{} {}", event["event"], what.expect("something")).replace('"', "")
    };
    events.iter().map(of).collect()
}

/// What an application holds as open that does what the events say.
fn open(events: &[Value]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for event in events {
        let name = ["client", "channel"].into_iter().find_map(|key| event.get(key)).map(Value::to_string);
        match event["event"].as_str() {
            Some("lost") => open.clear(),
            Some("connected" | "occupied") => assert!(open.insert(name.expect("a name")), "twice: {event}"),
            Some("disconnected" | "empty") => assert!(open.remove(&name.expect("a name")), "not open: {event}"),
            other => panic!("{other:?}"),
        }
    }
    open
}

/// The way of one server to the application; nothing comes through once it has crashed.
struct Line {
    app: Arc<App>,
    is_cut: Arc<AtomicBool>,
}

#[async_trait]
impl Application for Line {
    async fn call_as(&self, body: &Value, _: Manner<'_>) -> Result<Value, CallFault> {
        if self.is_cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.app.call(body).await
    }
}

struct Server {
    is_cut: Arc<AtomicBool>,
    outbox: Outbox,
    sessions: Sessions,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    async fn start(store: &Arc<MemoryEvents>, app: &Arc<App>, limits: EventLimits) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let is_cut = Arc::new(AtomicBool::new(false));
        let application = Arc::new(Line { app: Arc::clone(app), is_cut: Arc::clone(&is_cut) });
        let parts = OutboxParts {
            sources: vec![EventSource { name: "app".into(), application }],
            events: Arc::clone(store) as _,
            clock: Arc::new(Watch::default()),
            limits,
        };
        let outbox = Outbox::start(parts, &tasks, &stop).await.expect("the store works");
        let source = outbox.source("app").expect("it is there");
        assert_eq!(outbox.source("other"), None);
        let sessions = Sessions::new(outbox.clone(), source, "room");
        Self { is_cut, outbox, sessions, tasks, stop }
    }

    fn connect(&self, client: &str) -> Attendance {
        self.sessions.connected(&Principal::from_verified_subject("ann", None), client, None)
    }

    fn figures(&self) -> EventFigures {
        self.outbox.figures().swap_remove(0)
    }

    /// It ends without another word, and this one never says that it has gone.
    fn crash(self, guest: Attendance) {
        self.is_cut.store(true, Ordering::Relaxed);
        std::mem::forget(guest);
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until the writer and the courier have nothing to do, or wait for time to pass.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

fn world() -> (Arc<MemoryEvents>, Arc<App>) {
    Default::default()
}

const GONE: Ended = Ended { code: 1000, reason: "client" };

#[tokio::test]
async fn events_in_memory_keep_the_contract() {
    events_conformance(async || Arc::new(MemoryEvents::default()) as _).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_in_its_order() {
    let (store, app) = world();
    let server = Server::start(&store, &app, LIMITS).await;
    let (one, two) = (server.connect("1"), server.connect("2"));
    one.end(GONE);
    drop(two);
    let visitor = server.sessions.connected(&Principal::anonymous("guest"), "3", None);
    let events = app.knows(5).await;
    let wanted = ["connected 1", "connected 2", "disconnected 1", "disconnected 2", "connected 3"];
    assert_eq!(short(&events), wanted);
    assert_eq!((&events[2]["code"], &events[2]["reason"]), (&json!(1000), &json!("client")));
    assert_eq!((&events[3]["code"], &events[3]["reason"]), (&json!(1006), &json!("broken")));
    assert_eq!((&events[0]["user"], &events[4]["user"]), (&json!("ann"), &json!("")), "nobody vouches for a visitor");
    server.settle().await;
    let figures = server.figures();
    assert_eq!((figures.written, figures.delivered, figures.waiting, figures.dropped), (5, 5, 0, 0));
    assert_eq!((figures.calls_failed, figures.oldest), (0, Duration::ZERO));
    drop(visitor);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_is_told_again_and_again() {
    let (store, app) = world();
    let faults = [CallFault::Unavailable, CallFault::Status(500), CallFault::Status(400), CallFault::Status(302)];
    *app.faults.lock() = faults.into_iter().cycle().take(200).collect();
    let server = Server::start(&store, &app, LIMITS).await;
    let guests: Vec<_> = (0..25).map(|n| server.connect(&n.to_string())).collect();
    app.knows(25).await;
    server.settle().await;
    let figures = server.figures();
    assert_eq!((figures.delivered, figures.calls_failed, figures.calls_ok), (25, 200, 3), "by ten, and five");
    // An answer that makes no sense is a good one.
    *app.faults.lock() = vec![CallFault::Malformed];
    drop(guests);
    let events = app.knows(50).await;
    assert_eq!(open(&events), BTreeSet::new());
    server.settle().await;
    assert_eq!(server.figures().calls_failed, 200);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_stop_is_stored_and_told_by_the_next_process() {
    let (store, app) = world();
    *app.is_away.lock() = true;
    let server = Server::start(&store, &app, LIMITS).await;
    let guest = server.connect("1");
    // In one poll with the stop, so that it waits in the queue.
    guest.end(GONE);
    server.stop().await;
    assert_eq!(store.waiting("app").await.expect("it works").events, 2);
    *app.is_away.lock() = false;
    let server = Server::start(&store, &app, LIMITS).await;
    let guest = server.connect("2");
    let events = app.knows(3).await;
    assert_eq!(short(&events), ["connected 1", "disconnected 1", "connected 2"]);
    drop(guest);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_has_left_open_is_closed_before_anything_new() {
    let (store, app) = world();
    let server = Server::start(&store, &app, LIMITS).await;
    let (one, two) = (server.connect("1"), server.connect("2"));
    let witness = witness(&server.outbox);
    witness.occupied(&channel("chat:5"));
    witness.occupied(&channel("chat:6"));
    witness.vacated(&channel("chat:6"));
    one.end(GONE);
    app.knows(6).await;
    server.crash(two);
    let server = Server::start(&store, &app, LIMITS).await;
    let three = server.connect("3");
    let events = app.knows(9).await;
    assert_eq!(short(&events[6..]), ["empty chat:5", "disconnected 2", "connected 3"]);
    for event in &events[6..8] {
        assert_eq!(event["reason"], "server_lost", "{event}");
    }
    assert_eq!(events[7]["user"], "ann");
    assert_eq!(server.figures().written, 3);
    drop(three);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_waited_for_and_nothing_overtakes() {
    let (store, app) = world();
    let server = Server::start(&store, &app, LIMITS).await;
    let kept = EventsKept(server.outbox.clone());
    for fault in [Fault::Unavailable, Fault::Full] {
        store.set_fault(Some(fault));
        let before = app.events().len();
        let guests: Vec<_> = (0..300).map(|n| server.connect(&format!("{before}-{n}"))).collect();
        server.settle().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        server.settle().await;
        assert_eq!(app.events().len(), before, "nothing is told that is not stored");
        assert!(!kept.is_ready().await);
        store.set_fault(None);
        drop(guests);
        let events = app.knows(before + 600).await;
        assert_eq!(open(&events), BTreeSet::new());
        assert!(events.iter().all(|event| event["event"] != "lost"));
        assert!(kept.is_ready().await);
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_loses_events_and_says_so_and_what_is_open_is_told_again() {
    let (store, app) = world();
    let server = Server::start(&store, &app, EventLimits { queue_max: 4, ..LIMITS }).await;
    let stays = server.connect("stays");
    app.knows(1).await;
    store.set_fault(Some(Fault::Unavailable));
    let first = server.connect("first");
    // The writer holds this one and cannot store it.
    server.settle().await;
    // Four wait, and of the rest all is lost.
    let guests: Vec<_> = (0..9).map(|n| server.connect(&n.to_string())).collect();
    let mut guests = guests.into_iter();
    guests.by_ref().take(6).for_each(drop);
    first.end(GONE);
    server.settle().await;
    let figures = server.figures();
    assert_eq!((figures.dropped, figures.written), (12, 1), "nine came and seven went, and four of those wait");
    store.set_fault(None);
    let events = app.knows(11).await;
    let wanted = [
        "connected stays",
        "connected first",
        "connected 0",
        "connected 1",
        "connected 2",
        "connected 3",
        "lost 12",
        "connected stays",
        "connected 6",
        "connected 7",
        "connected 8",
    ];
    assert_eq!(short(&events), wanted);
    assert_eq!(open(&events).len(), 4);
    // From here on all is as ever.
    drop((guests, stays));
    let events = app.knows(15).await;
    assert_eq!(open(&events), BTreeSet::new());
    assert_eq!(server.figures().dropped, 12);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_of_what_was_not_taken_loses_events_too() {
    let (store, app) = world();
    *app.is_away.lock() = true;
    let limits = EventLimits { waiting_max: 6, ..LIMITS };
    let server = Server::start(&store, &app, limits).await;
    let guests: Vec<_> = (0..10).map(|n| server.connect(&n.to_string())).collect();
    server.settle().await;
    drop(guests);
    let stays = server.connect("stays");
    server.settle().await;
    assert_eq!((server.figures().waiting, server.figures().dropped), (6, 15));
    assert_eq!(store.waiting("app").await.expect("it works").lost, 15, "a crash would not hide it");
    // It does crash, and what was told as open is closed by the next one.
    server.crash(stays);
    let server = Server::start(&store, &app, limits).await;
    let last = server.connect("last");
    server.settle().await;
    assert_eq!(server.figures().waiting, 12, "six that came and six ends");
    *app.is_away.lock() = false;
    let events = app.knows(14).await;
    assert_eq!(short(&events[12..]), ["lost 16", "connected last"]);
    assert_eq!(open(&events).len(), 1);
    drop(last);
    let events = app.knows(15).await;
    assert_eq!(open(&events), BTreeSet::new());
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_that_come_at_once_share_a_commit() {
    let (store, app) = (Arc::new(MemoryEvents::held_back()), Arc::new(App::default()));
    let server =
        Server::start(&store, &app, EventLimits { queue_max: 2_000, waiting_max: 10_000, batch_max: 2_000, ..LIMITS })
            .await;
    let guests: Vec<_> = (0..1_025).map(|n| server.connect(&n.to_string())).collect();
    for (commit, known) in [(1, 1_024), (2, 1_025)] {
        store.give_leave(1);
        assert_eq!(app.knows(known).await.len(), known, "commit {commit}");
    }
    store.give_leave(10);
    drop(guests);
    app.knows(2_050).await;
    server.stop().await;
}

#[test]
fn channels_of_other_namespaces_are_nobodys_business() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("one");
    runtime.block_on(async {
        let (store, app) = world();
        let server = Server::start(&store, &app, LIMITS).await;
        let witness = witness(&server.outbox);
        for name in ["news", "other:1", "chat:x:y", "chat:5"] {
            witness.occupied(&channel(name));
            witness.vacated(&channel(name));
        }
        let events = app.knows(2).await;
        assert_eq!(short(&events), ["occupied chat:5", "empty chat:5"]);
        assert_eq!(events[0]["namespace"], "chat");
        server.stop().await;
    });
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("a name")
}

/// Tells of `chat:{room:int}`, and not of `news`.
fn witness(outbox: &Outbox) -> ChannelWitness {
    let namespace = |name: &str, pattern: &str| {
        let policy = Policy::new(channel("all"), Access::Any);
        Namespace::bare(name, ChannelPattern::parse(pattern).expect("a form"), policy)
    };
    let all = Namespaces::new(vec![namespace("chat", "chat:{room:int}"), namespace("news", "news")]);
    let source = outbox.source("app").expect("it is there");
    ChannelWitness::new(outbox.clone(), all.expect("no twins"), &[("chat", source)])
}
