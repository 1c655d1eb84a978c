//! The capability to move bytes to sockets: open, send, seal, flush, close.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::channel::Channel;
use crate::config::OutboxLimits;
use crate::counters::{Stats, Tally};
use crate::distribution::Distribution;
use crate::hub::Core;
use crate::outbox::Pushed;
use crate::session::Session;
use crate::shard::Shard;
use crate::sink::Sink;

/// Opens sessions and writes what waits for them.
#[derive(Clone)]
pub struct Drain(Arc<Core>);

/// Whether a flush left sessions behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "sessions that were left behind need another flush"]
pub enum Flushed {
    /// Nobody waits for a turn.
    Idle,
    /// Sessions still wait; let others run, then flush again.
    More,
}

/// Why a direct frame was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It did not fit: the session is now being closed as slow.
    #[error("the outbox is full")]
    OutboxFull,
    /// The session takes no frames any more.
    #[error("the session is finished")]
    Finished,
}

impl Drain {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Opens a session whose bytes go to `sink`.
    ///
    /// It keeps the sink until [`close`](Self::close), which must be called once for every session.
    pub fn open(&self, limits: OutboxLimits, sink: Arc<dyn Sink>) -> Session {
        self.0.open(limits, sink)
    }

    /// Queues a frame for this session alone.
    ///
    /// What is pending in the session's channels is handed out first,
    /// so that whatever the socket caused leaves in the order in which it was caused.
    ///
    /// # Errors
    ///
    /// Refuses a frame that does not fit, which closes the session as slow, and any frame after the last one.
    pub fn send(&self, session: &Session, frame: Bytes) -> Result<(), SendError> {
        self.send_through(session, |distribution| distribution.push_direct(session, frame))
    }

