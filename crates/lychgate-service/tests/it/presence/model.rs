//! A board as simple as it can be said, and scripts that hold the real one against it.
//!
//! The model keeps flat lists and looks through all of them at every step; who is there follows from them.

use std::collections::{BTreeMap, BTreeSet};

use lychgate_service::presence::{Board, BoardFull, BoardSettings, DeviceId, Outcome, State};
use lychgate_service::principal::Principal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const WORDS: [&str; 4] = ["online", "dnd", "away", "offline"];
const USERS: [&str; 5] = ["1", "2", "10", "ann", "bob"];

/// How often the interesting things came up in all scripts.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    changes: usize,
    overlaps: usize,
    returns_in_grace: usize,
    lapsed: usize,
    graces_over: usize,
    made_room: usize,
    changed_hands: usize,
    refused: usize,
    hidden: usize,
    dead_clocks: usize,
}

impl Seen {
    /// Scripts in which something never comes up prove nothing about it.
    pub(crate) fn check(&self) {
        let Self { changes, overlaps, returns_in_grace, lapsed, graces_over, .. } = *self;
        let Self { made_room, changed_hands, refused, hidden, dead_clocks, .. } = *self;
        let all = [changes, overlaps, returns_in_grace, lapsed, graces_over];
        let more = [made_room, changed_hands, refused, hidden, dead_clocks];
        assert!(all.iter().chain(&more).all(|count| *count >= 100), "{self:?}");
    }
}

struct ModelDevice {
    id: u64,
    user: String,
    seen_ms: u64,
}

struct Model {
    settings: BoardSettings,
    devices: Vec<ModelDevice>,
    words: BTreeMap<String, State>,
    /// Users without a device, and when they are gone.
    graces: BTreeMap<String, u64>,
}

impl Model {
    /// Everybody who is there, hidden or not, with their state.
    fn there(&self) -> BTreeMap<String, State> {
        let users = self.devices.iter().map(|device| &device.user).chain(self.graces.keys());
        let state = |user: &String| self.words.get(user).unwrap_or(&self.settings.states[0]).clone();
        users.map(|user| (user.clone(), state(user))).collect()
    }

    fn seen(&self) -> BTreeMap<String, State> {
        self.there().into_iter().filter(|(_, state)| &**state != "offline").collect()
    }

    fn arrive(&mut self, user: &str, id: u64, now_ms: u64, seen: &mut Seen) -> bool {
        let there = self.there();
        if !there.contains_key(user) && there.len() >= self.settings.users_max {
            seen.refused += 1;
            return false;
        }
        if self.devices.iter().any(|device| device.id == id && device.user != user) {
            seen.changed_hands += 1;
            self.leave(id, now_ms);
        }
        seen.returns_in_grace += usize::from(self.graces.remove(user).is_some());
        if !self.life(id, now_ms) {
            let own = || self.devices.iter().filter(|device| device.user == user);
            seen.overlaps += usize::from(own().count() > 0);
            if own().count() >= self.settings.devices_per_user_max {
                seen.made_room += 1;
                // Of those that are equally silent the one that came first goes.
                let silent = own().min_by_key(|device| device.seen_ms).map(|device| device.id);
                self.devices.retain(|device| Some(device.id) != silent);
            }
            self.devices.push(ModelDevice { id, user: user.into(), seen_ms: now_ms });
        }
        true
    }

    fn leave(&mut self, id: u64, now_ms: u64) {
        let Some(index) = self.devices.iter().position(|device| device.id == id) else { return };
        let user = self.devices.remove(index).user;
        if !self.devices.iter().any(|device| device.user == user) {
            self.graces.insert(user, now_ms + self.settings.grace_ms);
            if self.settings.grace_ms == 0 {
                self.end_graces(now_ms);
            }
        }
    }

    fn end_graces(&mut self, now_ms: u64) -> usize {
        let over: Vec<_> = self.graces.iter().filter(|(_, at)| **at <= now_ms).map(|(user, _)| user.clone()).collect();
        for user in &over {
            self.graces.remove(user);
            self.words.remove(user);
        }
        over.len()
    }

    fn life(&mut self, id: u64, now_ms: u64) -> bool {
        let device = self.devices.iter_mut().find(|device| device.id == id);
        device.map(|device| device.seen_ms = now_ms).is_some()
    }

    fn set(&mut self, id: u64, word: &str, now_ms: u64) -> bool {
        let is_there = self.life(id, now_ms);
        if let Some(device) = self.devices.iter().find(|device| device.id == id) {
            let word = if WORDS.contains(&word) { word } else { "away" };
            self.words.insert(device.user.clone(), word.into());
        }
        is_there
    }

    /// A millisecond after the other, as a clock that never leaves one out would do it.
    fn tick(&mut self, from_ms: u64, to_ms: u64, seen: &mut Seen) {
        for now_ms in from_ms..=to_ms {
            while let Some(id) = self.lapsed(now_ms) {
                seen.lapsed += 1;
                self.leave(id, now_ms);
            }
            seen.graces_over += self.end_graces(now_ms);
        }
    }

    fn lapsed(&self, now_ms: u64) -> Option<u64> {
        let lease_ms = self.settings.lease_ms;
        let is_over = |device: &&ModelDevice| lease_ms > 0 && device.seen_ms + lease_ms <= now_ms;
        self.devices.iter().find(is_over).map(|device| device.id)
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        let lease_ms = self.settings.lease_ms;
        let leases = self.devices.iter().filter(|_| lease_ms > 0).map(|device| device.seen_ms + lease_ms);
        leases.chain(self.graces.values().copied()).min()
    }
}

