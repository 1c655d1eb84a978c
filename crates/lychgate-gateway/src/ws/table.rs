//! All open sockets, for those who must look at every one: the sweep, and the drain.

use std::sync::Arc;

use lychgate_hub::Session;
use parking_lot::Mutex;
use slab::Slab;

use crate::ws::socket::Socket;

/// A socket with its session.
#[derive(Clone)]
pub struct Entry {
    /// The socket.
    pub socket: Arc<Socket>,
    /// Its queue in the hub.
    pub session: Session,
}

/// All open sockets.
#[derive(Default)]
pub struct Table {
    entries: Mutex<Slab<Entry>>,
}

/// A place in the table; the entry goes when this goes.
pub struct Place {
    table: Arc<Table>,
    key: usize,
}

impl Table {
    /// Adds an entry for as long as the answer lives.
    #[must_use]
    pub fn insert(self: &Arc<Self>, entry: Entry) -> Place {
        let key = self.entries.lock().insert(entry);
        Place { table: Arc::clone(self), key }
    }

    /// How many sockets are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the entries with keys in `from..from + count` into `into`. Says whether there may be more.
    ///
    /// A walk in pieces: no lock is held for long, and who comes or goes meanwhile is seen in the next walk.
    pub fn chunk(&self, from: usize, count: usize, into: &mut Vec<Entry>) -> bool {
        into.clear();
        let entries = self.entries.lock();
        let to = (from + count).min(entries.capacity());
        into.extend((from..to).filter_map(|key| entries.get(key)).cloned());
        to < entries.capacity()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let entry = self.table.entries.lock().try_remove(self.key);
        drop(entry);
    }
}
