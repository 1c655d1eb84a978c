//! How connections are made.
//!
//! **Invariant:** write-ahead log, a sync at every commit, foreign keys on, and a wait of 5 s for another process's lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};

use super::OpenError;
use super::faults::{is_busy, open_error};
use super::schema;

/// How long a statement waits for a lock, and a caller for a connection.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long to pause before trying again what SQLite refuses as busy without waiting.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Connections that read.
const READERS_MAX: u32 = 4;
/// What the write-ahead log is cut back to when it is folded in, in bytes.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How the connections to one file are set up.
pub(super) struct Setup {
    path: PathBuf,
    options: SqliteConnectOptions,
    busy_wait: Duration,
}

impl Setup {
    pub(super) fn new(path: &Path) -> Self {
        Self::with_busy_wait(path, BUSY_WAIT)
    }

    pub(super) fn with_busy_wait(path: &Path, busy_wait: Duration) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            // The file was made before, with its mode.
            .create_if_missing(false)
            .busy_timeout(busy_wait)
            .foreign_keys(true)
            // Functions that a schema calls are not trusted: the file may come from a backup that somebody edited.
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        Self { path: path.into(), options, busy_wait }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that changes nothing about the file, to look at it before it is taken for ours.
    pub(super) async fn visitor(&self) -> Result<SqliteConnection, OpenError> {
        self.options.connect().await.map_err(|error| open_error(&self.path, error))
    }

    /// The one connection that writes, made.
    ///
    /// Switching to the write-ahead log is refused as busy, without the wait, while another process does the same.
    pub(super) async fn writer(&self) -> Result<SqlitePool, OpenError> {
        let options = self.durable().pragma("secure_delete", "ON");
        let attempt = async || {
            let pool = only_connection().connect_with(options.clone());
            pool.await
        };
        let until = tokio::time::Instant::now() + self.busy_wait;
        loop {
            match attempt().await {
                Ok(pool) => return Ok(pool),
                Err(error) if is_busy(&error) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(open_error(&self.path, error)),
            }
        }
    }

    /// The connections that read, made as they are needed.
    pub(super) fn readers(&self) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(BUSY_WAIT)
            .connect_lazy_with(self.durable().pragma("query_only", "ON"))
    }

    fn durable(&self) -> SqliteConnectOptions {
        self.options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", JOURNAL_BYTES_MAX.to_string())
    }
}

/// A database in memory, on the one connection that it lives as long as.
pub(super) async fn memory() -> Result<SqlitePool, OpenError> {
    let path = Path::new(":memory:");
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true).disable_statement_logging();
    let pool = only_connection().connect_with(options).await.map_err(|error| open_error(path, error))?;
    schema::migrate(&pool, path).await?;
    Ok(pool)
}

/// A pool of one connection that is never given up.
fn only_connection() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .acquire_timeout(BUSY_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
