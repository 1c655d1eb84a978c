//! SQLite against the suites of the ports, in memory and in a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use lychgate_service::ports::api_keys::ApiKeys;
use lychgate_service::ports::events::Events;
use lychgate_service::ports::keys::Keys;
use lychgate_service::ports::messages::Messages;
use lychgate_service::ports::publications::Publications;
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::registry::Registry;
use lychgate_service::ports::revocations::RevocationLog;
use lychgate_service::ports::tickets::{StoredTicket, Tickets};
use lychgate_service::ports::users::Users;
use lychgate_service::testing::{
    SessionsWorld, api_keys_conformance, events_conformance, keys_conformance, messages_conformance, new_user,
    publications_conformance, registry_conformance, revocations_conformance, sessions_conformance, tickets_conformance,
    users_conformance,
};
use lychgate_store::SqliteStore;

/// Opens files of their own, one after the other.
struct Files {
    folder: tempfile::TempDir,
    opened: AtomicU32,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        Self { folder, opened: AtomicU32::new(0) }
    }

    async fn next(&self) -> Arc<SqliteStore> {
        let n = self.opened.fetch_add(1, Ordering::Relaxed);
        let url = format!("sqlite:{}", self.folder.path().join(format!("{n}.db")).display());
        Arc::new(lychgate_store::open(&url).await.expect("it opens"))
    }
}

async fn in_memory() -> Arc<SqliteStore> {
    Arc::new(lychgate_store::open("sqlite::memory:").await.expect("it opens"))
}

/// The store with two users in it.
async fn with_users(store: Arc<SqliteStore>) -> SessionsWorld {
    let [ann, bob] = ["ann", "bob"].map(new_user);
    let ann = Users::insert(&*store, &ann).await.expect("ann is stored");
    let bob = Users::insert(&*store, &bob).await.expect("bob is stored");
    SessionsWorld { sessions: Arc::clone(&store) as _, revocations: store, ann: ann.id, bob: bob.id }
}

#[tokio::test]
async fn sessions_in_memory() {
    sessions_conformance(async || with_users(in_memory().await).await).await;
}

#[tokio::test]
async fn revocations_in_memory() {
    revocations_conformance(async || in_memory().await as Arc<dyn RevocationLog>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_in_a_file() {
    let files = Files::new();
    sessions_conformance(async || with_users(files.next().await).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_in_a_file() {
    let files = Files::new();
    revocations_conformance(async || files.next().await as Arc<dyn RevocationLog>).await;
}

#[tokio::test]
async fn users_in_memory() {
    users_conformance(async || in_memory().await as Arc<dyn Users>).await;
}

#[tokio::test]
async fn keys_in_memory() {
    keys_conformance(async || in_memory().await as Arc<dyn Keys>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_in_a_file() {
    let files = Files::new();
    users_conformance(async || files.next().await as Arc<dyn Users>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_a_file() {
    let files = Files::new();
    keys_conformance(async || files.next().await as Arc<dyn Keys>).await;
}

#[tokio::test]
async fn tickets_in_memory() {
    tickets_conformance(async || in_memory().await as Arc<dyn Tickets>).await;
}

#[tokio::test]
async fn api_keys_in_memory() {
    api_keys_conformance(async || in_memory().await as Arc<dyn ApiKeys>).await;
}

#[tokio::test]
async fn the_registry_in_memory() {
    registry_conformance(async || in_memory().await as Arc<dyn Registry>).await;
}

#[tokio::test]
async fn messages_in_memory() {
    messages_conformance(async || {
        let store = in_memory().await;
        (store.clone() as Arc<dyn Messages>, store as Arc<dyn Users>)
    })
    .await;
}

#[tokio::test]
async fn publications_in_memory() {
    publications_conformance(async || in_memory().await as Arc<dyn Publications>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_in_a_file() {
    let files = Files::new();
    publications_conformance(async || files.next().await as Arc<dyn Publications>).await;
}

#[tokio::test]
async fn events_in_memory() {
    events_conformance(async || in_memory().await as Arc<dyn Events>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_in_a_file() {
    let files = Files::new();
    events_conformance(async || files.next().await as Arc<dyn Events>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_in_a_file() {
    let files = Files::new();
    tickets_conformance(async || files.next().await as Arc<dyn Tickets>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_keys_in_a_file() {
    let files = Files::new();
    api_keys_conformance(async || files.next().await as Arc<dyn ApiKeys>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_in_a_file() {
    let files = Files::new();
    registry_conformance(async || files.next().await as Arc<dyn Registry>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_a_file() {
    let files = Files::new();
    messages_conformance(async || {
        let store = files.next().await;
        (store.clone() as Arc<dyn Messages>, store as Arc<dyn Users>)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_give_a_ticket_out_once() {
    let files = Files::new();
    let url = format!("sqlite:{}", files.folder.path().join("shared.db").display());
    let stores = [
        lychgate_store::open(&url).await.expect("it opens"),
        lychgate_store::open(&url).await.expect("it opens a second time"),
    ];
    for n in 0..8 {
        let ticket = StoredTicket { hash: [n; 32], claims: "{}".into(), expires_at_s: 30 };
        stores[0].put(&ticket, 0).await.expect("a ticket can be put");
        let answers = join_all((0..32).map(|at| stores[at % 2].take(&ticket.hash, 0))).await;
        let taken = answers.into_iter().filter(|answer| answer.as_ref().expect("asking works").is_some());
        assert_eq!(taken.count(), 1, "round {n}");
    }
}

#[tokio::test]
async fn a_store_is_ready_until_it_is_closed() {
    let store = in_memory().await;
    assert_eq!(store.name(), "database");
    assert!(store.is_ready().await);
    store.close().await;
    assert!(!store.is_ready().await);
    assert!(store.ping().await.is_err());
}