    /// Sends frames to this session alone, in the order that [`send`](Self::send) keeps, and writes them at once.
    ///
    /// For the answers of a socket's own task, which runs anyway: no flusher has to be woken for them,
    /// and bytes are copied only if the socket does not take them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn answer(&self, session: &Session, frames: &[u8]) -> Result<(), SendError> {
        self.send_through(session, |distribution| distribution.push_answer(session, frames))
    }

    fn send_through(
        &self,
        session: &Session,
        push: impl FnOnce(&mut Distribution<'_>) -> Pushed,
    ) -> Result<(), SendError> {
        let mut distribution = Distribution::new(&self.0);
        let pending: SmallVec<[Arc<Channel>; 4]> = {
            let memberships = session.memberships().lock();
            let channels = memberships.list.iter().map(|membership| &membership.channel);
            channels.filter(|channel| channel.has_pending()).cloned().collect()
        };
        for channel in pending {
            channel.seal(&mut channel.state.lock(), &mut distribution);
        }
        match push(&mut distribution) {
            Pushed::Queued => Ok(()),
            Pushed::Overflowed => Err(SendError::OutboxFull),
            Pushed::Refused => Err(SendError::Finished),
        }
    }

    /// Takes the session out of its channels and queues its last frame behind everything it is still owed.
    ///
    /// An empty `close_frame` means that what waits already is the last.
    /// A session that ends already keeps the last frame it has.
    /// [`Sink::finished`] tells when it is written.
    pub fn finish(&self, session: &Session, close_frame: Bytes) {
        let mut distribution = Distribution::new(&self.0);
        self.0.seal_and_leave_all(session, &mut distribution);
        distribution.push_last(session, close_frame);
    }

    /// The socket is gone: takes the session out of its channels and drops all that waits and the sink.
    ///
    /// Closing again changes nothing.
    pub fn close(&self, session: &Session) {
        let mut tally = Tally::default();
        let (first, sink) = session.outbox().lock().close(&mut tally);
        self.0.counters.settle(&tally);
        drop(sink);
        self.0.leave_all(session);
        if first {
            self.0.counters.sessions.fetch_sub(1, Relaxed);
        }
    }

    /// Ready when `shard` has channels to seal or sessions to write; otherwise wakes the context when it has.
    ///
    /// A shard remembers one waker: it has one flusher.
    ///
    /// # Panics
    ///
    /// Panics if there is no such shard.
    pub fn poll_ready(&self, shard: usize, context: &mut Context<'_>) -> Poll<()> {
        // Taken before the look: what is published after it is no part of what was caught up with.
        let published = self.0.counters.bytes_published();
        let ready = self.0.shards[shard].poll_ready(context);
        if ready.is_pending() {
            self.0.shards[shard].caught_up_with(published);
        }
        ready
    }

    /// Bytes published since the flusher that lags most last had nothing to do; each frame counts once.
    /// One that waits to be woken does not lag: what was published meanwhile was for others.
    ///
    /// Blocked sessions do not count: their queues have limits of their own.
    /// A caller that stops publishing while this is high keeps sockets that do read from overflowing.
    pub fn backlog_bytes(&self) -> u64 {
        let published = self.0.counters.bytes_published();
        let lag = |shard: &Shard| {
            if shard.is_idle() {
                // So that it does not seem to lag by all of this once it is woken. A frame that is published in this
                // very moment may be passed over; the next one is not.
                shard.caught_up_with(published);
            }
            published.saturating_sub(shard.caught_up())
        };
        self.0.shards.iter().map(lag).max().unwrap_or(0)
    }

    /// Hands out what is pending in the channels of `shard`, except in those whose last batch still waits for its turn
    /// with some of their members.
    ///
    /// Called between two turns of [`flush`](Self::flush), it lets a channel of ten thousand collect one long batch while
    /// the last one is being written, and a channel of ten go ahead of it.
    ///
    /// # Panics
    ///
    /// Panics if there is no such shard.
    pub fn seal(&self, shard: usize) {
        let shard = &self.0.shards[shard];
        let (channels, taken) = shard.take_dirty();
        let mut distribution = Distribution::new(&self.0);
        let mut early = Vec::new();
        for channel in channels {
            let mut state = channel.state.lock();
            if state.turn_after > taken && channel.has_pending() {
                drop(state);
                early.push(channel);
            } else {
                state.dirty = false;
                channel.seal(&mut state, &mut distribution);
            }
        }
        shard.keep_dirty(early);
    }

    /// Writes what waits for at most `budget` sessions of `shard`, those first that have waited longest.
    /// Those who got a batch for more than five hundred take half of the budget while others wait.
    ///
    /// # Panics
    ///
    /// Panics if there is no such shard.
    pub fn flush(&self, shard: usize, budget: usize) -> Flushed {
        let shard = &self.0.shards[shard];
        let mut tally = Tally::default();
        let mut turn = shard.take_ready(budget);
        while let Some(session) = turn.next() {
            let mut outbox = session.outbox().lock();
            outbox.unlist();
            outbox.write_out(&mut tally);
            let ended = outbox.take_ended();
            let list = outbox.list();
            drop(outbox);
            if let Some(sink) = ended {
                sink.finished();
            }
            if list {
                turn.again(session);
            }
        }
        drop(turn);
        self.0.counters.settle(&tally);
        if shard.has_ready() { Flushed::More } else { Flushed::Idle }
    }

    /// A blocked socket takes bytes again: writes at once what waits for it.
    pub fn writable(&self, session: &Session) {
        let mut tally = Tally::default();
        let mut outbox = session.outbox().lock();
        outbox.unblock(&mut tally);
        outbox.write_out(&mut tally);
        let ended = outbox.take_ended();
        let list = outbox.list();
        drop(outbox);
        self.0.counters.settle(&tally);
        if let Some(sink) = ended {
            sink.finished();
        }
        if list {
            self.0.shards[session.shard()].add_ready(session.clone());
        }
    }

    /// Number of shards; they are counted from 0.
    pub fn shards(&self) -> usize {
        self.0.shards.len()
    }

    /// The hub's figures.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats()
    }
}
