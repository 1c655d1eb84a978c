//! How many connections each user has at one endpoint, and which of them makes room.
//!
//! **Invariant:** a seat is held from entry until the connection's end; whoever is asked to make room is closed by
//! the caller and gives the seat back like anybody else.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashMap;
use lychgate_service::policy::Permit;
use lychgate_service::ports::rights::Parameter;
use parking_lot::Mutex;

use crate::settings::{SeatLimit, WhenFull};
use crate::ws::table::Entry;

/// The seats of one endpoint.
pub struct Seats {
    limit: SeatLimit,
    hasher: RandomState,
    users: Mutex<HashMap<u64, VecDeque<Taken>>>,
}

struct Taken {
    number: u64,
    device: Option<u64>,
    entry: Entry,
    /// It has been asked to make room and no longer counts.
    leaves: bool,
}

/// One connection's seat; it is free again when this goes.
pub struct Seat {
    seats: Arc<Seats>,
    user: u64,
    number: u64,
}

impl Seats {
    /// The seats that `limit` allows each user.
    #[must_use]
    pub fn new(limit: SeatLimit) -> Arc<Self> {
        Arc::new(Self { limit, hasher: RandomState::new(), users: Mutex::default() })
    }

    /// Seats `entry`, the connection of `permit`'s holder; and says who has to make room for it.
    ///
    /// `None` if it has to go itself.
    #[must_use]
    pub fn take(self: &Arc<Self>, permit: &Permit, entry: &Entry) -> Option<(Seat, Option<Entry>)> {
        // A keyed 64-bit hash stands for the name: nobody can aim at a collision, and chance does not find one.
        // The id, since two tokens may name one user in two ways.
        let user = self.hasher.hash_one(permit.principal().id());
        let device = self.device(permit);
        let mut users = self.users.lock();
        let taken = users.entry(user).or_default();
        let seated = taken.iter().filter(|other| !other.leaves).count();
        let is_full = seated >= self.limit.per_user_max;
        let makes_room = match &self.limit.when_full {
            WhenFull::Refuse => None,
            WhenFull::CloseOldest if is_full => taken.iter_mut().find(|other| !other.leaves),
            WhenFull::CloseOldest => None,
            WhenFull::ReplaceSame(_) => {
                taken.iter_mut().find(|other| !other.leaves && device.is_some() && other.device == device)
            }
        };
        let leaving = makes_room.map(|other| {
            other.leaves = true;
            other.entry.clone()
        });
        if is_full && leaving.is_none() {
            if taken.is_empty() {
                users.remove(&user);
            }
            return None;
        }
        let number = taken.back().map_or(0, |last| last.number + 1);
        taken.push_back(Taken { number, device, entry: entry.clone(), leaves: false });
        Some((Seat { seats: Arc::clone(self), user, number }, leaving))
    }

    fn device(&self, permit: &Permit) -> Option<u64> {
        let WhenFull::ReplaceSame(name) = &self.limit.when_full else { return None };
        let (_, value) = permit.parameters().iter().find(|(parameter, _)| **parameter == **name)?;
        Some(match value {
            Parameter::Text(text) => self.hasher.hash_one(text),
            Parameter::Integer(number) => self.hasher.hash_one(number.to_string()),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.seats.users.lock();
        let Some(taken) = users.get_mut(&self.user) else { return };
        let gone = taken.iter().position(|other| other.number == self.number).and_then(|at| taken.remove(at));
        if taken.is_empty() {
            users.remove(&self.user);
        }
        // An entry may be the last to hold its socket, whose end must not happen under the lock.
        drop(users);
        drop(gone);
    }
}
