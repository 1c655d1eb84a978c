//! What happened and is not stored yet, in its order, and what is open at this moment.
//!
//! **Invariant:** one lock guards both. What is open is what everything in the queue, and everything before it, has come
//! to; a source that is behind has lost what came since, and nothing else.
//!
//! A source is behind from its first loss until it has [caught up](Queue::catch_up): it is told how many events it was
//! not told of, and then what is open. What comes in between is lost as well, since it would be told out of its order.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::attendance::Attendee;
use super::figures::Figures;
use super::{Happened, Item};
use crate::ports::clock::{Clock, UnixMicros};

pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to store, or room for it.
    pub(super) changed: Notify,
    max: usize,
    figures: Arc<[Figures]>,
}

struct State {
    waiting: VecDeque<Item>,
    sources: Vec<Here>,
}

/// What is open for one source.
#[derive(Default)]
struct Here {
    sessions: HashMap<u64, Arc<Attendee>>,
    channels: HashMap<ChannelName, (Arc<str>, UnixMicros)>,
    /// Events that it was not told of; it is behind if there are any.
    lost: u64,
    /// What waits in the queue for it is lost as well, since something before that is.
    is_cut: bool,
}

impl Queue {
    /// An empty queue for so many events. Each source has lost some already, or none.
    pub(super) fn new(max: usize, figures: Arc<[Figures]>, lost: &[u64]) -> Self {
        let sources = lost.iter().map(|lost| Here { lost: *lost, ..Here::default() }).collect();
        figures.iter().zip(lost).for_each(|(figures, lost)| figures.is_behind(*lost > 0));
        Self { state: Mutex::new(State { waiting: VecDeque::new(), sources }), changed: Notify::new(), max, figures }
    }

    /// Gives what happened its place. It never waits, and may be called with locks of the hub held.
    pub(super) fn push(&self, source: usize, clock: &dyn Clock, happened: Happened) {
        let mut state = self.state.lock();
        let at = clock.now();
        let State { waiting, sources } = &mut *state;
        let here = &mut sources[source];
        here.note(&happened, at);
        let is_lost = here.lost > 0 || waiting.len() >= self.max;
        if is_lost {
            here.lost += 1;
            self.figures[source].lost(1);
            self.figures[source].is_behind(true);
        } else {
            waiting.push_back(Item { source, at, happened });
        }
        let is_first = is_lost && here.lost == 1;
        drop(state);
        self.changed.notify_one();
        if is_first {
            tracing::error!(source = %self.figures[source].name, reason = "queue", "events are lost: too many wait to be stored");
        }
    }

    /// Takes the oldest, at most so many.
    pub(super) fn take(&self, most: usize) -> Vec<Item> {
        let mut state = self.state.lock();
        let State { waiting, sources } = &mut *state;
        let mut taken = Vec::with_capacity(most.min(waiting.len()));
        while taken.len() < most
            && let Some(item) = waiting.pop_front()
        {
            if sources[item.source].is_cut {
                sources[item.source].lost += 1;
                self.figures[item.source].lost(1);
            } else {
                taken.push(item);
            }
        }
        taken
    }

    /// So many events that were taken are not stored, and what is behind them cannot be either.
    pub(super) fn fall_behind(&self, source: usize, lost: u64) {
        let mut state = self.state.lock();
        let here = &mut state.sources[source];
        let is_first = here.lost == 0;
        here.lost += lost;
        here.is_cut = true;
        self.figures[source].lost(lost);
        self.figures[source].is_behind(true);
        drop(state);
        if is_first {
            tracing::error!(source = %self.figures[source].name, reason = "waiting", "events are lost: too many wait to be told");
        }
    }

    /// How many events the source has lost since it was last told.
    pub(super) fn lost(&self, source: usize) -> u64 {
        self.state.lock().sources[source].lost
    }

    /// How many events a source that is behind was not told of, and what is open now; from here on it is not behind.
    ///
    /// Nothing if it is not behind, or if something that is not lost waits for it.
    pub(super) fn catch_up(&self, source: usize) -> Option<(u64, Vec<Item>)> {
        let mut state = self.state.lock();
        let State { waiting, sources } = &mut *state;
        let here = &mut sources[source];
        if here.lost == 0 {
            return None;
        }
        if here.is_cut {
            let before = waiting.len();
            waiting.retain(|item| item.source != source);
            let gone = (before - waiting.len()) as u64;
            here.lost += gone;
            self.figures[source].lost(gone);
        } else if waiting.iter().any(|item| item.source == source) {
            return None;
        }
        here.is_cut = false;
        Some((std::mem::take(&mut here.lost), here.open(source)))
    }
}

impl Here {
    fn note(&mut self, happened: &Happened, at: UnixMicros) {
        match happened {
            Happened::Connected(who) => drop(self.sessions.insert(who.id, Arc::clone(who))),
            Happened::Disconnected(who, _) => drop(self.sessions.remove(&who.id)),
            Happened::Occupied(channel, namespace) => {
                self.channels.insert(channel.clone(), (Arc::clone(namespace), at));
            }
            Happened::Emptied(channel, _) => drop(self.channels.remove(channel)),
        }
    }

    /// What is open, as if it happened now: those first who came first.
    fn open(&self, source: usize) -> Vec<Item> {
        let mut sessions: Vec<_> = self.sessions.values().cloned().collect();
        sessions.sort_unstable_by_key(|who| who.id);
        let mut channels: Vec<_> = self.channels.iter().collect();
        channels.sort_unstable_by_key(|(_, (_, at))| *at);
        let sessions =
            sessions.into_iter().map(|who| Item { source, at: who.since, happened: Happened::Connected(who) });
        let channels = channels.into_iter().map(|(channel, (namespace, at))| Item {
            source,
            at: *at,
            happened: Happened::Occupied(channel.clone(), Arc::clone(namespace)),
        });
        sessions.chain(channels).collect()
    }
}
