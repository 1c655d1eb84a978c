//! Places that somebody else gives out: for publications that are stored before anybody sees them.
//!
//! **Invariant:** one caller alone gives out the places of a channel. So nothing takes the next one between
//! [`LocalBroker::top`] and [`LocalBroker::place`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lychgate_protocol::channel::ChannelName;
use tokio::time::Instant;

use super::log::Log;
use super::{Count, LocalBroker};
use crate::ports::broker::{BrokerError, Epoch, Kept, KeptVersion, Position, Publication, Published, Retention};

/// What a channel kept before the process began.
pub(crate) struct Before {
    /// Where the channel stood.
    pub(crate) position: Position,
    /// The version of the last publication that had one.
    pub(crate) version: Option<KeptVersion>,
    /// What it keeps now.
    pub(crate) retention: Retention,
    /// What it kept, oldest first, each with the time that it has left.
    pub(crate) kept: Vec<(Duration, Arc<Kept>)>,
}

/// A place that a stored publication has.
pub(crate) struct GivenPlace {
    /// Which run of numbers.
    pub(crate) epoch: Epoch,
    /// What its channel keeps.
    pub(crate) retention: Retention,
    /// The publication.
    pub(crate) kept: Arc<Kept>,
    /// The version that its channel has reached with it.
    pub(crate) version: Option<KeptVersion>,
}

impl LocalBroker {
    /// Where `channel` stands, which has to be one that keeps something, and which version it has reached.
    pub(crate) fn top(&self, channel: &ChannelName) -> Result<(Position, Option<KeptVersion>), BrokerError> {
        let mut counts = self.stripe(channel).lock();
        let now = Instant::now();
        let log = self.log(&mut counts, channel, now)?.ok_or(BrokerError::Unavailable)?;
        log.touch(now);
        Ok((log.top(), log.version().cloned()))
    }

    /// Gives a publication the place behind the top, and hands it out.
    pub(crate) fn place(&self, channel: &ChannelName, place: &GivenPlace, publication: Publication<'_>) -> Published {
        let GivenPlace { epoch, retention, kept, version } = place;
        let (epoch, retention) = (*epoch, *retention);
        let mut counts = self.stripe(channel).lock();
        let now = Instant::now();
        let offset = kept.offset;
        let position = Position { epoch, offset: offset - 1 };
        if !matches!(counts.get(channel), Some(Count::Logged(log)) if log.top() == position) {
            // It was swept away since; where it stood counts, as it is stored.
            let log = Count::Logged(Box::new(Log::at(position, retention, now)));
            if counts.insert(channel.clone(), log).is_none() {
                self.channels_kept.fetch_add(1, Ordering::Relaxed);
            }
        }
        let mut previous = None;
        if let Some(Count::Logged(log)) = counts.get_mut(channel) {
            previous = log.previous();
            self.keep(log, Arc::clone(kept), now);
            log.set_version(version.clone());
        }
        let sessions = self.hand_out(channel, publication, (offset, Some(epoch)), previous.as_deref());
        Published { offset, epoch: Some(epoch), sessions }
    }

    /// Brings back what a channel kept; whether there is room for one more channel.
    pub(crate) fn restore(&self, channel: ChannelName, before: Before) -> bool {
        let Before { position, version, retention, kept } = before;
        let Some(keeping) = &self.keeping else { return false };
        if self.channels_kept.fetch_add(1, Ordering::Relaxed) >= keeping.channels_max {
            self.channels_kept.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let now = Instant::now();
        let came = |left: Duration| now.checked_sub(retention.time_to_live.saturating_sub(left)).unwrap_or(now);
        let mut log = Log::at(position, retention, now);
        log.set_version(version);
        let kept = kept.into_iter().map(|(left, kept)| (came(left), kept)).collect();
        self.weigh(&mut log, |log| log.refill(kept));
        self.fit(&mut log);
        self.stripe(&channel).lock().insert(channel.clone(), Count::Logged(Box::new(log)));
        true
    }
}
