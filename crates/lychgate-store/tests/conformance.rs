//! SQLite against the suites of the ports, in memory and in a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lychgate_service::ports::keys::Keys;
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::users::Users;
use lychgate_service::testing::{keys_conformance, users_conformance};
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
async fn a_store_is_ready_until_it_is_closed() {
    let store = in_memory().await;
    assert_eq!(store.name(), "database");
    assert!(store.is_ready().await);
    store.close().await;
    assert!(!store.is_ready().await);
    assert!(store.ping().await.is_err());
}
