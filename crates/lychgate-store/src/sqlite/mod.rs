//! The ports on SQLite: one connection that writes, a few that read.
//!
//! SQLite has one writer at a time whatever the number of connections.
//! With one connection for it, writers queue here, in order, instead of failing as busy.
//!
//! **Invariant:** every connection of a file is set up by [`Setup`], so none commits without a sync.
//!
//! **Absent on purpose:** no cache. SQLite has one, and it is the one that notices what another process writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::readiness::Readiness;
use sqlx::SqlitePool;

mod api_keys;
mod connect;
mod events;
mod faults;
mod files;
mod keys;
mod location;
mod messages;
mod open_error;
mod publications;
mod registry;
mod revocations;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;
mod tickets;
mod users;

pub use open_error::OpenError;

use connect::Setup;
use faults::store_error;
use location::Location;

/// A database of users, keys, API keys, tickets, sessions, revocations, resources, messages, publications and events. Clones
/// share its connections.
#[derive(Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    path: Option<PathBuf>,
}

/// How long [`Readiness::is_ready`] waits for an answer.
const READY_WAIT: Duration = Duration::from_secs(1);

impl SqliteStore {
    /// Opens the database that `url` names; see [`open`](crate::open).
    pub(crate) async fn open(url: &str) -> Result<Self, OpenError> {
        match Location::parse(url)? {
            Location::Memory => {
                let pool = connect::memory().await?;
                Ok(Self { writer: pool.clone(), readers: pool, path: None })
            }
            Location::File(path) => {
                files::prepare(&path)?;
                let setup = Setup::new(&path);
                schema::inspect(&setup).await?;
                let writer = setup.writer().await?;
                schema::migrate(&writer, &path).await?;
                let readers = setup.readers();
                Ok(Self { writer, readers, path: Some(path) })
            }
        }
    }

    /// The file of the database; `None` for one in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Asks the database something small.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = sqlx::query("SELECT 1 FROM users LIMIT 1").fetch_optional(&self.readers).await;
        asked.map(|_| ()).map_err(store_error)
    }

    /// Closes every connection once its last statement has ended.
    ///
    /// Nothing is lost without it; with it the write-ahead log is folded into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl Readiness for SqliteStore {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn is_ready(&self) -> bool {
        matches!(tokio::time::timeout(READY_WAIT, self.ping()).await, Ok(Ok(())))
    }
}
