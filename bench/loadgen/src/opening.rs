//! Opening many connections, a bounded number at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::fleet::{Ending, Fleet, Signal};

/// What opening took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Opening {
    /// Connections now open.
    pub opened: usize,
    /// Handshakes that failed and were tried again.
    pub retried: usize,
    /// Time from the first start to the last acceptance, in seconds.
    pub seconds: f64,
}

/// Opens `slots`, at most `concurrency` handshakes at a time, and tries failed ones again up to `retries_max` times in all.
///
/// # Errors
///
/// Fails at a refusal and when the retries are used up.
pub fn open(fleet: &mut Fleet, slots: Range<usize>, concurrency: usize, retries_max: usize) -> Result<Opening> {
    let wanted = slots.len();
    let started_ns = fleet.now_ns();
    let mut waiting: VecDeque<usize> = slots.collect();
    let mut ended: Vec<(usize, Ending)> = Vec::new();
    let (mut opened, mut under_way, mut retried) = (0, 0, 0);
    while opened < wanted {
        while under_way < concurrency
            && let Some(slot) = waiting.pop_front()
        {
            fleet.start(slot, slot)?;
            under_way += 1;
        }
        fleet.turn(Duration::from_millis(100), &mut |slot, signal| match signal {
            Signal::Opened => {
                opened += 1;
                under_way -= 1;
            }
            Signal::Message { .. } => {}
            Signal::Ended(ending) => ended.push((slot, ending)),
        })?;
        for (slot, ending) in ended.drain(..) {
            if retried == retries_max || ending != Ending::Reset {
                bail!("connection {slot} of {wanted} ended while connecting: {ending:?}");
            }
            retried += 1;
            under_way -= 1;
            waiting.push_back(slot);
        }
    }
    Ok(Opening { opened, retried, seconds: (fleet.now_ns() - started_ns) as f64 / 1e9 })
}
