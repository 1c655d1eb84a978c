//! The copy of presence: one key per user, a hash with the state in one field or a whole value, which runs out unless it
//! is written again. Where a channel is named, whoever listens to it is told of each write in the same transaction.

use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::ports::presence_mirror::{Copied, MirrorError, PresenceMirror};
use lychgate_service::ports::readiness::Readiness;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use secrecy::SecretString;
use tokio::time::timeout;

use crate::OpenError;
use crate::connection::Connection;

/// How long [`Readiness::is_ready`] waits for an answer.
const READY_WAIT: Duration = Duration::from_secs(1);
/// How long a PING waits on a connection that is there: less, so that a silent one is let go of before the answer.
const PING_WAIT: Duration = Duration::from_millis(800);

/// Keeps states in Redis.
pub struct RedisPresence {
    connection: Connection,
    /// None for a whole value.
    field: Option<Box<str>>,
    channel: Option<Box<str>>,
}

impl RedisPresence {
    /// The field that holds the state, unless another one is named.
    pub const FIELD: &str = "status";

    /// Will keep states in the Redis that `url` names, in the field `field` of each user's hash. Connects when needed.
    ///
    /// # Errors
    ///
    /// [`OpenError::Url`].
    pub fn new(url: &SecretString, field: &str) -> Result<Self, OpenError> {
        Ok(Self { connection: Connection::new(url)?, field: Some(field.into()), channel: None })
    }

    /// Like [`new`](Self::new), and makes sure that Redis answers: within 2 s for the connection and 800 ms more.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open(url: &SecretString, field: &str) -> Result<Self, OpenError> {
        let presence = Self::new(url, field)?;
        match presence.ping().await {
            Ok(()) => Ok(presence),
            Err(error) if is_refusal(&error) => {
                Err(OpenError::Refused { address: presence.address(), source: error.into() })
            }
            Err(error) => Err(OpenError::Unavailable { address: presence.address(), source: error.into() }),
        }
    }

    /// The same, and the keys hold whole values and no hashes.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { field: None, ..self }
    }

    /// The same, and each write is published in `channel` as well.
    #[must_use]
    pub fn publishing(self, channel: &str) -> Self {
        Self { channel: Some(channel.into()), ..self }
    }

    /// The host and port, or the path of the socket; without the password.
    pub fn address(&self) -> String {
        self.connection.address()
    }

    async fn ping(&self) -> Result<(), RedisError> {
        let mut current = self.connection.get().await?;
        let ping = redis::cmd("PING");
        let answer = timeout(PING_WAIT, ping.exec_async(&mut current.connection)).await;
        let answer = answer.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Io, "no answer to PING in time"))));
        if answer.is_err() {
            self.connection.forget(&current).await;
        }
        answer
    }
}

#[async_trait]
impl PresenceMirror for RedisPresence {
    async fn set(&self, key: &str, copied: &Copied, ttl: Duration) -> Result<(), MirrorError> {
        let mut current = self.connection.get().await.map_err(unavailable)?;
        // Redis counts in seconds here, and 0 would delete the key.
        let ttl_s = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        let mut write = redis::pipe();
        // One transaction: a state without an end would stay for ever. Redis takes nothing back, so what is no hash and
        // lies under the key gets an end as well; these keys are to be ours.
        write.atomic();
        match &self.field {
            Some(field) => write.hset(key, &**field, &*copied.value).ignore().expire(key, ttl_s).ignore(),
            None => write.cmd("SET").arg(key).arg(&*copied.value).arg("EX").arg(ttl_s).ignore(),
        };
        if let Some(channel) = &self.channel {
            let message = copied.message.as_ref().unwrap_or(&copied.value);
            write.publish(&**channel, &**message).ignore();
        }
        match write.exec_async(&mut current.connection).await {
            Ok(()) => Ok(()),
            Err(error) if is_wrong_type(&error) => Err(MirrorError::Refused(error.into())),
            Err(error) => {
                self.connection.forget(&current).await;
                Err(unavailable(error))
            }
        }
    }
}

#[async_trait]
impl Readiness for RedisPresence {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn is_ready(&self) -> bool {
        matches!(timeout(READY_WAIT, self.ping()).await, Ok(Ok(())))
    }
}

fn unavailable(error: RedisError) -> MirrorError {
    MirrorError::Unavailable(error.into())
}

/// Whether somebody else keeps something under the key that is no hash.
fn is_wrong_type(error: &RedisError) -> bool {
    error.to_string().contains("WRONGTYPE")
}

fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm))
        || ["NOAUTH", "WRONGPASS"].iter().any(|code| error.to_string().contains(code))
}
