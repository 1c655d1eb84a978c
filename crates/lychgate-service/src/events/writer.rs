//! The one writer: what waits in memory is stored, many events in one commit.
//!
//! **Invariant:** what is stored is in the order of the queue. A commit that fails is tried again until it works, and
//! nothing is stored before it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{EventLimits, Item, Shared, bodies};
use crate::ports::events::{Change, Events, NewEvent};

/// The most events of one commit. A slow disk has few commits a second, so that a storm needs large ones.
const COMMIT_MAX: usize = 1_024;

/// Events that are written down before others get their turn.
const EVENTS_PER_TURN: usize = 64;

/// The pauses between two tries to store.
const PAUSE_LEAST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    shared: Arc<Shared>,
    names: Vec<Arc<str>>,
    events: Arc<dyn Events>,
    limits: EventLimits,
    /// What the store knows to be lost, by source.
    noted: Vec<u64>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        names: Vec<Arc<str>>,
        events: Arc<dyn Events>,
        limits: EventLimits,
        noted: Vec<u64>,
    ) -> Self {
        Self { shared, names, events, limits, noted }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let items = self.shared.queue.take(COMMIT_MAX);
            let is_idle = items.is_empty();
            self.store(items).await;
            for source in 0..self.names.len() {
                self.catch_up(source).await;
            }
            if !is_idle {
                continue;
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = self.shared.queue.changed.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Stores what there is room for. Where there is none, that source is behind.
    async fn store(&self, items: Vec<Item>) {
        let (mut stored, mut lost) = (vec![0_u64; self.names.len()], vec![0_u64; self.names.len()]);
        let mut batch = Vec::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            if number % EVENTS_PER_TURN == EVENTS_PER_TURN - 1 {
                yield_now().await;
            }
            let source = item.source;
            let waiting = self.shared.figures[source].waiting() + stored[source];
            if lost[source] > 0 || waiting >= self.limits.waiting_max {
                lost[source] += 1;
            } else {
                stored[source] += 1;
                batch.push(self.event(&item));
            }
        }
        for (source, lost) in lost.into_iter().enumerate().filter(|(_, lost)| *lost > 0) {
            self.shared.queue.fall_behind(source, lost);
        }
        self.append(&batch).await;
        for (figures, stored) in self.shared.figures.iter().zip(stored).filter(|(_, stored)| *stored > 0) {
            figures.wrote(stored);
        }
    }

    /// Tells a source that is behind how much it has lost, and what is open, as soon as there is room again.
    async fn catch_up(&mut self, source: usize) {
        if self.shared.figures[source].waiting() > self.limits.waiting_max / 2 {
            return self.note_lost(source).await;
        }
        let Some((lost, open)) = self.shared.queue.catch_up(source) else { return };
        let now = self.shared.clock.now();
        let first = NewEvent {
            source: Arc::clone(&self.names[source]),
            body: bodies::lost(lost, now),
            at: now,
            change: Change::Forgets,
        };
        let told: Vec<_> = std::iter::once(first).chain(open.iter().map(|item| self.event(item))).collect();
        for batch in told.chunks(COMMIT_MAX) {
            self.append(batch).await;
            self.shared.figures[source].wrote(batch.len() as u64);
        }
        self.noted[source] = 0;
        self.shared.figures[source].is_behind(self.shared.queue.lost(source) > 0);
        tracing::warn!(source = %self.names[source], "{lost} events were lost; what is open is told again");
    }

    /// Has the store know how many are lost, so that a crash does not hide it.
    async fn note_lost(&mut self, source: usize) {
        let lost = self.shared.queue.lost(source);
        let more = lost.saturating_sub(self.noted[source]);
        if more > 0 && self.events.note_lost(&self.names[source], more).await.is_ok() {
            self.noted[source] = lost;
        }
    }

    fn event(&self, item: &Item) -> NewEvent {
        let (body, change) = bodies::of(item);
        NewEvent { source: Arc::clone(&self.names[item.source]), body, at: item.at, change }
    }

    /// Returns once they are stored.
    async fn append(&self, batch: &[NewEvent]) {
        if batch.is_empty() {
            return;
        }
        let mut times = 0_u32;
        while let Err(error) = self.events.append(batch).await {
            if times == 0 {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(cause, "events are not stored; it is tried again");
                self.shared.figures.iter().for_each(|figures| figures.is_behind(true));
            }
            sleep((PAUSE_LEAST * 2_u32.saturating_pow(times)).min(PAUSE_MOST)).await;
            times = times.saturating_add(1).min(16);
        }
        if times > 0 {
            tracing::info!("events are stored again");
            for (source, figures) in self.shared.figures.iter().enumerate() {
                figures.is_behind(self.shared.queue.lost(source) > 0);
            }
        }
    }
}