/// One script of the seed.
pub(crate) fn run(seed: u64, seen: &mut Seen) {
    let mut random = StdRng::seed_from_u64(seed);
    let settings = BoardSettings {
        states: WORDS.map(State::from).to_vec(),
        otherwise: "away".into(),
        lease_ms: [0, 1, 20][random.random_range(0..3)],
        grace_ms: [0, 0, 1, 7][random.random_range(0..4)],
        users_max: random.random_range(1..=5),
        devices_per_user_max: random.random_range(1..=4),
    };
    let mut board = Board::new(settings.clone()).expect("the settings are in order");
    let mut model = Model { settings, devices: Vec::new(), words: BTreeMap::new(), graces: BTreeMap::new() };
    let mut announced = BTreeMap::new();
    // Until when the model's time has passed: a step after a standing clock begins where the last one ended.
    let (mut now_ms, mut passed_ms) = (0_u64, 0_u64);
    let is_dead_clock = random.random_range(0..8) == 0;
    seen.dead_clocks += usize::from(is_dead_clock);
    for step in 0..random.random_range(10..200) {
        if !is_dead_clock && random.random_range(0..3) == 0 {
            now_ms += random.random_range(0..12);
        }
        let (user, device) = (USERS[random.random_range(0..USERS.len())], random.random_range(0..12));
        let before = model.there();
        let outcome = match random.random_range(0..12) {
            0..4 => {
                let principal = Principal::from_verified_subject(user, None);
                let outcome = board.arrive(&principal, DeviceId(device), now_ms);
                let has_place = model.arrive(user, device, now_ms, seen);
                assert_eq!(outcome.is_ok(), has_place, "step {step}");
                outcome.unwrap_or_else(|BoardFull| Outcome::default())
            }
            4..7 => {
                model.leave(device, now_ms);
                board.leave(DeviceId(device), now_ms)
            }
            7..9 => same(board.life(DeviceId(device), now_ms), model.life(device, now_ms)),
            9 => {
                let word = [WORDS[0], WORDS[1], WORDS[2], WORDS[3], "busy", ""][random.random_range(0..6)];
                same(board.set(DeviceId(device), word, now_ms), model.set(device, word, now_ms))
            }
            _ => {
                model.tick(passed_ms, now_ms, seen);
                passed_ms = now_ms;
                board.tick(now_ms)
            }
        };
        announce(&outcome, &mut announced, seen);
        check(&board, &model, &announced, &before, &outcome, step);
        seen.hidden += usize::from(model.there().len() > model.seen().len());
    }
    all_go(random, board, model, announced, now_ms, seen);
}

/// Nobody stays: half of the devices leave, and time does the rest if there is a lease.
fn all_go(
    mut random: StdRng,
    mut board: Board,
    model: Model,
    mut announced: BTreeMap<String, State>,
    now_ms: u64,
    seen: &mut Seen,
) {
    for device in 0..12 {
        if model.settings.lease_ms == 0 || random.random_range(0..2) == 0 {
            announce(&board.leave(DeviceId(device), now_ms), &mut announced, seen);
        }
    }
    while let Some(deadline_ms) = board.next_deadline_ms() {
        announce(&board.tick(deadline_ms), &mut announced, seen);
        assert!(board.next_deadline_ms().is_none_or(|next_ms| next_ms > deadline_ms), "a tick does all that is due");
    }
    assert_eq!((board.users(), board.devices(), board.list().count()), (0, 0, 0), "no ghosts");
    assert!(announced.is_empty(), "whoever was announced was said to be gone: {announced:?}");
}

fn same(outcome: Option<Outcome>, is_there: bool) -> Outcome {
    assert_eq!(outcome.is_some(), is_there);
    outcome.unwrap_or_default()
}

/// Does with the changes what somebody who hears them does.
fn announce(outcome: &Outcome, announced: &mut BTreeMap<String, State>, seen: &mut Seen) {
    for change in &outcome.changes {
        seen.changes += 1;
        let id = change.user.id().to_owned();
        assert_ne!(change.from, change.to);
        let before =
            if &*change.to == "offline" { announced.remove(&id) } else { announced.insert(id, change.to.clone()) };
        assert_eq!(before.as_deref().unwrap_or("offline"), &*change.from, "a change begins where the last one ended");
    }
}

fn check(
    board: &Board,
    model: &Model,
    announced: &BTreeMap<String, State>,
    before: &BTreeMap<String, State>,
    outcome: &Outcome,
    step: usize,
) {
    let listed: Vec<_> = board.list().map(|(user, state)| (user.id().to_owned(), state.clone())).collect();
    let (there, seen) = (model.there(), model.seen());
    assert_eq!(listed, seen.clone().into_iter().collect::<Vec<_>>(), "step {step}: the list is the model's");
    assert_eq!(*announced, seen, "step {step}: who only hears the changes knows the same");
    assert_eq!((board.users(), board.devices()), (there.len(), model.devices.len()), "step {step}");
    assert_eq!(board.next_deadline_ms(), model.next_deadline_ms(), "step {step}");
    for user in USERS {
        assert_eq!(&*board.state_of(user), seen.get(user).map_or("offline", |state| state), "step {step}: {user}");
    }
    // A copy that takes what is to be copied never says anything else, and hears of everybody who came, went or changed.
    for refreshed in &outcome.refreshed {
        let now = there.get(refreshed.user.id()).map_or("offline", |state| state);
        assert_eq!(&*refreshed.state, now, "step {step}: what is to be copied");
    }
    let ids: BTreeSet<_> = outcome.refreshed.iter().map(|refreshed| refreshed.user.id().to_owned()).collect();
    for user in USERS.iter().filter(|user| before.get(**user) != there.get(**user)) {
        assert!(ids.contains(*user), "step {step}: {user} is to be copied");
    }
}
