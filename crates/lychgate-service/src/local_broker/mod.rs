//! The broker of a single machine: offsets and history in memory, delivery straight into the hub.
//!
//! **Invariant:** assigning an offset, keeping the publication and appending it to the hub happen under one lock per
//! channel, and so does entering: offsets rise in the order in which subscribers see the frames, and whoever enters has
//! what came before in what it is told, and what comes after live. Who enters many channels at once holds all their locks.
//! What is kept is bounded: in each channel by its own rule, and in all of them together.
//!
//! **Absent on purpose:** the disk. After a restart every channel begins anew, with another epoch, and says so; what is to
//! outlive it is written and brought back by the [journal](crate::journal).

mod log;
mod places;
mod sharing;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hashbrown::HashMap;
use lychgate_hub::{Class, Encode, Registrar};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::encode;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use self::log::Log;
use crate::ports::broker::{
    Author, Broker, BrokerError, Entry, Epoch, Framing, Happening, HistoryPage, HistoryQuery, HistoryRefused, Kept,
    KeptAuthor, KeptVersion, Place, Position, Publication, Published, Retains, Tags,
};

pub(crate) use places::{Before, GivenPlace};

/// How many locks the channels are spread over.
const STRIPES: usize = 64;

/// How often what has lived long enough is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The codec class of plain endpoints: each publication is one WebSocket text frame that holds the payload as it is.
pub const CLASS_TEXT: Class = Class(0);

/// Delivers to this process's hub and completes at once.
pub struct LocalBroker {
    registrar: Registrar,
    hasher: RandomState,
    stripes: Box<[Mutex<HashMap<ChannelName, Count>>]>,
    framing: Option<Arc<dyn Framing>>,
    keeping: Option<Keeping>,
    bytes_kept: AtomicUsize,
    channels_kept: AtomicUsize,
}

/// What is kept, and how much of it there may be.
#[derive(Clone)]
pub struct Keeping {
    /// What each channel keeps.
    pub rules: Arc<dyn Retains>,
    /// Bytes in all channels together. When that becomes tight, the channels that keep most drop their oldest.
    pub bytes_max: usize,
    /// Channels whose place is remembered. Further ones take the place of those that nobody is in; without any such,
    /// publications that would be kept are refused.
    pub channels_max: usize,
}

/// What is kept at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepingFigures {
    /// Bytes.
    pub bytes: usize,
    /// Channels whose place is remembered.
    pub channels: usize,
}

/// How far a channel has come.
enum Count {
    /// It keeps nothing and is watched.
    Bare(u64),
    /// It keeps something.
    Logged(Box<Log>),
}

