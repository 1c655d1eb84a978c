//! The state that the two capabilities share, and how sessions enter and leave channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lychgate_protocol::channel::ChannelName;

use crate::channel::{Channel, ChannelState};
use crate::config::{HubConfig, OutboxLimits};
use crate::counters::Counters;
use crate::directory::Directory;
use crate::distribution::Distribution;
use crate::drain::Drain;
use crate::registrar::Registrar;
use crate::session::{Membership, Session, SessionId};
use crate::shard::Shard;
use crate::sink::Sink;
use crate::witness::Witness;

/// The place where hubs are made.
#[derive(Debug)]
pub struct Hub;

impl Hub {
    /// Makes a hub and returns the two capabilities to it, each cheap to clone.
    #[expect(clippy::new_ret_no_self, reason = "a hub is used through its capabilities alone")]
    pub fn new(config: HubConfig) -> (Registrar, Drain) {
        Self::make(config, None)
    }

    /// The same, with somebody who is told which channels have members.
    pub fn witnessed(config: HubConfig, witness: Arc<dyn Witness>) -> (Registrar, Drain) {
        Self::make(config, Some(witness))
    }

    fn make(config: HubConfig, witness: Option<Arc<dyn Witness>>) -> (Registrar, Drain) {
        let core = Arc::new(Core {
            shards: (0..config.shards.max(1)).map(|_| Shard::default()).collect(),
            directory: Directory::new(),
            counters: Counters::default(),
            batch_bytes_max: config.batch_bytes_max.min(u32::MAX as usize),
            witness,
            next_session: AtomicU64::new(1),
            next_home: AtomicUsize::new(0),
        });
        (Registrar::new(Arc::clone(&core)), Drain::new(core))
    }
}

/// Everything there is one of.
pub(crate) struct Core {
    pub(crate) shards: Box<[Shard]>,
    pub(crate) directory: Directory,
    pub(crate) counters: Counters,
    pub(crate) batch_bytes_max: usize,
    witness: Option<Arc<dyn Witness>>,
    next_session: AtomicU64,
    next_home: AtomicUsize,
}

impl Core {
    /// Opens a session under a name of its own; its shard is the next in turn.
    pub(crate) fn open(&self, limits: OutboxLimits, sink: Arc<dyn Sink>) -> Session {
        let id = self.next_session.fetch_add(1, Relaxed);
        let shard = (id % self.shards.len() as u64) as u32;
        self.counters.sessions.fetch_add(1, Relaxed);
        Session::new(SessionId(id), shard, limits, sink)
    }

    /// The channel of that name, made if there is none; its home is the next shard in turn.
    pub(crate) fn find_or_make_channel(&self, name: &ChannelName) -> Arc<Channel> {
        self.directory.find_or_insert(name, || {
            self.counters.channels.fetch_add(1, Relaxed);
            Channel::new(name.clone(), self.next_home.fetch_add(1, Relaxed) % self.shards.len())
        })
    }

    /// Tells the witness of a channel's first member, whose lock the caller holds.
    pub(crate) fn tell_if_occupied(&self, channel: &Channel, state: &mut ChannelState) {
        if let Some(witness) = &self.witness
            && !state.is_vacant()
            && !std::mem::replace(&mut state.witnessed, true)
        {
            witness.occupied(&channel.name);
        }
    }

    /// Retires a channel that the last member has left, or that was made for a member who was refused.
    pub(crate) fn retire_if_vacant(&self, channel: &Arc<Channel>, state: &mut ChannelState) {
        if state.is_vacant() && !state.retired {
            state.retired = true;
            // While it is still listed: nobody can be in another one of its name before this is told.
            if let (Some(witness), true) = (&self.witness, state.witnessed) {
                witness.vacated(&channel.name);
            }
            self.directory.remove(channel);
            self.counters.channels.fetch_sub(1, Relaxed);
        }
    }

    /// Takes `session` out of `channel`, whose lock the caller holds; whether it was in it.
    ///
    /// With `number`, only that one membership is meant.
    /// What is pending must be sealed before, unless the session takes no frames any more.
    pub(crate) fn leave(
        &self,
        session: &Session,
        channel: &Arc<Channel>,
        state: &mut ChannelState,
        number: Option<u32>,
    ) -> bool {
        let mut memberships = session.memberships().lock();
        let Some(position) = memberships.position(channel) else { return false };
        if number.is_some_and(|number| memberships.list[position].number != number) {
            return false;
        }
        let Membership { class, key, .. } = memberships.list.swap_remove(position);
        drop(memberships);
        state.remove(class, key);
        self.counters.subscriptions.fetch_sub(1, Relaxed);
        self.retire_if_vacant(channel, state);
        true
    }

    /// Takes everybody out of `channel`, whose lock the caller holds, and keeps them from joining any other.
    ///
    /// What is pending must be sealed before.
    pub(crate) fn evict_all(&self, channel: &Arc<Channel>, state: &mut ChannelState) -> Vec<Session> {
        let members = state.take_members();
        for session in &members {
            let mut memberships = session.memberships().lock();
            memberships.closed = true;
            if let Some(position) = memberships.position(channel) {
                memberships.list.swap_remove(position);
            }
        }
        self.counters.subscriptions.fetch_sub(members.len() as i64, Relaxed);
        self.retire_if_vacant(channel, state);
        members
    }

    /// Takes a session that takes no frames any more out of all its channels, for good.
    pub(crate) fn leave_all(&self, session: &Session) {
        self.leave_each(session, |_, _| {});
    }

    /// Takes a session out of all its channels, for good, after it got what was pending in them.
    pub(crate) fn seal_and_leave_all(&self, session: &Session, distribution: &mut Distribution<'_>) {
        self.leave_each(session, |channel, state| channel.seal(state, distribution));
    }

    fn leave_each(&self, session: &Session, mut before: impl FnMut(&Channel, &mut ChannelState)) {
        session.memberships().lock().closed = true;
        loop {
            // The channel is locked before the memberships, so it is looked up first and the leaving looks again.
            let last = session.memberships().lock().list.last().map(|membership| Arc::clone(&membership.channel));
            let Some(channel) = last else { return };
            let mut state = channel.state.lock();
            before(&channel, &mut state);
            self.leave(session, &channel, &mut state, None);
        }
    }
}
