//! One flusher's share of the work: the channels to seal, the sessions to write, and whom to wake.
//!
//! **Invariant:** work enters under the same lock under which a flusher that finds none leaves its waker.
//! So the flusher sees the work or is woken for it, and no wake-up is lost.
//!
//! **Absent on purpose:** a shard never locks a channel or a session; what it lists is taken out first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::channel::Channel;
use crate::session::Session;

/// The lists of one flusher.
#[derive(Default)]
pub(crate) struct Shard {
    work: Mutex<Work>,
    /// How many bytes had been published when the flusher last had nothing to do.
    caught_up: AtomicU64,
    /// Whether the flusher waits to be woken.
    is_idle: AtomicBool,
}

#[derive(Default)]
struct Work {
    dirty: Vec<Arc<Channel>>,
    ready: VecDeque<Session>,
    /// Those who are ready because of a batch for very many. They get half of a turn while others are ready, too.
    crowd: VecDeque<Session>,
    /// How many sessions were ever put in the crowd, and how many taken out of it.
    crowd_listed: u64,
    crowd_taken: u64,
    waker: Option<Waker>,
}

impl Shard {
    /// Lists a channel that got its first pending frame, and wakes the flusher.
    pub(crate) fn add_dirty(&self, channel: Arc<Channel>) {
        self.add(|work| work.dirty.push(channel));
    }

    /// Lists a session that has something to write, and wakes the flusher.
    pub(crate) fn add_ready(&self, session: Session) {
        self.add(|work| work.ready.push_back(session));
    }

    /// Lists all of `sessions` and leaves it empty, and wakes the flusher.
    pub(crate) fn add_all_ready(&self, sessions: &mut Vec<Session>) {
        if !sessions.is_empty() {
            self.add(|work| work.ready.extend(sessions.drain(..)));
        }
    }

    /// The same for a part of very many.
    pub(crate) fn add_crowd(&self, sessions: &mut Vec<Session>) {
        if !sessions.is_empty() {
            self.add(|work| {
                work.crowd_listed += sessions.len() as u64;
                work.crowd.extend(sessions.drain(..));
            });
        }
    }

    /// Takes the channels that have pending frames, and tells how many of the crowd have had their turn.
    pub(crate) fn take_dirty(&self) -> (Vec<Arc<Channel>>, u64) {
        let mut work = self.work.lock();
        (std::mem::take(&mut work.dirty), work.crowd_taken)
    }

    /// Lists channels again that were taken too early. The flusher is at work, and nobody has to wake it.
    pub(crate) fn keep_dirty(&self, channels: Vec<Arc<Channel>>) {
        if !channels.is_empty() {
            self.work.lock().dirty.extend(channels);
        }
    }

    /// The flusher has nothing to do, and that takes in the first `published` bytes.
    pub(crate) fn caught_up_with(&self, published: u64) {
        self.caught_up.store(published, Relaxed);
    }

    /// Whether the flusher has nothing to do and waits to be woken: nothing that was published meanwhile was for it.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_idle.load(Relaxed)
    }

    /// How many of the bytes ever published the flusher is known to have dealt with.
    pub(crate) fn caught_up(&self) -> u64 {
        self.caught_up.load(Relaxed)
    }

    /// How many were ever in the crowd: one that joins it now has its turn when more than these are taken.
    pub(crate) fn crowd_listed(&self) -> u64 {
        self.work.lock().crowd_listed
    }

    /// Takes the sessions that have waited longest, at most `budget` of them, and of the crowd half if others wait.
    pub(crate) fn take_ready(&self, budget: usize) -> Turn<'_> {
        let mut work = self.work.lock();
        let few = work.ready.len().min(budget.saturating_sub(work.crowd.len()).max(budget.div_ceil(2)));
        let many = work.crowd.len().min(budget - few);
        let Work { ready, crowd, crowd_taken, .. } = &mut *work;
        let sessions: Vec<Session> = ready.drain(..few).chain(crowd.drain(..many)).collect();
        *crowd_taken += many as u64;
        drop(work);
        Turn { shard: self, sessions: sessions.into_iter(), again: Vec::new() }
    }

    /// Whether sessions wait for their turn.
    pub(crate) fn has_ready(&self) -> bool {
        self.work.lock().has_ready()
    }

    /// Ready if there is work; otherwise remembers the waker for when there is.
    pub(crate) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut work = self.work.lock();
        if !work.dirty.is_empty() || work.has_ready() {
            return Poll::Ready(());
        }
        match &mut work.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => work.waker = Some(context.waker().clone()),
        }
        self.is_idle.store(true, Relaxed);
        Poll::Pending
    }

    fn add(&self, add: impl FnOnce(&mut Work)) {
        let mut work = self.work.lock();
        add(&mut work);
        let waker = work.waker.take();
        self.is_idle.store(false, Relaxed);
        drop(work);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Work {
    fn has_ready(&self) -> bool {
        !self.ready.is_empty() || !self.crowd.is_empty()
    }
}

/// Sessions taken off a ready list; those that were not reached go back when it ends, even if a sink panics.
pub(crate) struct Turn<'a> {
    shard: &'a Shard,
    sessions: std::vec::IntoIter<Session>,
    again: Vec<Session>,
}

impl Turn<'_> {
    /// The session whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Session> {
        self.sessions.next()
    }

    /// Lists `session` once more, behind those that wait now.
    pub(crate) fn again(&mut self, session: Session) {
        self.again.push(session);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut rest: Vec<Session> = self.sessions.by_ref().chain(self.again.drain(..)).collect();
        self.shard.add_all_ready(&mut rest);
    }
}
