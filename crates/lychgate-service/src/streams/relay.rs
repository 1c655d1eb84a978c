//! The task of a run: it reads the source and hands on what comes, until one of the run's ends.
//!
//! **Invariant:** however the task ends, the run is over: its guard sees to that even when a form panics
//! or the runtime goes away.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt, TryFutureExt};
use tokio::time::{Instant, sleep, sleep_until};

use crate::ports::text_source::{Pieces, SourceFault};
use crate::streams::Opening;
use crate::streams::run::Run;

/// Starts the task of `run`, which asks the source of `opening`.
pub(super) fn start(run: Arc<Run>, opening: &Opening) {
    let source = Arc::clone(&opening.source);
    let request = opening.request.clone();
    let tasks = run.shared.tasks.clone();
    tasks.spawn(async move {
        let relay = Relay(run);
        // The request is a part of the stream, so that waiting for its beginning ends like waiting for a piece.
        let pieces = async move { source.open(&request).await }.try_flatten_stream().boxed();
        let Some(outcome) = relay.read(pieces).await else { return };
        if let Err(fault) = &outcome {
            tracing::warn!(cause = %fault, "a text did not come to its end");
        }
        if relay.0.finish(outcome) {
            relay.keep().await;
        }
    });
}

/// A run whose task goes on.
struct Relay(Arc<Run>);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Relay {
    /// Hands on what comes, and lets the source go. Nothing if the run was cancelled.
    async fn read(&self, mut pieces: Pieces) -> Option<Result<(), SourceFault>> {
        let run = &self.0;
        let mut deadline = pin!(sleep(run.shared.limits.run_max));
        loop {
            let cancels_at = run.cancels_at();
            // Each branch is cancel-safe: a piece is taken and handed on without waiting in between, and the others
            // only say that it is time to look.
            tokio::select! {
                biased;
                () = run.shared.stop.cancelled() => {
                    run.stop();
                    return None;
                }
                () = run.deserted.notified() => {}
                () = until(cancels_at) => {
                    if run.cancel_if_deserted() {
                        return None;
                    }
                }
                () = &mut deadline => return Some(Err(SourceFault::Overdue)),
                piece = pieces.next() => match piece {
                    None => return Some(Ok(())),
                    Some(Err(fault)) => return Some(Err(fault)),
                    Some(Ok(piece)) => {
                        if let Err(fault) = run.publish(&piece) {
                            return Some(Err(fault));
                        }
                        // A source that has much ready lets the sockets be written in between.
                        tokio::task::yield_now().await;
                    }
                },
            }
        }
    }

    /// Waits until nobody can come late any more.
    async fn keep(&self) {
        tokio::select! {
            () = self.0.shared.stop.cancelled() => {}
            () = sleep(self.0.shared.limits.keep) => {}
        }
        self.0.forget();
    }
}

/// Waits until then, or for ever.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
