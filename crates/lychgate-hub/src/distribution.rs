//! Handing slices to outboxes, with the consequences put together.
//!
//! A batch for ten thousand members takes each member's own lock once, but a shard's lock only once per several hundred.
//!
//! **Invariant:** once a distribution is dropped, every session that got something to write is on a ready list,
//! the channel that got its first pending frame is on a dirty list, every session that overflowed has left its channels,
//! and the counters have what happened.
//! It is dropped after the channel's lock is released, and it is dropped even if an encoder panics.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::batch::Batch;
use crate::channel::Channel;
use crate::counters::Tally;
use crate::hub::Core;
use crate::outbox::{Outbox, Pushed};
use crate::session::Session;
use crate::shard::Shard;
use crate::sink::Farewell;

/// The consequences of pushes that are not settled yet.
pub(crate) struct Distribution<'a> {
    pub(crate) tally: Tally,
    /// A channel to seal when the tick ends.
    pub(crate) dirty: Option<Arc<Channel>>,
    core: &'a Core,
    ready: SmallVec<[Ready; 4]>,
    overflowed: Vec<Session>,
}

/// The sessions of one shard that got something to write and are not listed yet.
#[derive(Default)]
struct Ready {
    sessions: Vec<Session>,
    /// They are so many that some have been listed already.
    crowd: bool,
}

impl Ready {
    fn list(&mut self, shard: &Shard) {
        if self.crowd {
            shard.add_crowd(&mut self.sessions);
        } else {
            shard.add_all_ready(&mut self.sessions);
        }
    }
}

impl<'a> Distribution<'a> {
    pub(crate) fn new(core: &'a Core) -> Self {
        Self { tally: Tally::default(), dirty: None, core, ready: SmallVec::new(), overflowed: Vec::new() }
    }

    /// Gives `session` its ranges of `batch`.
    pub(crate) fn push(&mut self, session: &Session, batch: &Arc<Batch>, ranges: &[Range<u32>]) {
        let mut outbox = session.outbox().lock();
        let pushed = outbox.push(batch, ranges, &mut self.tally);
        let list = outbox.list();
        drop(outbox);
        self.follow_up(session, pushed, list);
    }

    /// Gives `session` a frame of its own.
    pub(crate) fn push_direct(&mut self, session: &Session, frame: Bytes) -> Pushed {
        let mut outbox = session.outbox().lock();
        let pushed = outbox.push_direct(frame, &mut self.tally);
        let list = outbox.list();
        drop(outbox);
        self.follow_up(session, pushed, list);
        pushed
    }

    /// Gives `session` frames of its own, and its socket what it takes of them at once.
    pub(crate) fn push_answer(&mut self, session: &Session, frames: &[u8]) -> Pushed {
        let mut outbox = session.outbox().lock();
        let pushed = outbox.push_answer(frames, &mut self.tally);
        let ended = outbox.take_ended();
        let list = outbox.list();
        drop(outbox);
        if let Some(sink) = ended {
            sink.finished();
        }
        self.follow_up(session, pushed, list);
        pushed
    }

    /// Gives `session` its last frame.
    pub(crate) fn push_last(&mut self, session: &Session, frame: Bytes) {
        self.push_end(session, |outbox, tally| outbox.push_last(frame, tally));
    }

    /// Gives `session` the last frame that its own sink words.
    pub(crate) fn push_farewell(&mut self, session: &Session, cause: Farewell) {
        self.push_end(session, |outbox, tally| outbox.push_farewell(cause, tally));
    }

    fn push_end(&mut self, session: &Session, push: impl FnOnce(&mut Outbox, &mut Tally)) {
        let mut outbox = session.outbox().lock();
        push(&mut outbox, &mut self.tally);
        let list = outbox.list();
        drop(outbox);
        self.follow_up(session, Pushed::Queued, list);
    }

    /// How many of the crowd of `shard` must have had their turn until all whom this distribution listed there had it.
    pub(crate) fn place_behind(&self, shard: usize) -> u64 {
        match self.ready.get(shard) {
            Some(ready) if ready.crowd => self.core.shards[shard].crowd_listed() + ready.sessions.len() as u64,
            _ => 0,
        }
    }

    fn follow_up(&mut self, session: &Session, pushed: Pushed, list: bool) {
        if pushed == Pushed::Overflowed {
            self.overflowed.push(session.clone());
        }
        if list {
            if self.ready.is_empty() {
                self.ready.resize_with(self.core.shards.len(), Ready::default);
            }
            let shard = session.shard();
            let ready = &mut self.ready[shard];
            ready.sessions.push(session.clone());
            if ready.sessions.len() >= READY_CHUNK {
                ready.crowd = true;
                ready.list(&self.core.shards[shard]);
            }
        }
    }
}

impl Drop for Distribution<'_> {
    fn drop(&mut self) {
        for (shard, ready) in self.ready.iter_mut().enumerate() {
            ready.list(&self.core.shards[shard]);
        }
        if let Some(channel) = self.dirty.take() {
            self.core.shards[channel.home].add_dirty(channel);
        }
        self.core.counters.settle(&self.tally);
        for session in &self.overflowed {
            self.core.leave_all(session);
        }
    }
}

/// Sessions that are listed at once, and the least that count as a crowd: few enough that other shards start to write while a large batch is handed out.
const READY_CHUNK: usize = 512;
