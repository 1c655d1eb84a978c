//! The one writer: a place for each publication, one commit for many, and only then those who hear it.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use lychgate_protocol::channel::ChannelName;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Job, JournalParts, Queued};
use crate::ports::StoreError;
use crate::ports::broker::{Broker as _, BrokerError, Epoch, Kept, KeptAuthor, Publication, Published, Retention};
use crate::ports::clock::UnixMicros;
use crate::ports::publications::{Addition, StoredPublication};

/// The most publications of one commit.
const COMMIT_MAX: usize = 64;

/// How often what has expired is removed, and how much at a time.
const PURGE_EVERY: Duration = Duration::from_secs(5);
const PURGE_MAX: u32 = 10_000;

pub(super) struct Writer(JournalParts);

/// A publication that is to be handed out after the commit.
struct Ready {
    queued: Queued,
    /// Its place; `None` for one without.
    place: Option<(Epoch, Retention, Arc<Kept>)>,
}

impl Writer {
    pub(super) const fn new(parts: JournalParts) -> Self {
        Self(parts)
    }

    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Job>, stop: CancellationToken) {
        let mut jobs = Vec::with_capacity(COMMIT_MAX);
        let mut purge = interval(PURGE_EVERY);
        purge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let received = tokio::select! {
                biased;
                _ = purge.tick() => {
                    self.purge().await;
                    continue;
                }
                () = stop.cancelled(), if !waiting.is_closed() => {
                    // What is in the queue is still done.
                    waiting.close();
                    continue;
                }
                received = waiting.recv_many(&mut jobs, COMMIT_MAX) => received,
            };
            if received == 0 {
                return;
            }
            let mut batch = Vec::new();
            for job in jobs.drain(..) {
                match job {
                    Job::Publish(queued) => batch.push(queued),
                    Job::Forget { channel, done } => {
                        self.commit(std::mem::take(&mut batch)).await;
                        let _ = done.send(self.forget(&channel).await);
                    }
                }
            }
            self.commit(batch).await;
        }
    }

    async fn commit(&self, batch: Vec<Queued>) {
        let (additions, ready) = self.with_places(batch);
        let stored = if additions.is_empty() { Ok(()) } else { self.0.publications.append(&additions).await };
        let stored = stored.map_err(|error| failed(&error));
        for Ready { mut queued, place } in ready {
            let done = queued.done.take();
            let published = match (stored, place) {
                (Err(fault), Some(_)) => Err(fault),
                (_, place) => self.hand_out(&queued, place),
            };
            if let Some(done) = done {
                let _ = done.send(published);
            }
        }
    }

    /// The place of each publication, and what has to be stored for that.
    fn with_places(&self, batch: Vec<Queued>) -> (Vec<Addition>, Vec<Ready>) {
        let now = self.0.clock.now();
        let mut additions: Vec<Addition> = Vec::new();
        let mut found: HashMap<ChannelName, (usize, u64)> = HashMap::new();
        let mut ready = Vec::with_capacity(batch.len());
        for mut queued in batch {
            if queued.is_transient {
                ready.push(Ready { queued, place: None });
                continue;
            }
            // It was durable when it came; the rules do not change.
            let Some(retention) = self.0.rules.retention(&queued.channel) else { continue };
            let (index, reached) = match found.get(&queued.channel) {
                Some(place) => *place,
                None => match self.0.local.top(&queued.channel) {
                    Ok(top) => {
                        additions.push(Addition {
                            channel: queued.channel.clone(),
                            epoch: top.epoch,
                            publications: Vec::new(),
                            keep: retention.publications_max,
                            expires_at: after(now, retention.position_time_to_live),
                        });
                        (additions.len() - 1, top.offset)
                    }
                    Err(fault) => {
                        tracing::warn!(channel = %queued.channel, cause = %fault, "a publication has no place");
                        if let Some(done) = queued.done.take() {
                            let _ = done.send(Err(fault));
                        }
                        continue;
                    }
                },
            };
            let offset = reached + 1;
            found.insert(queued.channel.clone(), (index, offset));
            let kept =
                Arc::new(Kept { offset, payload: std::mem::take(&mut queued.payload), author: queued.author.take() });
            let addition = &mut additions[index];
            let expires_at = after(now, retention.time_to_live);
            addition.publications.push(StoredPublication { kept: Arc::clone(&kept), expires_at });
            let place = Some((addition.epoch, retention, kept));
            ready.push(Ready { queued, place });
        }
        (additions, ready)
    }

    fn hand_out(
        &self,
        queued: &Queued,
        place: Option<(Epoch, Retention, Arc<Kept>)>,
    ) -> Result<Published, BrokerError> {
        let Some((epoch, retention, kept)) = place else {
            let author = queued.author.as_deref().map(KeptAuthor::author);
            let publication =
                Publication { payload: &queued.payload, exclude: queued.exclude, author, transient: true };
            return self.0.local.publish(&queued.channel, publication);
        };
        let author = kept.author.as_deref().map(KeptAuthor::author);
        let publication = Publication { payload: &kept.payload, exclude: queued.exclude, author, transient: false };
        Ok(self.0.local.place(&queued.channel, (epoch, retention), &kept, publication))
    }

    async fn forget(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.0.publications.forget(channel).await.map_err(|error| failed(&error))?;
        self.0.local.forget(channel).await
    }

    async fn purge(&self) {
        if let Err(error) = self.0.publications.purge(self.0.clock.now(), PURGE_MAX).await {
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(cause, "publications that have expired are still stored");
        }
    }
}

fn after(now: UnixMicros, time: Duration) -> UnixMicros {
    UnixMicros(now.0.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}

fn failed(error: &StoreError) -> BrokerError {
    let cause: &dyn std::error::Error = error;
    tracing::error!(cause, "publications are not stored");
    BrokerError::NotStored
}
