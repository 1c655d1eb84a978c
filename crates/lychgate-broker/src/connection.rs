//! One connection that many share, made anew after a failure.
//!
//! The next call after a failure connects; whoever waits for an attempt shares its outcome, so that many calls do not
//! wait for a dead address one after the other.
//! Redis's own manager is not used: it gives up for good when a server that it comes back to does not let it in,
//! and keeps a connection whose other end is silent.
//!
//! **Invariant:** a connection that failed once is never handed out again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use crate::OpenError;

/// How long connecting may take, logging in among it.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// How long an answer may take.
const RESPONSE_WAIT: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    client: Client,
    config: AsyncConnectionConfig,
    current: Mutex<Option<Numbered>>,
    /// How many attempts to connect have ended.
    attempts: AtomicU64,
}

/// A connection, and the attempt that made it.
#[derive(Clone)]
pub(crate) struct Numbered {
    pub(crate) connection: MultiplexedConnection,
    attempt: u64,
}

impl Connection {
    /// Will connect to where `url` points to.
    pub(crate) fn new(url: &SecretString) -> Result<Self, OpenError> {
        let url = url.expose_secret();
        if ["rediss:", "valkeys:"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(OpenError::Url { what: "TLS to Redis is not built in" });
        }
        // The library's own words are left out: they may quote a part of the URL.
        let client = Client::open(url).map_err(|_| OpenError::Url { what: "it does not name a Redis server" })?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT))
            .set_response_timeout(Some(RESPONSE_WAIT));
        Ok(Self { client, config, current: Mutex::new(None), attempts: AtomicU64::new(0) })
    }

    /// The host and port, or the path of the socket.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// The connection, made now if there is none.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have connected or not; the next one goes on from there.
    pub(crate) async fn get(&self) -> Result<Numbered, RedisError> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        if let Some(current) = &*current {
            return Ok(current.clone());
        }
        if self.attempts.load(Ordering::Acquire) != seen {
            return Err(RedisError::from((ErrorKind::Io, "an attempt to connect has just failed")));
        }
        let connected = self.client.get_multiplexed_async_connection_with_config(&self.config).await;
        let attempt = self.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        let connection = connected?;
        Ok(current.insert(Numbered { connection, attempt }).clone())
    }

    /// Lets go of a connection that failed, unless it was replaced already.
    pub(crate) async fn forget(&self, failed: &Numbered) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| current.attempt == failed.attempt) {
            *current = None;
        }
    }
}
