//! What the hub has queued goes to the sockets.
//!
//! One task per shard of the hub. Batches are made by readiness, not by a timer: the task lets everything that is
//! ready run first, then seals, so that messages that came together leave together.
//! It works in turns, and seals between them, so that a channel with many members keeps nobody else waiting.

use std::future::poll_fn;

use lychgate_hub::Drain;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

/// How many sockets are written before others get their turn.
const SOCKETS_PER_TURN: usize = 256;

/// Flushes `shard` until `stop`.
pub async fn run(drain: Drain, shard: usize, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|cx| drain.poll_ready(shard, cx)) => {}
            () = stop.cancelled() => return,
        }
        yield_now().await;
        drain.seal(shard);
        // Whoever is left behind makes the next `poll_ready` ready at once.
        let _ = drain.flush(shard, SOCKETS_PER_TURN);
    }
}
