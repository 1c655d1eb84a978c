//! What has become of events, for metrics and health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Outbox;
use crate::ports::clock::UnixMicros;
use crate::ports::readiness::Readiness;

/// The counts of one source.
pub(super) struct Figures {
    pub(super) name: Arc<str>,
    /// There is something new to tell.
    pub(super) stored: Notify,
    written: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    calls_ok: AtomicU64,
    calls_failed: AtomicU64,
    waiting: AtomicU64,
    /// When the oldest of those that wait happened; 0 if none does.
    oldest_at: AtomicU64,
    /// What happens is not stored: there is no room, or the store does not work.
    is_behind: AtomicBool,
}

/// What has become of the events for one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFigures {
    /// The source's name.
    pub source: Arc<str>,
    /// Events stored by this process.
    pub written: u64,
    /// Events that the application took.
    pub delivered: u64,
    /// Events that were lost.
    pub dropped: u64,
    /// Calls that were answered well.
    pub calls_ok: u64,
    /// Calls that were not.
    pub calls_failed: u64,
    /// Stored events that wait.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
}

impl Figures {
    pub(super) fn new(name: Arc<str>) -> Self {
        let zero = AtomicU64::default;
        Self {
            name,
            stored: Notify::new(),
            written: zero(),
            delivered: zero(),
            dropped: zero(),
            calls_ok: zero(),
            calls_failed: zero(),
            waiting: zero(),
            oldest_at: zero(),
            is_behind: AtomicBool::default(),
        }
    }

    /// So many events were written before anything happened, and so many wait with them.
    pub(super) fn begin(&self, written: u64, waiting: u64) {
        self.written.store(written, Relaxed);
        self.waiting.store(waiting, Relaxed);
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    pub(super) fn wrote(&self, events: u64) {
        self.written.fetch_add(events, Relaxed);
        self.waiting.fetch_add(events, Relaxed);
        self.stored.notify_one();
    }

    pub(super) fn lost(&self, events: u64) {
        self.dropped.fetch_add(events, Relaxed);
    }

    pub(super) fn called(&self, works: bool) {
        if works { &self.calls_ok } else { &self.calls_failed }.fetch_add(1, Relaxed);
    }

    /// The application has taken them, and they are removed.
    pub(super) fn delivered(&self, events: u64) {
        self.delivered.fetch_add(events, Relaxed);
        let _ = self.waiting.fetch_update(Relaxed, Relaxed, |waiting| Some(waiting.saturating_sub(events)));
    }

    pub(super) fn oldest_is_of(&self, at: Option<UnixMicros>) {
        self.oldest_at.store(at.map_or(0, |at| at.0), Relaxed);
    }

    pub(super) fn is_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Relaxed);
    }

    pub(super) fn read(&self, now: UnixMicros) -> EventFigures {
        let oldest = match self.oldest_at.load(Relaxed) {
            0 => Duration::ZERO,
            at => Duration::from_micros(now.0.saturating_sub(at)),
        };
        EventFigures {
            source: Arc::clone(&self.name),
            written: self.written.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            calls_ok: self.calls_ok.load(Relaxed),
            calls_failed: self.calls_failed.load(Relaxed),
            waiting: self.waiting(),
            oldest,
        }
    }
}

/// Whether what happens is stored, for health.
pub struct EventsKept(pub Outbox);

#[async_trait]
impl Readiness for EventsKept {
    fn name(&self) -> &'static str {
        "events"
    }

    async fn is_ready(&self) -> bool {
        !self.0.0.figures.iter().any(|figures| figures.is_behind.load(Relaxed))
    }
}
