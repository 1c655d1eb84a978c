//! One writer for all messages that are kept: many in one commit, and published in the order of their numbers.
//!
//! **Invariant:** what a channel's subscribers see is in the order in which the store has it, and nothing is seen
//! that is not stored. Whoever joins between two commits sees what was stored before in the history and what is stored
//! after live: no message twice, none missing.

use std::sync::Arc;

use lychgate_protocol::channel::ChannelName;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ports::StoreError;
use crate::ports::messages::{MessageId, Messages, NewMessage, StoredMessage};

/// Messages that wait to be stored; more are refused.
const QUEUE_MAX: usize = 1_024;

/// The most messages of one commit.
const COMMIT_MAX: usize = 64;

/// A channel that keeps only so many is trimmed once in this many messages of all channels.
const TRIM_EVERY: i64 = 64;

/// Why a message was not stored, and so not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The author's account is gone.
    #[error("the author is no user of this server")]
    UnknownAuthor,
    /// Too many wait already, or the server is stopping.
    #[error("too many messages wait to be stored")]
    Busy,
    /// The store failed; the log has the cause.
    #[error("the store failed")]
    Failed,
}

/// Stores messages. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<Job>);

type Publish = Box<dyn FnOnce(MessageId) + Send>;
type Join = Box<dyn FnOnce(Vec<StoredMessage>) + Send>;

enum Job {
    Store {
        message: NewMessage,
        keep: Option<u32>,
        publish: Publish,
        done: oneshot::Sender<Result<MessageId, NotStored>>,
    },
    Join {
        channel: ChannelName,
        limit: u32,
        join: Join,
        done: oneshot::Sender<Result<(), NotStored>>,
    },
}

impl Recorder {
    /// Starts the writer as a child of `tasks`. It stops with `stop`, after what waits then.
    #[must_use]
    pub fn start(messages: Arc<dyn Messages>, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        tasks.spawn(write(messages, waiting, stop));
        Self(jobs)
    }

    /// Stores one message and calls `publish` with its number, before that of any later message.
    ///
    /// # Errors
    ///
    /// [`NotStored`]; then `publish` was not called.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have stored and published the message.
    pub async fn record(
        &self,
        message: NewMessage,
        keep: Option<u32>,
        publish: Publish,
    ) -> Result<MessageId, NotStored> {
        let (done, stored) = oneshot::channel();
        self.0.try_send(Job::Store { message, keep, publish, done }).map_err(|_| NotStored::Busy)?;
        stored.await.unwrap_or(Err(NotStored::Busy))
    }

    /// Calls `join` with the newest messages of `channel`, newest first, at a moment between two commits:
    /// whoever subscribes in it misses nothing and sees nothing twice.
    ///
    /// # Errors
    ///
    /// [`NotStored`]; then `join` was not called.
    pub async fn join(&self, channel: &ChannelName, limit: u32, join: Join) -> Result<(), NotStored> {
        let (done, joined) = oneshot::channel();
        let job = Job::Join { channel: channel.clone(), limit, join, done };
        // Each newcomer waits for one place, so there are no more of them than connections.
        self.0.send(job).await.map_err(|_| NotStored::Busy)?;
        joined.await.unwrap_or(Err(NotStored::Busy))
    }
}

async fn write(messages: Arc<dyn Messages>, mut waiting: mpsc::Receiver<Job>, stop: CancellationToken) {
    let mut jobs = Vec::with_capacity(COMMIT_MAX);
    loop {
        let received = tokio::select! {
            biased;
            received = waiting.recv_many(&mut jobs, COMMIT_MAX) => received,
            () = stop.cancelled() => {
                // What is in the queue was promised an answer.
                waiting.close();
                waiting.recv_many(&mut jobs, QUEUE_MAX).await
            }
        };
        if received == 0 {
            return;
        }
        let mut batch = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Store { .. } => batch.push(job),
                Job::Join { channel, limit, join, done } => {
                    store(&*messages, std::mem::take(&mut batch)).await;
                    let joined = match messages.history(&channel, None, limit).await {
                        Ok(history) => {
                            join(history);
                            Ok(())
                        }
                        Err(error) => Err(failed(&error)),
                    };
                    let _ = done.send(joined);
                }
            }
        }
        store(&*messages, batch).await;
    }
}

async fn store(messages: &dyn Messages, batch: Vec<Job>) {
    if batch.is_empty() {
        return;
    }
    let mut new = Vec::with_capacity(batch.len());
    let mut rest = Vec::with_capacity(batch.len());
    for job in batch {
        if let Job::Store { message, keep, publish, done } = job {
            let channel = message.channel.clone();
            new.push(message);
            rest.push((channel, keep, publish, done));
        }
    }
    let stored = match messages.append(&new).await {
        Ok(stored) => stored,
        Err(error) => {
            let failed = failed(&error);
            for (_, _, _, done) in rest {
                let _ = done.send(Err(failed));
            }
            return;
        }
    };
    for ((channel, keep, publish, done), stored) in rest.into_iter().zip(stored) {
        let Ok(id) = stored else {
            let _ = done.send(Err(NotStored::UnknownAuthor));
            continue;
        };
        publish(id);
        let _ = done.send(Ok(id));
        if let Some(keep) = keep.filter(|_| id.0 % TRIM_EVERY == 0)
            && let Err(error) = messages.trim(&channel, keep).await
        {
            failed(&error);
        }
    }
}

fn failed(error: &StoreError) -> NotStored {
    let cause: &dyn std::error::Error = error;
    tracing::error!(cause, "messages are not stored");
    NotStored::Failed
}
