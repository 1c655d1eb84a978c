//! Boards: who is there, one state for each user however many devices they have.

use std::time::Duration;

use super::section::section;
use super::settings::check_name;
use super::shape::{Count, List, Optional, Text, Time};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

section! {
    /// A board that shows who is there. The connections of every endpoint that names it count, and what changes on it is
    /// published in the channel of every endpoint that names it and has a `presence_update`.
    BoardSettings = "board.NAME" {
        /// The states. The first is that of whoever arrives, the last means gone.
        states: Vec<String> = List(Text { what: "a state", check: check_name }), ["online", "away", "dnd", "offline"].map(str::to_owned).to_vec();
        /// What a user is put to who asks for a state that is none of these; without it the first.
        otherwise: Option<String> = Optional(Text { what: "a state", check: check_name }), None;
        /// How long a device may show no life (`act = "presence_life"`) before it counts as gone. Zero: its connection is its life.
        lease: Duration = Time { least: Duration::ZERO, most: seconds(86_400) }, Duration::ZERO;
        /// How long a user whose last device has gone still counts as there, so that a reload is not seen.
        grace: Duration = Time { least: Duration::ZERO, most: seconds(3_600) }, Duration::ZERO;
        /// Users on it at a time.
        users_max: usize = Count::of(1, 10_000_000), 100_000;
        /// Devices of one user that are counted at a time.
        devices_per_user_max: usize = Count::of(1, 10_000), 64;
        /// The key under which Redis holds a copy of each user's state, as a template over the user: `user:{user.id}`.
        /// Without it there is no copy.
        mirror_key: Option<String> = Optional(Text { what: "a template for a key", check: check_name }), None;
        /// The field of that key's hash.
        mirror_field: String = Text { what: "a field", check: check_name }, "status".to_owned();
        /// How long the copy stays that is not written again.
        mirror_ttl: Duration = Time { least: seconds(1), most: seconds(86_400) }, seconds(300);
    }
}
