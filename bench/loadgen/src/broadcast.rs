//! Publishing to all receivers of a run, and reaching each of them once.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::fleet::{Fleet, Signal};
use crate::mark::{self, Mark};
use crate::speech::Speech;

/// The connection that publishes.
pub const PUBLISHER_SLOT: usize = 0;
/// Silence after which a message that did not reach everybody is followed by another.
const SILENCE: Duration = Duration::from_millis(100);
const TRIES_MAX: u64 = 100;

/// Writes numbered messages of one publisher.
pub struct Publisher {
    id: u32,
    next: u64,
    payload_bytes: usize,
    payload: Vec<u8>,
    speech: Speech,
}

impl Publisher {
    /// Starts at sequence number 0.
    pub fn new(id: u32, payload_bytes: usize, speech: Speech) -> Self {
        Self { id, next: 0, payload_bytes, payload: Vec::with_capacity(payload_bytes), speech }
    }

    /// Appends the next message, due at `due_ns`, as a frame.
    pub fn append(&mut self, due_ns: u64, frames: &mut Vec<u8>) {
        self.payload.clear();
        let mark = Mark { publisher: self.id, sequence: self.next, due_ns };
        mark::append_payload(mark, self.payload_bytes, &mut self.payload);
        self.speech.publish(&self.payload, frames);
        self.next += 1;
    }

    /// Returns this publisher's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the messages written so far.
    pub fn sent(&self) -> u64 {
        self.next
    }
}

/// Broadcasts until each of the slots `0..receivers` has had at least one message, and returns the broadcasts it took.
///
/// A server may answer a handshake before the connection is a member of the room.
/// So one that missed a message gets another after a silence, and is not counted as a loss.
///
/// # Errors
///
/// Fails when a connection ends or stays without any message.
pub fn reach_all(fleet: &mut Fleet, receivers: usize, publisher: &mut Publisher) -> Result<u64> {
    let mut reader = mark::Reader::new();
    let mut reached = vec![false; receivers];
    let mut missing = receivers;
    let mut ended = None;
    let mut last_arrival_ns = 0;
    let first = publisher.sent();
    while missing > 0 {
        if fleet.now_ns() > last_arrival_ns + SILENCE.as_nanos() as u64 {
            if publisher.sent() - first == TRIES_MAX {
                bail!("{missing} of {receivers} receivers got none of {TRIES_MAX} broadcasts");
            }
            last_arrival_ns = fleet.now_ns();
            let mut frames = Vec::new();
            publisher.append(last_arrival_ns, &mut frames);
            fleet.send(PUBLISHER_SLOT, &frames)?;
        }
        fleet.turn(SILENCE / 4, &mut |slot, signal| match signal {
            Signal::Opened => {}
            Signal::Message { payload, read_at_ns } => {
                last_arrival_ns = read_at_ns;
                let own = reader.read(payload).is_some_and(|mark| mark.publisher == publisher.id());
                if own && slot < receivers && !reached[slot] {
                    reached[slot] = true;
                    missing -= 1;
                }
            }
            Signal::Ended(ending) => ended = Some((slot, ending)),
        })?;
        if let Some((slot, ending)) = ended {
            bail!("connection {slot} ended before the measurement: {ending:?}");
        }
    }
    Ok(publisher.sent() - first)
}

/// Reaches all receivers and then waits until nothing more comes, so that the measurement starts from rest.
pub fn settle(fleet: &mut Fleet, receivers: usize, payload_bytes: usize) -> Result<()> {
    let mut publisher = fleet.publisher(0, payload_bytes);
    reach_all(fleet, receivers, &mut publisher)?;
    let mut last_arrival_ns = fleet.now_ns();
    while fleet.now_ns() < last_arrival_ns + SILENCE.as_nanos() as u64 {
        fleet.turn(SILENCE / 4, &mut |_, signal| {
            if let Signal::Message { read_at_ns, .. } = signal {
                last_arrival_ns = read_at_ns;
            }
        })?;
    }
    Ok(())
}
