//! What one channel keeps: its newest publications, and where it stands.
//!
//! **Invariant:** the offsets of `kept` are consecutive and end at `reached`, unless it is empty.
//! So whether anything is missing behind a place is a comparison.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::ports::broker::{
    Epoch, HistoryPage, HistoryQuery, HistoryRefused, Kept, KeptVersion, Position, Retention, Since,
};

/// What each publication costs beside its bytes.
const OVERHEAD_BYTES: usize = 96;

/// How long a channel in which nothing was ever published is remembered once nobody uses it. It costs nothing to name one,
/// and whoever comes back later is told that it began anew.
const UNUSED_FOR: Duration = Duration::from_secs(60);

/// The log of one channel.
pub(super) struct Log {
    epoch: Epoch,
    reached: u64,
    retention: Retention,
    kept: VecDeque<(Instant, Arc<Kept>)>,
    bytes: usize,
    touched: Instant,
    /// Members have had something last that is not kept.
    is_interrupted: bool,
    /// The version of the last publication that had one.
    version: Option<Box<KeptVersion>>,
}

impl Log {
    pub(super) fn new(retention: Retention, now: Instant) -> Self {
        Self::at(Position { epoch: Epoch::fresh(), offset: 0 }, retention, now)
    }

    /// The log of a channel that has come that far already.
    pub(super) fn at(position: Position, retention: Retention, now: Instant) -> Self {
        Self {
            epoch: position.epoch,
            reached: position.offset,
            retention,
            kept: VecDeque::new(),
            bytes: 0,
            touched: now,
            is_interrupted: false,
            version: None,
        }
    }

    /// Where the channel stands.
    pub(super) const fn top(&self) -> Position {
        Position { epoch: self.epoch, offset: self.reached }
    }

    /// The version of the last publication that had one.
    pub(super) fn version(&self) -> Option<&KeptVersion> {
        self.version.as_deref()
    }

    /// Notes that a publication of that version has its place, or had it before the process began.
    pub(super) fn set_version(&mut self, version: Option<KeptVersion>) {
        self.version = version.map(Box::new);
    }

    /// Bytes that it keeps.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The newest publication, if it is what members have had last.
    pub(super) fn previous(&self) -> Option<Arc<Kept>> {
        let (_, kept) = self.kept.back().filter(|_| !self.is_interrupted)?;
        Some(Arc::clone(kept))
    }

    /// Notes that members are sent something that is not kept.
    pub(super) const fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// Takes back what was kept before, oldest first, each with the time when it came; whatever does not lead to where
    /// the channel stands without a hole is left out.
    pub(super) fn refill(&mut self, kept: Vec<(Instant, Arc<Kept>)>) {
        let mut next = self.reached;
        for (at, kept) in kept.into_iter().rev() {
            if kept.offset != next || next == 0 {
                return;
            }
            next -= 1;
            self.bytes += cost(&kept);
            self.kept.push_front((at, kept));
        }
    }

    /// Takes the next publication.
    pub(super) fn append(&mut self, kept: Arc<Kept>, now: Instant) {
        self.reached = kept.offset;
        self.is_interrupted = false;
        self.touched = now;
        self.bytes += cost(&kept);
        self.kept.push_back((now, kept));
        while self.kept.len() > self.retention.publications_max {
            self.drop_oldest();
        }
        self.expire(now);
    }

    /// Drops the oldest publication; whether there was one.
    pub(super) fn drop_oldest(&mut self) -> bool {
        let Some((_, kept)) = self.kept.pop_front() else { return false };
        self.bytes -= cost(&kept);
        true
    }

    /// Drops what has lived long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.kept.front().is_some_and(|(at, _)| now.duration_since(*at) >= self.retention.time_to_live) {
            self.drop_oldest();
        }
    }

    /// Drops everything that is kept.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// Whether nothing is kept, and nobody has to know any more where the channel stood.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let remembered_for = match self.reached {
            0 => self.retention.position_time_to_live.min(UNUSED_FOR),
            _ => self.retention.position_time_to_live,
        };
        self.kept.is_empty() && now.duration_since(self.touched) >= remembered_for
    }

    /// When it was last used.
    pub(super) const fn touched(&self) -> Instant {
        self.touched
    }

    /// Whether what it keeps is stored as well.
    pub(super) const fn is_durable(&self) -> bool {
        self.retention.is_durable
    }

    /// Notes that somebody was told where the channel stands.
    pub(super) fn touch(&mut self, now: Instant) {
        self.touched = now;
    }

    /// What came since that place, or `None` if not all of it is here.
    pub(super) fn missed(&self, since: Since<'_>, limit: usize) -> Option<Vec<Arc<Kept>>> {
        if self.retention.newest_alone {
            return self.newest(since);
        }
        let missing = self.reached.checked_sub(since.offset)?;
        let is_this_run = since.epoch.is_empty() || since.epoch == self.epoch.as_str();
        let missing = usize::try_from(missing).ok().filter(|missing| is_this_run && *missing <= limit)?;
        let from = self.kept.len().checked_sub(missing)?;
        Some(self.kept.iter().skip(from).map(|(_, kept)| Arc::clone(kept)).collect())
    }

    /// The newest publication, unless it is the one at that place; `None` if it is not here.
    fn newest(&self, since: Since<'_>) -> Option<Vec<Arc<Kept>>> {
        let (_, newest) = self.kept.back()?;
        let is_known = since.offset == self.reached && since.epoch == self.epoch.as_str();
        Some(if is_known { Vec::new() } else { vec![Arc::clone(newest)] })
    }

    /// What is kept, as far as was asked.
    pub(super) fn page(&self, query: HistoryQuery<'_>) -> Result<HistoryPage, HistoryRefused> {
        if query.since.is_some_and(|since| !since.epoch.is_empty() && since.epoch != self.epoch.as_str()) {
            return Err(HistoryRefused::OtherEpoch);
        }
        let wanted = |kept: &&Arc<Kept>| match query.since {
            None => true,
            Some(since) if query.reverse => kept.offset < since.offset,
            Some(since) => kept.offset > since.offset,
        };
        let all = self.kept.iter().map(|(_, kept)| kept);
        let publications = if query.reverse {
            all.rev().filter(wanted).take(query.limit).cloned().collect()
        } else {
            all.filter(wanted).take(query.limit).cloned().collect()
        };
        Ok(HistoryPage { top: self.top(), publications })
    }
}

fn cost(kept: &Kept) -> usize {
    OVERHEAD_BYTES + kept.payload.len() + kept.author.as_ref().map_or(0, |author| author.bytes()) + kept.tags.bytes()
}
