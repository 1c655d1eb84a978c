//! Finding a channel by its name.
//!
//! **Invariant:** a listed channel is not retired, except for the moment in which its retirer, who holds its lock,
//! takes it off. So whoever locks a retired channel finds the directory without it.
//!
//! **Absent on purpose:** no reference into the directory leaves it, and nothing is locked while a stripe is:
//! the channel is cloned out first.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;

use crate::channel::Channel;

/// All channels that have members.
pub(crate) struct Directory {
    /// Names may be chosen by clients, hence the keyed hash.
    hasher: RandomState,
    stripes: [Mutex<HashTable<Arc<Channel>>>; STRIPES],
}

impl Directory {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), stripes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The channel of that name, if it has members.
    pub(crate) fn find(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        let hash = self.hasher.hash_one(name);
        self.stripe(hash).lock().find(hash, |channel| channel.name == *name).cloned()
    }

    /// The channel of that name, made if there is none.
    pub(crate) fn find_or_insert(&self, name: &ChannelName, make: impl FnOnce() -> Arc<Channel>) -> Arc<Channel> {
        let hash = self.hasher.hash_one(name);
        let mut stripe = self.stripe(hash).lock();
        let rehash = |channel: &Arc<Channel>| self.hasher.hash_one(&channel.name);
        match stripe.entry(hash, |channel| channel.name == *name, rehash) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => Arc::clone(entry.insert(make()).get()),
        }
    }

    /// All channels that have members.
    pub(crate) fn list(&self) -> Vec<Arc<Channel>> {
        self.stripes.iter().flat_map(|stripe| stripe.lock().iter().cloned().collect::<Vec<_>>()).collect()
    }

    /// Takes `channel` off; another one of the same name stays.
    pub(crate) fn remove(&self, channel: &Arc<Channel>) {
        let hash = self.hasher.hash_one(&channel.name);
        let mut stripe = self.stripe(hash).lock();
        if let Ok(entry) = stripe.find_entry(hash, |listed| Arc::ptr_eq(listed, channel)) {
            entry.remove();
        }
    }

    fn stripe(&self, hash: u64) -> &Mutex<HashTable<Arc<Channel>>> {
        // The table itself uses the lowest and the highest bits.
        &self.stripes[(hash >> 32) as usize % STRIPES]
    }
}

const STRIPES: usize = 64;
