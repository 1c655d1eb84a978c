//! Broadcast as fast as the server can: a closed loop over whole messages.
//!
//! A message is finished when every receiver has had it, or a later one in its place.
//! The publisher keeps `window` messages unfinished, so no server can run ahead of its slowest receiver,
//! and none is pushed into its own queue limits by the load generator.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::Run;
use crate::args::FanoutArgs;
use crate::broadcast::{self, PUBLISHER_SLOT, Publisher};
use crate::fleet::{Ending, Signal};
use crate::ledger::{Arrival, Ledger};
use crate::mark;
use crate::process::Process;

const WARM_UP: Duration = Duration::from_millis(500);
/// Silence after which what has not come is taken as lost.
const SILENCE: Duration = Duration::from_secs(3);

/// Runs it.
pub fn run(run: &mut Run, args: &FanoutArgs) -> Result<Value> {
    let opening = run.open_all()?;
    broadcast::settle(&mut run.fleet, args.receivers, run.payload_bytes)?;

    let mut flood = Flood {
        publisher: run.fleet.publisher(1, run.payload_bytes),
        ledger: Ledger::new(args.receivers),
        window: Window::new(args.receivers, args.window),
        reader: mark::Reader::new(),
        strangers: 0,
        ended: Vec::new(),
        last_arrival_ns: run.fleet.now_ns(),
    };
    flood.pump(run, WARM_UP, true)?;
    let (server_before, client_before) = (run.server.cpu()?, Process::own().cpu()?);
    let delivered_before = flood.ledger.delivered();
    flood.pump(run, Duration::from_secs(args.seconds), true)?;
    let server = server_before.until(&run.server.cpu()?);
    let client = client_before.until(&Process::own().cpu()?);
    let deliveries = flood.ledger.delivered() - delivered_before;
    let stalled = flood.silent(run);
    // The rest of the window is still on its way and counts for the books alone.
    flood.pump(run, Duration::from_secs(30), false)?;

    let sent = flood.publisher.sent();
    Ok(json!({
        "deliveries_per_s": deliveries as f64 / server.wall_s,
        "server_ns_per_delivery": server.per(deliveries),
        "client_ns_per_delivery": client.per(deliveries),
        "deliveries": deliveries,
        "messages": sent,
        "stalled": stalled,
        "tally": flood.ledger.finish(sent),
        "strangers": flood.strangers,
        "receivers_ended": flood.ended.len(),
        "first_ending": flood.ended.first().map(|ending| format!("{ending:?}")),
        "server": server,
        "opening": opening,
    }))
}

struct Flood {
    publisher: Publisher,
    ledger: Ledger,
    window: Window,
    reader: mark::Reader,
    strangers: u64,
    ended: Vec<Ending>,
    last_arrival_ns: u64,
}

impl Flood {
    /// Publishes for `length`, or only waits for what is under way, at most for `length`.
    fn pump(&mut self, run: &mut Run, length: Duration, publishing: bool) -> Result<()> {
        let until_ns = run.fleet.now_ns() + length.as_nanos() as u64;
        let mut frames = Vec::new();
        loop {
            let now_ns = run.fleet.now_ns();
            let finished = !publishing && self.ledger.all_reached(self.publisher.sent());
            if now_ns >= until_ns || finished || self.silent(run) {
                return Ok(());
            }
            let free = self.window.free(self.publisher.sent());
            if publishing && free > 0 && self.ended.is_empty() {
                frames.clear();
                for _ in 0..free {
                    self.publisher.append(now_ns, &mut frames);
                }
                run.fleet.send(PUBLISHER_SLOT, &frames)?;
            }
            run.fleet.turn(Duration::from_millis(100), &mut |slot, signal| match signal {
                Signal::Opened => {}
                Signal::Message { payload, read_at_ns } => {
                    self.last_arrival_ns = read_at_ns;
                    match self.reader.read(payload) {
                        Some(mark) if mark.publisher == self.publisher.id() => {
                            match self.ledger.record(slot, mark.sequence) {
                                Arrival::InOrder => self.window.passed(mark.sequence),
                                Arrival::Skipped(skipped) => {
                                    skipped.chain([mark.sequence]).for_each(|sequence| self.window.passed(sequence));
                                }
                                Arrival::Late | Arrival::Again => {}
                            }
                        }
                        _ => self.strangers += 1,
                    }
                }
                Signal::Ended(ending) => self.ended.push(ending),
            })?;
        }
    }

    fn silent(&self, run: &Run) -> bool {
        run.fleet.now_ns() > self.last_arrival_ns + SILENCE.as_nanos() as u64
    }
}

/// How many receivers each unfinished message has yet to pass.
struct Window {
    receivers: u32,
    size: u64,
    finished: u64,
    /// One per message under way, at `sequence % remaining.len()`.
    remaining: Vec<u32>,
}

impl Window {
    fn new(receivers: usize, size: u64) -> Self {
        let receivers = receivers as u32;
        Self { receivers, size, finished: 0, remaining: vec![receivers; size.next_power_of_two() as usize] }
    }

    /// Returns how many messages may follow the first `sent`.
    fn free(&self, sent: u64) -> u64 {
        self.size - (sent - self.finished)
    }

    /// One receiver is past `sequence`.
    fn passed(&mut self, sequence: u64) {
        let mask = self.remaining.len() - 1;
        let place = sequence as usize & mask;
        self.remaining[place] = self.remaining[place].saturating_sub(1);
        while self.remaining[self.finished as usize & mask] == 0 {
            self.remaining[self.finished as usize & mask] = self.receivers;
            self.finished += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_when_every_receiver_has_passed_a_message() {
        let mut window = Window::new(2, 3);
        assert_eq!(window.free(0), 3);
        assert_eq!(window.free(3), 0);
        window.passed(0);
        window.passed(1);
        assert_eq!(window.free(3), 0);
        window.passed(0);
        assert_eq!(window.free(3), 1);
        window.passed(1);
        assert_eq!(window.free(3), 2);
        window.passed(2);
        window.passed(2);
        assert_eq!(window.free(3), 3);
        assert_eq!(window.free(6), 0);
    }
}
