//! What the hub counts.
//!
//! **Absent on purpose:** nothing here is touched once per delivery.
//! A seal or a flush adds up in a [`Tally`] of its own and settles it once.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// The hub's figures at one moment; those of different rows may be some deliveries apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions opened and not closed.
    pub sessions: u64,
    /// Channels with members.
    pub channels: u64,
    /// Memberships of sessions in channels.
    pub subscriptions: u64,
    /// Sessions whose socket has to become writable before anything is written.
    pub sessions_blocked: u64,
    /// Sessions closed as slow since the start.
    pub sessions_overflowed: u64,
    /// Publications that reached a channel with members, since the start.
    pub frames_published: u64,
    /// Batches handed out since the start.
    pub batches_sealed: u64,
    /// Slices put in outboxes since the start, those of direct frames included.
    pub slices_pushed: u64,
    /// Bytes that sockets took since the start.
    pub bytes_written: u64,
    /// Bytes that waited when their session overflowed, went or was closed, since the start.
    pub bytes_dropped: u64,
    /// Bytes that wait in all outboxes together; a batch shared by many counts for each.
    pub queued_bytes: u64,
    /// The most bytes that one outbox held at once since the start.
    pub queue_bytes_high: u64,
    /// The most slices that one outbox held at once since the start.
    pub queue_slices_high: u64,
}

/// The counters that all threads share.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) sessions: AtomicI64,
    pub(crate) channels: AtomicI64,
    pub(crate) subscriptions: AtomicI64,
    blocked: AtomicI64,
    overflowed: AtomicU64,
    frames_published: AtomicU64,
    bytes_published: AtomicU64,
    batches_sealed: AtomicU64,
    slices_pushed: AtomicU64,
    bytes_pushed: AtomicU64,
    bytes_written: AtomicU64,
    bytes_dropped: AtomicU64,
    queue_bytes_high: AtomicU64,
    queue_slices_high: AtomicU64,
}

impl Counters {
    /// Adds what one operation did.
    pub(crate) fn settle(&self, tally: &Tally) {
        let add = |counter: &AtomicU64, amount: usize| {
            if amount > 0 {
                counter.fetch_add(amount as u64, Relaxed);
            }
        };
        let raise = |mark: &AtomicU64, seen: usize| {
            if seen as u64 > mark.load(Relaxed) {
                mark.fetch_max(seen as u64, Relaxed);
            }
        };
        add(&self.overflowed, tally.overflowed);
        add(&self.batches_sealed, tally.batches_sealed);
        add(&self.slices_pushed, tally.slices_pushed);
        add(&self.bytes_pushed, tally.bytes_pushed);
        add(&self.bytes_written, tally.bytes_written);
        add(&self.bytes_dropped, tally.bytes_dropped);
        raise(&self.queue_bytes_high, tally.queue_bytes_high);
        raise(&self.queue_slices_high, tally.queue_slices_high);
        if tally.blocked != 0 {
            self.blocked.fetch_add(tally.blocked, Relaxed);
        }
    }

    /// A frame of `bytes` was published. Told under the channel's lock, so before any flusher can have dealt with it.
    pub(crate) fn published(&self, bytes: usize) {
        self.frames_published.fetch_add(1, Relaxed);
        self.bytes_published.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes ever published.
    pub(crate) fn bytes_published(&self) -> u64 {
        self.bytes_published.load(Relaxed)
    }

    pub(crate) fn stats(&self) -> Stats {
        // A gauge may be read between another thread's two steps; it is never shown below zero.
        let gauge = |counter: &AtomicI64| counter.load(Relaxed).max(0) as u64;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let bytes_written = count(&self.bytes_written);
        let bytes_dropped = count(&self.bytes_dropped);
        Stats {
            sessions: gauge(&self.sessions),
            channels: gauge(&self.channels),
            subscriptions: gauge(&self.subscriptions),
            sessions_blocked: gauge(&self.blocked),
            sessions_overflowed: count(&self.overflowed),
            frames_published: count(&self.frames_published),
            batches_sealed: count(&self.batches_sealed),
            slices_pushed: count(&self.slices_pushed),
            bytes_written,
            bytes_dropped,
            queued_bytes: count(&self.bytes_pushed).saturating_sub(bytes_written + bytes_dropped),
            queue_bytes_high: count(&self.queue_bytes_high),
            queue_slices_high: count(&self.queue_slices_high),
        }
    }
}

/// What one operation did, to be settled in one go.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) overflowed: usize,
    pub(crate) batches_sealed: usize,
    pub(crate) bytes_written: usize,
    pub(crate) bytes_dropped: usize,
    pub(crate) blocked: i64,
    slices_pushed: usize,
    bytes_pushed: usize,
    queue_bytes_high: usize,
    queue_slices_high: usize,
}

impl Tally {
    /// A socket took `bytes` at once, past its empty queue.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.bytes_pushed += bytes;
        self.slices_pushed += 1;
        self.bytes_written += bytes;
    }

    /// A queue took `bytes` in `slices` and is now this long.
    pub(crate) fn pushed(&mut self, bytes: usize, slices: usize, queue_bytes: usize, queue_slices: usize) {
        self.bytes_pushed += bytes;
        self.slices_pushed += slices;
        self.queue_bytes_high = self.queue_bytes_high.max(queue_bytes);
        self.queue_slices_high = self.queue_slices_high.max(queue_slices);
    }
}
