//! The queue between the hub and one socket.
//!
//! Channels and direct senders push, a flusher drains, and neither waits for the other:
//! a push that does not fit drops what waits and closes the session as slow.
//! So a slow reader costs its own connection and nothing else.
//!
//! **Invariant:** `bytes` is the summed length of `queue` and never passes `bytes_max`, the queue's length never passes
//! `slices_max`, and only the session's last frame may lie beyond the two.
//! Whoever finds bytes to write, no block and no listing puts the session on its shard's ready list.
//!
//! **Absent on purpose:** there is no waiting push.
//! It would let one phone in a tunnel delay every other subscriber of the channel.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::batch::{Batch, Slice};
use crate::config::OutboxLimits;
use crate::counters::Tally;
use crate::sink::{Farewell, Sink, Written};

/// What waits for one socket.
pub(crate) struct Outbox {
    queue: VecDeque<Slice>,
    bytes: usize,
    sink: Option<Arc<dyn Sink>>,
    bytes_max: u32,
    slices_max: u32,
    stage: Stage,
    /// The socket took less than it was offered; `writable` ends it.
    blocked: bool,
    /// The session is on its shard's ready list, or in the hands of the flusher that took it off.
    listed: bool,
}

/// How far the life of an outbox has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Frames are taken.
    Open,
    /// The last frame is queued.
    Ending,
    /// The last frame is written.
    Ended,
    /// The peer is away.
    Gone,
    /// The hub's caller has closed the session.
    Closed,
}

/// What became of a push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits for the flusher.
    Queued,
    /// The queue was full, and now ends with the sink's own last frame.
    Overflowed,
    /// The session takes no frames any more.
    Refused,
}

