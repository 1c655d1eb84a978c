//! Broadcast at a fixed rate: the part that `rate` and `stuck` share.
//!
//! A message's latency counts from the moment it was due, not from the moment it was written.
//! So a server that holds the publisher up cannot make its own figures better.
//! A delivery that never came counts with the length of the whole run, so a server that stops delivering cannot either.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::Run;
use crate::broadcast::PUBLISHER_SLOT;
use crate::fleet::{Ending, Signal};
use crate::histogram::{Histogram, Latency};
use crate::ledger::{Ledger, Tally};
use crate::mark;
use crate::process::CpuSpan;

/// Silence after which what has not come is taken as lost.
const SILENCE: Duration = Duration::from_secs(3);

/// How fast, how long, and who listens.
pub struct Pace {
    /// The publisher's number; each measurement of a run has its own.
    pub publisher: u32,
    /// Receivers that are read: the slots `0..receivers`.
    pub receivers: usize,
    /// Messages per second.
    pub rate: u64,
    /// How long.
    pub seconds: u64,
}

/// What was seen.
pub struct Paced {
    /// From due to read, over all deliveries that there should have been.
    pub latency: Latency,
    /// What came and what did not.
    pub tally: Tally,
    /// The server's CPU time from the first message to the last delivery.
    pub server: CpuSpan,
    /// Receivers whose connection ended.
    pub ended: Vec<Ending>,
}

impl Paced {
    /// Returns the report's part.
    pub fn report(&self) -> Value {
        json!({
            "latency": self.latency,
            "server_ns_per_delivery": self.server.per(self.tally.delivered),
            "tally": self.tally,
            "server": self.server,
            "receivers_ended": self.ended.len(),
            "first_ending": self.ended.first().map(|ending| format!("{ending:?}")),
        })
    }
}

/// Publishes at `pace` and waits for the last delivery.
pub fn publish(run: &mut Run, pace: &Pace) -> Result<Paced> {
    let mut publisher = run.fleet.publisher(pace.publisher, run.payload_bytes);
    let mut ledger = Ledger::new(pace.receivers);
    let mut histogram = Histogram::new();
    let mut reader = mark::Reader::new();
    let mut ended = Vec::new();
    let mut frames = Vec::new();

    let messages = pace.rate * pace.seconds;
    let interval_ns = 1_000_000_000 / pace.rate;
    let server_before = run.server.cpu()?;
    let started_ns = run.fleet.now_ns();
    let mut last_arrival_ns = started_ns;
    while publisher.sent() < messages || !ledger.all_reached(messages) {
        let now_ns = run.fleet.now_ns();
        frames.clear();
        while publisher.sent() < messages && started_ns + publisher.sent() * interval_ns <= now_ns {
            let due_ns = started_ns + publisher.sent() * interval_ns;
            publisher.append(due_ns, &mut frames);
        }
        if !frames.is_empty() {
            run.fleet.send(PUBLISHER_SLOT, &frames)?;
        }
        let all_sent = publisher.sent() == messages;
        if all_sent && now_ns > last_arrival_ns.max(started_ns + messages * interval_ns) + SILENCE.as_nanos() as u64 {
            break;
        }
        let next_due_ns = started_ns + publisher.sent() * interval_ns;
        let wait_ns = if all_sent { interval_ns } else { next_due_ns.saturating_sub(run.fleet.now_ns()) };
        run.fleet.turn(Duration::from_nanos(wait_ns), &mut |slot, signal| match signal {
            Signal::Opened => {}
            Signal::Message { payload, read_at_ns } => {
                last_arrival_ns = read_at_ns;
                let mark = reader.read(payload).filter(|mark| mark.publisher == pace.publisher);
                if let Some(mark) = mark
                    && slot < pace.receivers
                {
                    ledger.record(slot, mark.sequence);
                    histogram.record(read_at_ns.saturating_sub(mark.due_ns));
                }
            }
            Signal::Ended(ending) if slot < pace.receivers => ended.push(ending),
            Signal::Ended(_) => {}
        })?;
    }
    let server = server_before.until(&run.server.cpu()?);
    let tally = ledger.finish(messages);
    histogram.record_many(run.fleet.now_ns() - started_ns, tally.lost);
    Ok(Paced { latency: histogram.latency(), tally, server, ended })
}
