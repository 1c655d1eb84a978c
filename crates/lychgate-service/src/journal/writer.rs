//! The one writer: a place for each publication, one commit for many, and only then those who hear it.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use lychgate_protocol::channel::ChannelName;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Job, JournalParts, Queued};
use crate::local_broker::GivenPlace;
use crate::ports::StoreError;
use crate::ports::broker::{
    Broker as _, BrokerError, Kept, KeptAuthor, KeptVersion, Position, Publication, Published, Version,
};
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
    fate: Fate,
}

enum Fate {
    /// It has no place.
    Passing,
    /// It has this one.
    Placed(GivenPlace),
    /// It came too late: the channel stands there already.
    Late(Position),
}

/// How far a channel has come within a batch.
struct Reach {
    /// Its addition.
    index: usize,
    offset: u64,
    version: Option<KeptVersion>,
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
        for Ready { mut queued, fate } in ready {
            let done = queued.done.take();
            let published = match (stored, fate) {
                // What one that came too late gave way to may be what is not stored.
                (Err(fault), Fate::Placed(_) | Fate::Late(_)) => Err(fault),
                (_, fate) => self.hand_out(&queued, &fate),
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
        let mut found: HashMap<ChannelName, Reach> = HashMap::new();
        let mut ready = Vec::with_capacity(batch.len());
        for mut queued in batch {
            if queued.is_transient {
                ready.push(Ready { queued, fate: Fate::Passing });
                continue;
            }
            // It was durable when it came; the rules do not change.
            let Some(retention) = self.0.rules.retention(&queued.channel) else { continue };
            let reach = match found.entry_ref(&queued.channel) {
                EntryRef::Occupied(entry) => entry.into_mut(),
                EntryRef::Vacant(entry) => match self.0.local.top(&queued.channel) {
                    Ok((top, version)) => {
                        additions.push(Addition {
                            channel: queued.channel.clone(),
                            epoch: top.epoch,
                            publications: Vec::new(),
                            version: version.clone(),
                            keep: retention.publications_max,
                            expires_at: after(now, retention.position_time_to_live),
                        });
                        entry.insert(Reach { index: additions.len() - 1, offset: top.offset, version })
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
            let addition = &mut additions[reach.index];
            if let Some(KeptVersion { number, epoch }) = &queued.version {
                match KeptVersion::after(reach.version.as_ref(), Version { number: *number, epoch }) {
                    None => {
                        let top = Position { epoch: addition.epoch, offset: reach.offset };
                        ready.push(Ready { queued, fate: Fate::Late(top) });
                        continue;
                    }
                    reached => {
                        addition.version.clone_from(&reached);
                        reach.version = reached;
                    }
                }
            }
            reach.offset += 1;
            let kept = Arc::new(Kept {
                offset: reach.offset,
                payload: std::mem::take(&mut queued.payload),
                author: queued.author.take(),
                tags: std::mem::take(&mut queued.tags),
            });
            let expires_at = after(now, retention.time_to_live);
            addition.publications.push(StoredPublication { kept: Arc::clone(&kept), expires_at });
            let place = GivenPlace { epoch: addition.epoch, retention, kept, version: reach.version.clone() };
            ready.push(Ready { queued, fate: Fate::Placed(place) });
        }
        additions.retain(|addition| !addition.publications.is_empty());
        (additions, ready)
    }

    fn hand_out(&self, queued: &Queued, fate: &Fate) -> Result<Published, BrokerError> {
        let Queued { channel, payload, exclude, author, tags, .. } = queued;
        let passing = Publication { exclude: *exclude, ..Publication::of(payload) };
        match fate {
            Fate::Passing => {
                let author = author.as_deref().map(KeptAuthor::author);
                let passing = Publication { author, tags: Some(tags), transient: true, ..passing };
                self.0.local.publish(channel, passing)
            }
            Fate::Placed(place) => {
                let Kept { payload, author, tags, .. } = &*place.kept;
                let author = author.as_deref().map(KeptAuthor::author);
                let placed = Publication { payload, author, tags: Some(tags), ..passing };
                Ok(self.0.local.place(channel, place, placed))
            }
            Fate::Late(top) => Ok(Published { offset: top.offset, epoch: Some(top.epoch), sessions: 0 }),
        }
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