impl Outbox {
    pub(crate) fn new(limits: OutboxLimits, sink: Arc<dyn Sink>) -> Self {
        let within_u32 = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            sink: Some(sink),
            bytes_max: within_u32(limits.bytes_max),
            slices_max: within_u32(limits.slices_max),
            stage: Stage::Open,
            blocked: false,
            listed: false,
        }
    }

    /// Queues ranges of `batch`, all of them or none.
    pub(crate) fn push(&mut self, batch: &Arc<Batch>, ranges: &[Range<u32>], tally: &mut Tally) -> Pushed {
        if self.stage != Stage::Open {
            return Pushed::Refused;
        }
        let bytes: usize = ranges.iter().map(|range| range.len()).sum();
        if !self.fits(bytes, ranges.len()) {
            self.overflow(tally);
            return Pushed::Overflowed;
        }
        self.queue.extend(ranges.iter().map(|range| Slice::new(Arc::clone(batch), range.clone())));
        self.grew(bytes, ranges.len(), tally);
        Pushed::Queued
    }

    /// Queues a frame for this session alone.
    pub(crate) fn push_direct(&mut self, frame: Bytes, tally: &mut Tally) -> Pushed {
        if self.stage != Stage::Open {
            return Pushed::Refused;
        }
        if frame.is_empty() {
            return Pushed::Queued;
        }
        if !self.fits(frame.len(), 1) {
            self.overflow(tally);
            return Pushed::Overflowed;
        }
        self.push_whole(frame, tally);
        Pushed::Queued
    }

    /// Offers frames for this session alone to the socket at once, behind what waits, and queues what it does not take.
    ///
    /// Frames that find nothing in their way are written from where they lie: no batch is made for them.
    pub(crate) fn push_answer(&mut self, frames: &[u8], tally: &mut Tally) -> Pushed {
        if self.stage != Stage::Open {
            return Pushed::Refused;
        }
        if frames.is_empty() {
            return Pushed::Queued;
        }
        if !self.fits(frames.len(), 1) {
            self.overflow(tally);
            return Pushed::Overflowed;
        }
        match &self.sink {
            Some(sink) if self.queue.is_empty() && !self.blocked => {
                let written = sink.write(&[IoSlice::new(frames)]);
                if written == Written::Bytes(frames.len()) {
                    tally.passed(frames.len());
                } else {
                    self.push_whole(Bytes::copy_from_slice(frames), tally);
                    self.took(written, frames.len(), tally);
                }
            }
            _ => {
                self.push_whole(Bytes::copy_from_slice(frames), tally);
                self.write_out(tally);
            }
        }
        Pushed::Queued
    }

    /// Queues the last frame beyond every limit; nothing happens to an outbox that ends already.
    pub(crate) fn push_last(&mut self, frame: Bytes, tally: &mut Tally) {
        if self.stage == Stage::Open {
            self.push_whole(frame, tally);
            self.stage = Stage::Ending;
        }
    }

    /// Queues the last frame that the sink itself words; an outbox that ends already does not ask for it.
    pub(crate) fn push_farewell(&mut self, cause: Farewell, tally: &mut Tally) {
        if self.stage == Stage::Open {
            let goodbye = self.sink.as_ref().map_or_else(Bytes::new, |sink| sink.farewell(cause));
            self.push_last(goodbye, tally);
        }
    }

    /// Writes what waits until the socket takes no more or has had its turn.
    pub(crate) fn write_out(&mut self, tally: &mut Tally) {
        for _ in 0..WRITES_PER_TURN_MAX {
            let Some(sink) = &self.sink else { break };
            if self.queue.is_empty() || self.blocked {
                break;
            }
            let (written, offered) = offer(&self.queue, &**sink);
            self.took(written, offered, tally);
        }
        if self.queue.is_empty() && self.queue.capacity() > SLICES_KEPT_MAX {
            self.queue = VecDeque::new();
        }
    }

    /// Forgets the sink and all that waits; whether it was not closed before.
    pub(crate) fn close(&mut self, tally: &mut Tally) -> (bool, Option<Arc<dyn Sink>>) {
        let first = self.stage != Stage::Closed;
        self.stop(Stage::Closed, tally);
        (first, self.sink.take())
    }

    /// The sink to tell that the last frame is written, once.
    pub(crate) fn take_ended(&mut self) -> Option<Arc<dyn Sink>> {
        if self.stage != Stage::Ending || !self.queue.is_empty() {
            return None;
        }
        self.stage = Stage::Ended;
        self.sink.clone()
    }

    /// Whether the caller has to put the session on the ready list, which it then counts as being on.
    #[must_use]
    pub(crate) fn list(&mut self) -> bool {
        let waits = !self.queue.is_empty() || self.stage == Stage::Ending;
        let list = waits && !self.blocked && !self.listed;
        self.listed |= list;
        list
    }

    /// The session was taken off the ready list.
    pub(crate) fn unlist(&mut self) {
        self.listed = false;
    }

    /// The socket takes bytes again.
    pub(crate) fn unblock(&mut self, tally: &mut Tally) {
        self.set_blocked(false, tally);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn slices(&self) -> usize {
        self.queue.len()
    }

    fn fits(&self, bytes: usize, slices: usize) -> bool {
        self.bytes + bytes <= self.bytes_max as usize && self.queue.len() + slices <= self.slices_max as usize
    }

    /// Drops what waits except the rest of a frame that the peer has seen the start of, and queues the sink's goodbye.
    fn overflow(&mut self, tally: &mut Tally) {
        let rest = self.queue.pop_front().and_then(Slice::rest_of_started_frame);
        let rest_bytes = rest.as_ref().map_or(0, Slice::len);
        tally.bytes_dropped += self.bytes - rest_bytes;
        tally.overflowed += 1;
        self.queue = rest.into_iter().collect();
        self.bytes = rest_bytes;
        self.push_farewell(Farewell::Slow, tally);
    }

    fn push_whole(&mut self, frame: Bytes, tally: &mut Tally) {
        let bytes = frame.len();
        if bytes > 0 {
            let batch = Batch::direct(frame);
            let range = 0..batch.len();
            self.queue.push_back(Slice::new(batch, range));
            self.grew(bytes, 1, tally);
        }
    }

    fn grew(&mut self, bytes: usize, slices: usize, tally: &mut Tally) {
        self.bytes += bytes;
        tally.pushed(bytes, slices, self.bytes, self.queue.len());
    }

    /// Notes what the sink made of the `offered` bytes at the front.
    fn took(&mut self, written: Written, offered: usize, tally: &mut Tally) {
        match written {
            Written::Bytes(taken) => {
                debug_assert!(taken <= offered, "a sink cannot take more than it is offered");
                self.advance(taken.min(offered), tally);
                if taken < offered {
                    self.set_blocked(true, tally);
                }
            }
            Written::Blocked => self.set_blocked(true, tally),
            Written::Gone => self.stop(Stage::Gone, tally),
        }
    }

    fn advance(&mut self, written: usize, tally: &mut Tally) {
        self.bytes -= written;
        tally.bytes_written += written;
        let mut left = written;
        while left > 0 {
            let Some(front) = self.queue.front_mut() else { break };
            if left < front.len() {
                front.advance(left);
                break;
            }
            left -= front.len();
            self.queue.pop_front();
        }
    }

    fn stop(&mut self, stage: Stage, tally: &mut Tally) {
        tally.bytes_dropped += self.bytes;
        self.bytes = 0;
        self.queue = VecDeque::new();
        self.stage = stage;
        self.set_blocked(false, tally);
    }

    fn set_blocked(&mut self, blocked: bool, tally: &mut Tally) {
        if blocked != self.blocked {
            self.blocked = blocked;
            tally.blocked += if blocked { 1 } else { -1 };
        }
    }
}

/// Offers the front of `queue` in one write; returns what was taken, and the bytes offered.
fn offer(queue: &VecDeque<Slice>, sink: &dyn Sink) -> (Written, usize) {
    if let (1, Some(front)) = (queue.len(), queue.front()) {
        return (sink.write(&[IoSlice::new(front.bytes())]), front.len());
    }
    let mut slices = SmallVec::<[IoSlice<'_>; SLICES_PER_WRITE_MAX]>::new();
    slices.extend(queue.iter().take(SLICES_PER_WRITE_MAX).map(|slice| IoSlice::new(slice.bytes())));
    let offered = slices.iter().map(|slice| slice.len()).sum();
    (sink.write(&slices), offered)
}

const SLICES_PER_WRITE_MAX: usize = 64;

/// A socket that takes everything gives the others their turn after this many writes.
const WRITES_PER_TURN_MAX: usize = 4;

/// An empty queue keeps room for this many slices.
const SLICES_KEPT_MAX: usize = 32;
