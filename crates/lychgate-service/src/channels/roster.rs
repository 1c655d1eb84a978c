//! Who is in which channel, client by client.
//!
//! **Invariant:** a client is listed from before it is told that it has entered until it has left, whichever way.
//!
//! **Absent on purpose:** leases. On one machine a connection that ends is taken off the list by its own end.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;

use crate::ports::broker::KeptAuthor;

/// How many locks the channels are spread over.
const STRIPES: usize = 64;

type Clients = HashMap<Box<str>, KeptAuthor>;

/// Everybody who is in a channel that keeps account of it.
pub struct Roster {
    hasher: RandomState,
    stripes: Box<[Mutex<HashMap<ChannelName, Clients>>]>,
}

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Connections.
    pub clients: usize,
    /// Users, whatever the number of their connections.
    pub users: usize,
}

impl Default for Roster {
    fn default() -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), stripes }
    }
}

impl Roster {
    fn stripe(&self, channel: &ChannelName) -> &Mutex<HashMap<ChannelName, Clients>> {
        let hash = self.hasher.hash_one(channel);
        &self.stripes[usize::try_from(hash % STRIPES as u64).unwrap_or(0)]
    }

    /// Puts a client on the list of `channel`.
    pub fn enter(&self, channel: &ChannelName, client: KeptAuthor) {
        let mut stripe = self.stripe(channel).lock();
        stripe.entry_ref(channel).or_default().insert(client.author().client.into(), client);
    }

    /// Takes a client off the list of `channel`.
    pub fn leave(&self, channel: &ChannelName, client: &str) {
        let mut stripe = self.stripe(channel).lock();
        let Some(clients) = stripe.get_mut(channel) else { return };
        clients.remove(client);
        if clients.is_empty() {
            stripe.remove(channel);
        }
    }

    /// Everybody in `channel`, in no order.
    #[must_use]
    pub fn list(&self, channel: &ChannelName) -> Vec<KeptAuthor> {
        let stripe = self.stripe(channel).lock();
        stripe.get(channel).map(|clients| clients.values().cloned().collect()).unwrap_or_default()
    }

    /// How many are in `channel`.
    #[must_use]
    pub fn occupancy(&self, channel: &ChannelName) -> Occupancy {
        let stripe = self.stripe(channel).lock();
        let Some(clients) = stripe.get(channel) else { return Occupancy::default() };
        let users: hashbrown::HashSet<_> = clients.values().map(|client| client.author().user).collect();
        Occupancy { clients: clients.len(), users: users.len() }
    }

    /// How many channels have somebody on their list.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::broker::Author;

    #[test]
    fn clients_come_and_go_and_leave_nothing() {
        let roster = Roster::default();
        let channel: ChannelName = "chat:5".parse().unwrap();
        for (user, client) in [("ann", "1"), ("ann", "2"), ("bob", "3")] {
            let author = Author { user, client, connection_info: None, channel_info: None };
            roster.enter(&channel, KeptAuthor::of(author));
        }
        assert_eq!(roster.occupancy(&channel), Occupancy { clients: 3, users: 2 });
        assert_eq!(roster.list(&channel).len(), 3);
        for client in ["1", "2", "nobody", "3"] {
            roster.leave(&channel, client);
        }
        assert_eq!((roster.occupancy(&channel), roster.channels()), (Occupancy::default(), 0));
    }
}
