//! What the process before has left open is closed before anything new is told.

use std::sync::Arc;

use super::bodies;
use crate::ports::StoreError;
use crate::ports::clock::UnixMicros;
use crate::ports::events::{Change, Events, NewEvent};

/// How much is closed in one commit.
const COMMIT_MAX: u32 = 500;

/// Closes it; how much that was. After a stop in good order there is nothing.
pub(super) async fn close_what_was_left(
    events: &dyn Events,
    source: &Arc<str>,
    now: UnixMicros,
) -> Result<u64, StoreError> {
    let mut closed = 0;
    loop {
        let open = events.open(source, COMMIT_MAX).await?;
        if open.is_empty() {
            break;
        }
        let ends = open.into_iter().map(|open| NewEvent {
            source: Arc::clone(source),
            body: bodies::left(&open, now),
            at: now,
            change: Change::Closes(open.key),
        });
        let ends: Vec<_> = ends.collect();
        events.append(&ends).await?;
        closed += ends.len() as u64;
    }
    if closed > 0 {
        tracing::warn!(source = %source, "the server before has ended without saying so of {closed} sessions and channels");
    }
    Ok(closed)
}
