//! Who tells one source what is stored for it: the oldest first, one call at a time, again and again until it is taken.
//!
//! **Invariant:** an event is removed once the application has taken it and not before. A call whose answer was lost is
//! made again, so the application may hear something twice, always in order.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{EventLimits, EventSource, Shared, bodies};
use crate::ports::application::CallFault;
use crate::ports::events::Events;

/// The first pause after a call that failed; each further one is twice as long.
const PAUSE_LEAST: Duration = Duration::from_millis(250);

pub(super) struct Courier {
    shared: Arc<Shared>,
    index: usize,
    source: EventSource,
    events: Arc<dyn Events>,
    limits: EventLimits,
    /// What the application has taken, and is not removed yet.
    taken: Option<u64>,
}

/// What a step has come to.
enum Step {
    /// There is nothing to tell.
    Idle,
    /// Something was told.
    Told,
    /// It has to be tried again.
    Failed(&'static str),
}

impl Courier {
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        source: EventSource,
        events: Arc<dyn Events>,
        limits: EventLimits,
    ) -> Self {
        Self { shared, index, source, events, limits, taken: None }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0_u32;
        loop {
            // A call that is dropped half-way is made again, by this process or the next one.
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                step = self.step() => step,
            };
            let pause = match step {
                Step::Told => {
                    if failures > 0 {
                        tracing::info!(source = %self.source.name, times = failures, "events are told again");
                        failures = 0;
                    }
                    continue;
                }
                Step::Idle => None,
                Step::Failed(reason) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        tracing::warn!(source = %self.source.name, reason, "events are not told; it is tried again");
                    }
                    Some(self.pause(failures))
                }
            };
            let waiting = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    None => self.shared.figures[self.index].stored.notified().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = waiting => {}
            }
        }
        // So that the next process does not tell it again.
        if let Some(through) = self.taken {
            let _ = self.events.remove(&self.source.name, through).await;
        }
    }

    /// # Cancel safety
    ///
    /// A dropped step is begun anew by the next one.
    async fn step(&mut self) -> Step {
        let figures = &self.shared.figures[self.index];
        if let Some(through) = self.taken {
            let Ok(removed) = self.events.remove(&self.source.name, through).await else {
                return Step::Failed("store");
            };
            self.taken = None;
            figures.delivered(removed);
            self.shared.queue.changed.notify_one();
        }
        let Ok(batch) = self.events.oldest(&self.source.name, self.limits.batch_max).await else {
            return Step::Failed("store");
        };
        figures.oldest_is_of(batch.first().map(|event| event.at));
        let Some(last) = batch.last() else { return Step::Idle };
        let told: Vec<Value> = batch.iter().map(|event| bodies::numbered(event.number, &event.body)).collect();
        let answer = self.source.application.call(&json!({ "events": told })).await;
        match answer {
            // What a good answer says is nobody's business.
            Ok(_) | Err(CallFault::Malformed) => {
                figures.called(true);
                self.taken = Some(last.number);
                Step::Told
            }
            Err(fault) => {
                figures.called(false);
                Step::Failed(fault.code())
            }
        }
    }

    /// Between half of the time and the whole of it, so that servers that failed together do not come together.
    fn pause(&self, failures: u32) -> Duration {
        let whole = (PAUSE_LEAST * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(self.limits.retry_max);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }
}
