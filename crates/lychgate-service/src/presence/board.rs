//! The state machine of one board.
//!
//! A user is there from the first device's arrival until the last one has left and the grace after it is over.
//! Their state is the first word of the settings until they say another; what a user says holds on all their devices
//! until they say something else or are gone. A user may say the last word, "gone", while being there: they are then
//! hidden, and are seen again when they say another word or come anew.
//!
//! Time is an argument: milliseconds of any clock that does not run backwards. It may stand still.
//! A device whose lease has run out is there until [`tick`](Board::tick) says otherwise, and may still show life.
//!
//! **Invariants:** a device belongs to one user and is in that user's list, and the other way round; a user without a
//! device has a grace that ends; whatever ends by itself is in `deadlines`, once.
//! So everybody who arrived goes: by leaving, by their lease, or by a newer device in their place.
//!
//! **Absent on purpose:** a state for each device. People set one state, and ask why it did not hold.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::settings::{BoardFault, BoardSettings, State};
use crate::principal::Principal;

/// One device of a user, as a rule one connection. Its number is never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u64);

/// A user's visible state became another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub user: Principal,
    /// What it was.
    pub from: State,
    /// What it is now.
    pub to: State,
}

/// A user showed life, said a word, or is gone: a copy of their state is to be written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Whose.
    pub user: Principal,
    /// What it is now.
    pub state: State,
}

/// What came of a step, each list in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// To be announced.
    pub changes: SmallVec<[Change; 1]>,
    /// To be copied; every change is among them.
    pub refreshed: SmallVec<[Refreshed; 1]>,
}

/// As many users are there as may be; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the board has no place for another user")]
pub struct BoardFull;

/// Who is there. See the head of this file.
#[derive(Debug)]
pub struct Board {
    settings: BoardSettings,
    users: BTreeMap<Box<str>, User>,
    devices: HashMap<DeviceId, Device>,
    deadlines: BTreeSet<(u64, Due)>,
}

#[derive(Debug)]
struct User {
    principal: Principal,
    /// What they said of themselves.
    word: Option<State>,
    devices: SmallVec<[DeviceId; 2]>,
    /// When they are gone. Set while they have no device.
    gone_at_ms: Option<u64>,
}

#[derive(Debug)]
struct Device {
    user: Box<str>,
    seen_ms: u64,
}

/// What ends at a deadline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Lease(DeviceId),
    Grace(Box<str>),
}

impl Board {
    /// An empty board.
    ///
    /// # Errors
    ///
    /// [`BoardFault`] when the settings contradict themselves.
    pub fn new(settings: BoardSettings) -> Result<Self, BoardFault> {
        settings.check()?;
        Ok(Self { settings, users: BTreeMap::new(), devices: HashMap::new(), deadlines: BTreeSet::new() })
    }

    /// A device of `user` is there. One that is there already shows life; under another user's name it changes hands.
    ///
    /// The newest principal of an id is the one that is kept: it knows the user's name of today.
    /// If the user has as many devices as are counted, the one that has been silent longest makes room.
    ///
    /// # Errors
    ///
    /// [`BoardFull`] when the user is new and there is no place for one.
    pub fn arrive(&mut self, user: &Principal, device: DeviceId, now_ms: u64) -> Result<Outcome, BoardFull> {
        let id = user.id();
        if !self.users.contains_key(id) && self.users.len() >= self.settings.users_max {
            return Err(BoardFull);
        }
        let mut outcome = Outcome::default();
        if self.devices.get(&device).is_some_and(|known| *known.user != *id) {
            outcome = self.leave(device, now_ms);
        }
        self.make_room(id, device);
        let (first, gone) = (self.first(), self.gone());
        match self.users.entry(Box::from(id)) {
            Entry::Vacant(entry) => {
                let devices = SmallVec::from_slice(&[device]);
                entry.insert(User { principal: user.clone(), word: None, devices, gone_at_ms: None });
                outcome.changes.push(Change { user: user.clone(), from: gone, to: first });
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.principal = user.clone();
                if let Some(gone_at_ms) = known.gone_at_ms.take() {
                    self.deadlines.remove(&(gone_at_ms, Due::Grace(Box::from(id))));
                }
                if !known.devices.contains(&device) {
                    known.devices.push(device);
                }
            }
        }
        self.devices.entry(device).or_insert_with(|| Device { user: Box::from(&*id), seen_ms: now_ms });
        self.renew(device, now_ms);
        outcome.refreshed.extend(self.refreshed(id));
        Ok(outcome)
    }

    /// A device is gone. One that is not there, since it was silent too long or made room, changes nothing.
    pub fn leave(&mut self, device: DeviceId, now_ms: u64) -> Outcome {
        let mut outcome = Outcome::default();
        self.remove_device(device, now_ms, &mut outcome);
        outcome
    }

    /// A device shows life. `None` if it is not there: it may arrive again.
    pub fn life(&mut self, device: DeviceId, now_ms: u64) -> Option<Outcome> {
        let id = self.renew(device, now_ms)?;
        Some(Outcome { changes: SmallVec::new(), refreshed: self.refreshed(&id).into_iter().collect() })
    }

