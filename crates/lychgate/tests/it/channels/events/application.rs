//! An application that remembers what it is told, and may be slow, fail or be away meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::net::{SocketAddr, TcpListener as Port};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::harness::Application;
use crate::harness::application::Call;
use crate::harness::wait::within;

/// What an application says to a call; nothing, if it hangs up.
pub(super) type Answer = Option<(u16, &'static str)>;

/// An application with what it was told.
pub(super) struct Told {
    address: SocketAddr,
    heard: Arc<Heard>,
    /// It answers as long as this lives.
    open: Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Default)]
struct Heard {
    calls: Mutex<Vec<Vec<Value>>>,
    grown: Notify,
}

impl Told {
    /// One that takes everything.
    pub(super) async fn begin() -> Self {
        Self::answering(|| Some((200, ""))).await
    }

    /// One that answers as `answer` says, call by call.
    pub(super) async fn answering(answer: impl FnMut() -> Answer + Send + 'static) -> Self {
        let told = Self::away();
        told.open(answer).await;
        told
    }

    /// One that is not there yet.
    pub(super) fn away() -> Self {
        let port = Port::bind("127.0.0.1:0").expect("a free port");
        let address = port.local_addr().expect("an address");
        Self { address, heard: Arc::default(), open: Mutex::default() }
    }

    /// It is there from now on.
    pub(super) async fn open(&self, mut answer: impl FnMut() -> Answer + Send + 'static) {
        let application = Application::from(TcpListener::bind(self.address).await.expect("its port is free"));
        let heard = Arc::clone(&self.heard);
        let task = async move {
            loop {
                let call = application.call_if_any().await;
                heard.take(&call);
                match answer() {
                    Some((status, body)) => call.answer(status, body).await,
                    None => drop(call),
                }
            }
        };
        let tasks = tokio_util::task::TaskTracker::new();
        *self.open.lock().expect("nobody panics with it") = Some(AbortOnDropHandle::new(tasks.spawn(task)));
    }

    /// Where it is called.
    pub(super) fn url(&self) -> String {
        format!("http://{}/ws/messages", self.address)
    }

    /// What it knows: each event once, by its number. Checks that a number is given once, and that none is left out.
    pub(super) fn events(&self) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        for call in &*self.heard.calls.lock().expect("nobody panics with it") {
            for event in call {
                let number = event["seq"].as_u64().expect("a number") as usize;
                assert!(number <= events.len() + 1, "a hole before {event}");
                match events.get(number - 1) {
                    Some(known) => assert_eq!(known, event, "a number is given once"),
                    None => events.push(event.clone()),
                }
            }
        }
        events
    }

    /// How many events the largest call had.
    pub(super) fn largest_call(&self) -> usize {
        self.heard.calls.lock().expect("nobody panics with it").iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Waits until what it knows is as wanted, and gives that.
    pub(super) async fn knows(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let search = async {
            loop {
                let grown = self.heard.grown.notified();
                let events = self.events();
                if wanted(&events) {
                    return events;
                }
                grown.await;
            }
        };
        within(what, search).await
    }

    /// Waits until it knows of so many events, and no more.
    pub(super) async fn count(&self, count: usize) -> Vec<Value> {
        let events = self.knows(&format!("{count} events"), |events| events.len() >= count).await;
        assert_eq!(events.len(), count, "{events:#?}");
        events
    }
}

impl Heard {
    fn take(&self, call: &Call) {
        let events = call.body["events"].as_array().expect("a list").clone();
        assert!(!events.is_empty(), "nobody is called for nothing");
        self.calls.lock().expect("nobody panics with it").push(events);
        self.grown.notify_waiters();
    }
}

/// What somebody holds as open who does what the events say, as `kind name`. Checks that nothing is opened twice, and
/// nothing closed that is not open.
pub(super) fn open(events: &[Value]) -> BTreeSet<String> {
    let mut open = HashMap::new();
    for event in events {
        let name = |key: &str| format!("{key} {}", event[key].as_str().expect("a name"));
        match event["event"].as_str() {
            Some("connected") => assert!(open.insert(name("client"), event).is_none(), "twice: {event}"),
            Some("occupied") => assert!(open.insert(name("channel"), event).is_none(), "twice: {event}"),
            Some("disconnected") => assert!(open.remove(&name("client")).is_some(), "not open: {event}"),
            Some("empty") => assert!(open.remove(&name("channel")).is_some(), "not open: {event}"),
            Some("lost") => open.clear(),
            other => panic!("{other:?}"),
        }
    }
    open.into_keys().collect()
}