impl LocalBroker {
    /// A broker that publishes through `registrar`, and keeps nothing.
    #[must_use]
    pub fn new(registrar: Registrar) -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::new(HashMap::new())).collect();
        Self {
            registrar,
            hasher: RandomState::new(),
            stripes,
            framing: None,
            keeping: None,
            bytes_kept: AtomicUsize::new(0),
            channels_kept: AtomicUsize::new(0),
        }
    }

    /// The same, for members of more classes than plain text.
    #[must_use]
    pub fn with_framing(mut self, framing: Arc<dyn Framing>) -> Self {
        self.framing = Some(framing);
        self
    }

    /// The same, with channels that keep something.
    #[must_use]
    pub fn with_keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = Some(keeping);
        self
    }

    /// What is kept now.
    #[must_use]
    pub fn figures(&self) -> KeepingFigures {
        KeepingFigures {
            bytes: self.bytes_kept.load(Ordering::Relaxed),
            channels: self.channels_kept.load(Ordering::Relaxed),
        }
    }

    /// Channels whose place may be remembered.
    pub(crate) fn channels_max(&self) -> usize {
        self.keeping.as_ref().map_or(0, |keeping| keeping.channels_max)
    }

    /// Bytes that may still be kept.
    pub(crate) fn room(&self) -> usize {
        let bytes_max = self.keeping.as_ref().map_or(0, |keeping| keeping.bytes_max);
        bytes_max.saturating_sub(self.bytes_kept.load(Ordering::Relaxed))
    }

    /// Drops what has lived long enough, time and again, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut timer = interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = timer.tick() => self.sweep(Instant::now()),
                () = stop.cancelled() => return,
            }
        }
    }

    /// Drops what has lived long enough at `now`.
    pub fn sweep(&self, now: Instant) {
        for stripe in &self.stripes {
            stripe.lock().retain(|channel, count| {
                let Count::Logged(log) = count else { return true };
                self.weigh(log, |log| log.expire(now));
                let is_over = log.is_over(now) && self.registrar.members(channel) == 0;
                if is_over {
                    self.channels_kept.fetch_sub(1, Ordering::Relaxed);
                }
                !is_over
            });
        }
        self.level();
    }

    fn stripe(&self, channel: &ChannelName) -> &Mutex<HashMap<ChannelName, Count>> {
        &self.stripes[self.stripe_of(channel)]
    }

    fn stripe_of(&self, channel: &ChannelName) -> usize {
        let hash = self.hasher.hash_one(channel);
        usize::try_from(hash % STRIPES as u64).unwrap_or(0)
    }

    /// The log of a channel that keeps something, made if there is none; `None` for one that keeps nothing.
    fn log<'a>(
        &self,
        counts: &'a mut HashMap<ChannelName, Count>,
        channel: &ChannelName,
        now: Instant,
    ) -> Result<Option<&'a mut Log>, BrokerError> {
        let Some(keeping) = &self.keeping else { return Ok(None) };
        if !counts.contains_key(channel) {
            let Some(retention) = keeping.rules.retention(channel) else { return Ok(None) };
            if self.channels_kept.fetch_add(1, Ordering::Relaxed) >= keeping.channels_max {
                self.channels_kept.fetch_sub(1, Ordering::Relaxed);
                // One goes and one comes, so the number stays.
                if !self.make_place(counts) {
                    return Err(BrokerError::Unavailable);
                }
            }
            counts.insert(channel.clone(), Count::Logged(Box::new(Log::new(retention, now))));
        }
        Ok(match counts.get_mut(channel) {
            Some(Count::Logged(log)) => Some(log),
            _ => None,
        })
    }

    /// Does something to a log, and keeps the sum right.
    fn weigh(&self, log: &mut Log, change: impl FnOnce(&mut Log)) {
        let before = log.bytes();
        change(log);
        let after = log.bytes();
        if after >= before {
            self.bytes_kept.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.bytes_kept.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Keeps one publication, within what all channels may keep together.
    fn keep(&self, log: &mut Log, kept: Arc<Kept>, now: Instant) {
        self.weigh(log, |log| log.append(kept, now));
        self.fit(log);
    }

    /// Drops the oldest of a log until all channels together keep no more than they may.
    fn fit(&self, log: &mut Log) {
        let bytes_max = self.keeping.as_ref().map_or(0, |keeping| keeping.bytes_max);
        while self.bytes_kept.load(Ordering::Relaxed) > bytes_max {
            let mut is_empty = false;
            self.weigh(log, |log| is_empty = !log.drop_oldest());
            if is_empty {
                break;
            }
        }
    }

    /// Hands a publication to the hub, in its place, and with what its receivers had before it.
    fn hand_out(
        &self,
        channel: &ChannelName,
        publication: Publication<'_>,
        (offset, epoch): (u64, Option<Epoch>),
        previous: Option<&Kept>,
    ) -> usize {
        let Publication { payload, exclude, author, tags, .. } = publication;
        let previous = previous.map(|kept| &*kept.payload);
        let frame = Frame {
            framing: self.framing.as_deref(),
            channel,
            happening: Happening::Published {
                payload,
                author,
                offset,
                epoch,
                previous,
                tags: tags.map_or(&[], Tags::as_slice),
            },
        };
        let sessions = self.registrar.publish(channel, offset, &frame, exclude).sessions;
        // A channel that keeps nothing has nothing to tell its newcomers apart by.
        if let (Some(framing), Some(_)) = (&self.framing, epoch) {
            for (beginners, others) in framing.beginners() {
                self.registrar.convert(channel, *beginners, *others);
            }
        }
        sessions
    }
}

#[async_trait]
impl Broker for LocalBroker {
    fn publish(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError> {
        let mut counts = self.stripe(channel).lock();
        if publication.transient {
            if let Some(Count::Logged(log)) = counts.get_mut(channel) {
                log.interrupt();
            }
            let sessions = self.hand_out(channel, publication, (0, None), None);
            return Ok(Published { offset: 0, epoch: None, sessions });
        }
        if self.keeping.is_some() && !matches!(counts.get(channel), Some(Count::Bare(_))) {
            let now = Instant::now();
            if let Some(log) = self.log(&mut counts, channel, now)? {
                let top = log.top();
                if let Some(version) = publication.version {
                    let Some(version) = KeptVersion::after(log.version(), version) else {
                        return Ok(Published { offset: top.offset, epoch: Some(top.epoch), sessions: 0 });
                    };
                    log.set_version(Some(version));
                }
                let (offset, epoch) = (top.offset + 1, Some(top.epoch));
                let author = publication.author.map(|author: Author<'_>| Box::new(KeptAuthor::of(author)));
                let previous = log.previous();
                let tags = publication.tags.cloned().unwrap_or_default();
                self.keep(log, Arc::new(Kept { offset, payload: publication.payload.into(), author, tags }), now);
                let sessions = self.hand_out(channel, publication, (offset, epoch), previous.as_deref());
                return Ok(Published { offset, epoch, sessions });
            }
        }
        let offset = match counts.get(channel) {
            Some(Count::Bare(reached)) => reached + 1,
            _ => 1,
        };
        let sessions = self.hand_out(channel, publication, (offset, None), None);
        if sessions > 0 {
            match counts.get_mut(channel) {
                Some(reached) => *reached = Count::Bare(offset),
                None => {
                    counts.insert(channel.clone(), Count::Bare(offset));
                }
            }
        }
        Ok(Published { offset, epoch: None, sessions })
    }

    fn enter_all(&self, places: &[Place<'_>], limit: usize, enter: &mut dyn FnMut(&[Entry<'_>])) {
        let mut stripes: SmallVec<[usize; 1]> = places.iter().map(|place| self.stripe_of(place.channel)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        // Each lock once and in one order. Nobody else holds two of them, so nobody waits for somebody who waits.
        let mut locked: SmallVec<[_; 1]> = stripes.iter().map(|stripe| self.stripes[*stripe].lock()).collect();
        let now = Instant::now();
        let found: SmallVec<[_; 1]> = places
            .iter()
            .map(|Place { channel, since }| {
                let at = stripes.binary_search(&self.stripe_of(channel)).ok()?;
                // A channel too many keeps nothing, and so promises nothing.
                let log = self.log(locked.get_mut(at)?, channel, now).ok().flatten()?;
                log.touch(now);
                self.weigh(log, |log| log.expire(now));
                Some((log.top(), since.map(|since| log.missed(since, limit))))
            })
            .collect();
        // Asked once all have theirs: where room is made for one, another may have gone, and nobody is told of a place that
        // is no longer one.
        let is_there = |channel: &ChannelName, top: Position| {
            let counts = stripes.binary_search(&self.stripe_of(channel)).ok().and_then(|at| locked.get(at));
            matches!(counts.and_then(|counts| counts.get(channel)), Some(Count::Logged(log)) if log.top() == top)
        };
        let entries: SmallVec<[_; 1]> = places
            .iter()
            .zip(&found)
            .map(|(place, found)| match found {
                Some((top, missed)) if is_there(place.channel, *top) => Entry {
                    top: Some(*top),
                    recovered: missed.as_ref().map(Option::is_some),
                    missed: missed.as_ref().and_then(Option::as_deref).unwrap_or_default(),
                },
                _ => Entry { top: None, recovered: place.since.map(|_| false), missed: &[] },
            })
            .collect();
        enter(&entries);
    }

    fn history(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> Result<HistoryPage, HistoryRefused> {
        let mut counts = self.stripe(channel).lock();
        let now = Instant::now();
        let Ok(Some(log)) = self.log(&mut counts, channel, now) else { return Err(HistoryRefused::NotKept) };
        log.touch(now);
        self.weigh(log, |log| log.expire(now));
        log.page(query)
    }

    fn tell(&self, channel: &ChannelName, happening: Happening<'_>) {
        let frame = Frame { framing: self.framing.as_deref(), channel, happening };
        // Under the same lock as publications, so that whoever enters is told of everybody who comes behind it.
        let _counts = self.stripe(channel).lock();
        self.registrar.publish(channel, 0, &frame, None);
    }

    async fn forget(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        if let Some(Count::Logged(log)) = self.stripe(channel).lock().get_mut(channel) {
            self.weigh(log, Log::clear);
        }
        Ok(())
    }

    fn vacated(&self, channel: &ChannelName) {
        let mut counts = self.stripe(channel).lock();
        match counts.get_mut(channel) {
            // Asked again under the lock: somebody may have subscribed and published since.
            Some(Count::Bare(_)) if self.registrar.members(channel) == 0 => {
                counts.remove(channel);
            }
            Some(Count::Logged(log)) => log.touch(Instant::now()),
            _ => {}
        }
    }
}

/// What happens in a channel, which knows how it looks on the wire in each codec class.
struct Frame<'a> {
    framing: Option<&'a dyn Framing>,
    channel: &'a ChannelName,
    happening: Happening<'a>,
}

impl Encode for Frame<'_> {
    fn encode(&self, class: Class, _offset: u64, out: &mut Vec<u8>) {
        match self.happening {
            Happening::Published { payload, .. } if class == CLASS_TEXT => encode::text(payload, out),
            _ if class == CLASS_TEXT => {}
            happening => {
                if let Some(framing) = self.framing {
                    framing.frame(class, self.channel, happening, out);
                }
            }
        }
    }
}