    /// The user of a device says their state, and shows life by it. `None` if the device is not there.
    pub fn set(&mut self, device: DeviceId, state: &str, now_ms: u64) -> Option<Outcome> {
        let id = self.renew(device, now_ms)?;
        let is_known = |known: &&State| ***known == *state;
        let to = self.settings.states.iter().find(is_known).unwrap_or(&self.settings.otherwise).clone();
        let first = self.first();
        let user = self.users.get_mut(&id)?;
        let from = user.word.replace(to.clone()).unwrap_or(first);
        let mut outcome = Outcome::default();
        outcome.refreshed.push(Refreshed { user: user.principal.clone(), state: to.clone() });
        if from != to {
            outcome.changes.push(Change { user: user.principal.clone(), from, to });
        }
        Some(outcome)
    }

    /// Ends the leases and graces whose time is over, in the order in which they ended.
    pub fn tick(&mut self, now_ms: u64) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some((at_ms, due)) = self.deadlines.first().filter(|(at_ms, _)| *at_ms <= now_ms).cloned() {
            self.deadlines.pop_first();
            match due {
                // As of when it ran out, so that a late tick does not prolong the grace.
                Due::Lease(device) => self.remove_device(device, at_ms, &mut outcome),
                Due::Grace(id) => self.remove_user(&id, &mut outcome),
            }
        }
        outcome
    }

    /// Everybody who is not gone with their state, in the byte order of their ids.
    pub fn list(&self) -> impl Iterator<Item = (&Principal, &State)> {
        let gone = self.settings.states.last();
        self.users.values().map(|user| (&user.principal, self.visible(user))).filter(move |(_, s)| Some(*s) != gone)
    }

    /// The state of the user of that id; the last word for one who is not there.
    #[must_use]
    pub fn state_of(&self, user_id: &str) -> State {
        self.users.get(user_id).map_or_else(|| self.gone(), |user| self.visible(user).clone())
    }

    /// When [`tick`](Self::tick) has something to do next.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// How many users are there, hidden ones and those in their grace among them.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// How many devices are there.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.devices.len()
    }

    /// Takes the longest silent device of a full list away. Its user stays: another one comes in its place at once.
    fn make_room(&mut self, id: &str, newcomer: DeviceId) {
        let Some(user) = self.users.get_mut(id) else { return };
        if user.devices.len() < self.settings.devices_per_user_max || user.devices.contains(&newcomer) {
            return;
        }
        let seen_ms = |device: &DeviceId| self.devices.get(device).map(|device| device.seen_ms);
        let Some(index) = (0..user.devices.len()).min_by_key(|index| seen_ms(&user.devices[*index])) else { return };
        let silent = user.devices.remove(index);
        if let Some(device) = self.devices.remove(&silent) {
            self.deadlines.remove(&(device.seen_ms.saturating_add(self.settings.lease_ms), Due::Lease(silent)));
        }
    }

    /// Begins the lease of a device anew; the id of its user, if it is there.
    fn renew(&mut self, device: DeviceId, now_ms: u64) -> Option<Box<str>> {
        let known = self.devices.get_mut(&device)?;
        let before_ms = known.seen_ms;
        known.seen_ms = before_ms.max(now_ms);
        let lease_ms = self.settings.lease_ms;
        if lease_ms > 0 {
            self.deadlines.remove(&(before_ms.saturating_add(lease_ms), Due::Lease(device)));
            self.deadlines.insert((known.seen_ms.saturating_add(lease_ms), Due::Lease(device)));
        }
        Some(known.user.clone())
    }

    fn remove_device(&mut self, device: DeviceId, now_ms: u64, outcome: &mut Outcome) {
        let Some(Device { user: id, seen_ms }) = self.devices.remove(&device) else { return };
        self.deadlines.remove(&(seen_ms.saturating_add(self.settings.lease_ms), Due::Lease(device)));
        let Some(user) = self.users.get_mut(&id) else { return };
        user.devices.retain(|other| *other != device);
        if !user.devices.is_empty() {
            return;
        }
        if self.settings.grace_ms == 0 {
            return self.remove_user(&id, outcome);
        }
        let gone_at_ms = now_ms.saturating_add(self.settings.grace_ms);
        user.gone_at_ms = Some(gone_at_ms);
        self.deadlines.insert((gone_at_ms, Due::Grace(id)));
    }

    fn remove_user(&mut self, id: &str, outcome: &mut Outcome) {
        let Some(user) = self.users.remove(id) else { return };
        let (from, to) = (self.visible(&user).clone(), self.gone());
        outcome.refreshed.push(Refreshed { user: user.principal.clone(), state: to.clone() });
        if from != to {
            outcome.changes.push(Change { user: user.principal, from, to });
        }
    }

    fn refreshed(&self, id: &str) -> Option<Refreshed> {
        let user = self.users.get(id)?;
        Some(Refreshed { user: user.principal.clone(), state: self.visible(user).clone() })
    }

    fn visible<'a>(&'a self, user: &'a User) -> &'a State {
        user.word.as_ref().unwrap_or(&self.settings.states[0])
    }

    fn first(&self) -> State {
        self.settings.states[0].clone()
    }

    fn gone(&self) -> State {
        self.settings.states[self.settings.states.len() - 1].clone()
    }
}
