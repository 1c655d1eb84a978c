//! A named stream of publications and those who receive it.
//!
//! **Invariant:** all changes of members and all sealing happen under the channel's lock, so every member sees
//! the channel's frames in one order. `pending` is false only when no frame waits *and* the last batch has been handed
//! out to the end, so whoever reads false may queue a direct frame behind it.
//!
//! **Absent on purpose:** a channel without members does not exist.
//! The last one to leave retires it under its lock, and whoever still finds it then looks again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::distribution::Distribution;
use crate::encode::{Class, Encode};
use crate::group::Group;
use crate::session::{Session, SessionId};

/// One channel.
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// The shard whose flusher seals it.
    pub(crate) home: usize,
    pub(crate) state: Mutex<ChannelState>,
    pending: AtomicBool,
}

/// What a channel's lock guards.
#[derive(Default)]
pub(crate) struct ChannelState {
    pub(crate) retired: bool,
    /// On the home shard's dirty list, or in the hands of the flusher that took it off.
    pub(crate) dirty: bool,
    /// The witness was told of its first member.
    pub(crate) witnessed: bool,
    /// How many of the home shard's crowd must have had their turn before the next batch is worth handing out.
    pub(crate) turn_after: u64,
    groups: SmallVec<[Group; 1]>,
}

impl Channel {
    pub(crate) fn new(name: ChannelName, home: usize) -> Arc<Self> {
        Arc::new(Self { name, home, state: Mutex::default(), pending: AtomicBool::new(false) })
    }

    /// Whether frames may wait to be handed out.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Adds a frame to the pending batch of every group; returns its bytes in all of them together.
    pub(crate) fn append(
        &self,
        state: &mut ChannelState,
        offset: u64,
        frame: &dyn Encode,
        exclude: Option<SessionId>,
        batch_bytes_max: usize,
        distribution: &mut Distribution<'_>,
    ) -> usize {
        self.pending.store(true, Ordering::Release);
        let groups = state.groups.iter_mut();
        groups.map(|group| group.append(offset, frame, exclude, batch_bytes_max, distribution)).sum()
    }

    /// Hands out everything that is pending.
    pub(crate) fn seal(&self, state: &mut ChannelState, distribution: &mut Distribution<'_>) {
        if !self.has_pending() {
            return;
        }
        for group in &mut state.groups {
            group.seal(distribution);
        }
        state.turn_after = distribution.place_behind(self.home);
        self.pending.store(false, Ordering::Release);
    }
}

impl ChannelState {
    /// Adds a member and returns its key in its group. What is pending must be sealed before.
    pub(crate) fn insert(&mut self, session: Session, class: Class) -> u32 {
        let position = self.groups.iter().position(|group| group.class == class).unwrap_or_else(|| {
            self.groups.push(Group::new(class));
            self.groups.len() - 1
        });
        let key = self.groups[position].members.insert(session);
        u32::try_from(key).expect("a group has fewer than 2^32 members")
    }

    /// Removes a member, and with the last one of its class the group.
    pub(crate) fn remove(&mut self, class: Class, key: u32) {
        if let Some(position) = self.groups.iter().position(|group| group.class == class) {
            self.groups[position].members.try_remove(key as usize);
            if self.groups[position].members.is_empty() {
                self.groups.swap_remove(position);
            }
        }
    }

    /// Whether there are members of `class`.
    pub(crate) fn has_class(&self, class: Class) -> bool {
        self.groups.iter().any(|group| group.class == class)
    }

    /// Moves the members of one class to another, and returns them with their new keys. What is pending must be sealed
    /// before.
    pub(crate) fn convert(&mut self, from: Class, into: Class) -> Vec<(Session, u32)> {
        let Some(position) = self.groups.iter().position(|group| group.class == from) else { return Vec::new() };
        let members = self.groups.swap_remove(position).members;
        let moved = members.into_iter().map(|(_, session)| {
            let key = self.insert(session.clone(), into);
            (session, key)
        });
        moved.collect()
    }

    /// Removes all members and returns them. What is pending must be sealed before.
    pub(crate) fn take_members(&mut self) -> Vec<Session> {
        let groups = std::mem::take(&mut self.groups);
        groups.into_iter().flat_map(|group| group.members).map(|(_, member)| member).collect()
    }

    pub(crate) fn members(&self) -> usize {
        self.groups.iter().map(|group| group.members.len()).sum()
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.groups.is_empty()
    }
}
