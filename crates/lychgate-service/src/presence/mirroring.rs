//! Keeps a copy of one board.
//!
//! The board puts states into a queue and goes on; one loop writes them, a few at a time, and tries again what failed.
//! While the copy is away, each user's newest state waits for it, and the older ones are forgotten.
//!
//! **Invariant:** a board never waits for its copy.
//!
//! **Absent on purpose:** reading the copy. It is for others; a board believes itself alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::board::Refreshed;
use super::form::CopyForm;
use super::mirror_queue::{MirrorQueue, Write, Written};
use crate::ports::clock::Clock;
use crate::ports::presence_mirror::{MirrorError, PresenceMirror};
use crate::principal::Principal;

/// Where the copy of a board is kept.
#[derive(Clone)]
pub struct Mirroring {
    /// Keeps it.
    pub mirror: Arc<dyn PresenceMirror>,
    /// The key of a user.
    pub key: Arc<dyn Fn(&Principal) -> String + Send + Sync>,
    /// How a state looks in it.
    pub form: Arc<CopyForm>,
    /// The time, which the form may tell.
    pub clock: Arc<dyn Clock>,
    /// How long a state is kept that is not written again.
    pub ttl: Duration,
}

/// What became of a copy since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorFigures {
    /// States that were written.
    pub written: u64,
    /// Writes that failed and were tried again.
    pub failed: u64,
    /// States that the copy refused; they are not tried again.
    pub refused: u64,
    /// States that found no place in the queue: as many users as may be there were waiting already, or it was too long.
    pub dropped: u64,
    /// Users whose newest state is not written yet.
    pub waiting: usize,
}

/// How many writes are under way at a time.
const WRITES_MAX: usize = 32;
/// How long one write may take.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// How long to wait after a first failure; the double after each that follows.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long what is queued at the end may take.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// The queue before the copy, and the loop that empties it.
pub(super) struct MirrorWriter {
    mirroring: Mirroring,
    queue: Mutex<MirrorQueue>,
    queued: Notify,
    written: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
}

impl MirrorWriter {
    pub(super) fn new(mirroring: Mirroring, keys_max: usize) -> Self {
        let [written, failed, refused, dropped] = Default::default();
        let queue = Mutex::new(MirrorQueue::new(keys_max));
        Self { mirroring, queue, queued: Notify::new(), written, failed, refused, dropped }
    }

    /// Queues states, the newest of a user in place of an older one. Never waits.
    pub(super) fn queue(&self, states: &[Refreshed]) {
        if states.is_empty() {
            return;
        }
        let now = self.mirroring.clock.now();
        let mut queue = self.queue.lock();
        for Refreshed { user, state } in states {
            let copied = self.mirroring.form.copy(user, state, now);
            if !copied.is_some_and(|copied| queue.push(&(self.mirroring.key)(user), copied)) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(queue);
        self.queued.notify_one();
    }

    pub(super) fn figures(&self) -> MirrorFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MirrorFigures {
            written: read(&self.written),
            failed: read(&self.failed),
            refused: read(&self.refused),
            dropped: read(&self.dropped),
            waiting: self.queue.lock().len(),
        }
    }

    /// Writes until `stop`, then what is left, for as long as [`FLUSH_WAIT`] lasts.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        // A run that was dropped may have left some behind.
        self.queue.lock().take_back();
        tokio::select! {
            biased;
            // What this cuts off is taken back below and written again.
            () = stop.cancelled() => {}
            () = self.write_for_ever() => {}
        }
        self.queue.lock().take_back();
        if timeout(FLUSH_WAIT, self.write_what_is_left()).await.is_err() {
            tracing::warn!("the copy of presence did not take the last states; they run out there by themselves");
        }
    }

    async fn write_for_ever(&self) {
        loop {
            self.queued.notified().await;
            self.write_what_is_left().await;
        }
    }

    async fn write_what_is_left(&self) {
        let mut wait = None;
        while self.queue.lock().has_next() {
            match self.write_some().await {
                Ok(()) => {
                    if wait.take().is_some() {
                        tracing::info!("the copy of presence is written again");
                    }
                }
                Err(cause) => {
                    if wait.is_none() {
                        tracing::warn!(%cause, "the copy of presence cannot be written; the newest states wait for it");
                    }
                    let now = wait.map_or(BACKOFF_MIN, |before: Duration| BACKOFF_MAX.min(before * 2));
                    wait = Some(now);
                    sleep(now).await;
                }
            }
        }
    }

    /// One round of writes; an error if every one of them failed.
    async fn write_some(&self) -> Result<(), String> {
        let writes = self.queue.lock().take(WRITES_MAX);
        let results = join_all(writes.iter().map(|write| self.write(write))).await;
        let mut failure = None;
        let mut is_there = false;
        let mut queue = self.queue.lock();
        for (write, result) in writes.iter().zip(results) {
            match result {
                Ok(()) => {
                    is_there = true;
                    self.written.fetch_add(1, Ordering::Relaxed);
                    queue.finish(&write.key, Written::Settled);
                }
                Err(error @ MirrorError::Refused(_)) => {
                    is_there = true;
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(cause = text_of(&error), "a state was not copied");
                    queue.finish(&write.key, Written::Settled);
                }
                Err(error @ MirrorError::Unavailable(_)) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    failure.get_or_insert_with(|| text_of(&error));
                    queue.finish(&write.key, Written::Failed);
                }
            }
        }
        failure.filter(|_| !is_there).map_or(Ok(()), Err)
    }

    async fn write(&self, write: &Write) -> Result<(), MirrorError> {
        let set = self.mirroring.mirror.set(&write.key, &write.copied, self.mirroring.ttl);
        timeout(WRITE_WAIT, set).await.unwrap_or_else(|late| Err(MirrorError::Unavailable(late.into())))
    }
}

/// An error with its cause, in one line.
fn text_of(error: &MirrorError) -> String {
    match error {
        MirrorError::Unavailable(cause) | MirrorError::Refused(cause) => format!("{error}: {cause}"),
    }
}
