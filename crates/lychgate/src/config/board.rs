//! Boards: who is there, one state for each user however many devices they have.

use std::time::Duration;

use lychgate_service::presence::CopyForm;
use lychgate_service::template::{Source, TemplateFault};

use super::Raw;
use super::codec::{Template, place_of};
use super::fault::Faults;
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
        /// What the key holds instead of a hash, as a template over `user`, `now` and `status`, written as JSON:
        /// `{ status = "{status}", last_seen = "{now.iso}" }`.
        mirror_value: Option<Source> = Optional(Template), None;
        /// A channel of Redis in which each write is published as well.
        mirror_publish: Option<String> = Optional(Text { what: "a channel", check: check_name }), None;
        /// What is published there, as such a template; without it what the key holds.
        mirror_message: Option<Source> = Optional(Template), None;
        /// How long the copy stays that is not written again.
        mirror_ttl: Duration = Time { least: seconds(1), most: seconds(86_400) }, seconds(300);
    }
}

impl BoardSettings {
    /// How a state looks in the copy.
    ///
    /// # Errors
    ///
    /// The key with each fault of its template.
    pub fn copy_form(&self) -> Result<CopyForm, Vec<(&'static str, TemplateFault)>> {
        let key = |name| if name == "value" { "mirror_value" } else { "mirror_message" };
        let named = |faults: Vec<_>| faults.into_iter().map(|(name, fault)| (key(name), fault)).collect();
        CopyForm::compile(self.mirror_value.as_ref(), self.mirror_message.as_ref()).map_err(named)
    }
}

/// Reports what is wrong with the copies of boards.
pub(super) fn copies_can_be_made(raw: &Raw, faults: &mut Faults) {
    for (name, board) in &raw.boards {
        let mut add = |key: &str, wrong: String, remedy: &str| {
            let key = format!("board.{name}.{key}");
            faults.add(place_of(&raw.places, &key), key, wrong, remedy);
        };
        let idle = [
            ("mirror_value", board.mirror_value.is_some() && board.mirror_key.is_none(), "mirror_key"),
            ("mirror_publish", board.mirror_publish.is_some() && board.mirror_key.is_none(), "mirror_key"),
            ("mirror_message", board.mirror_message.is_some() && board.mirror_publish.is_none(), "mirror_publish"),
        ];
        for (key, is_idle, missing) in idle {
            if is_idle {
                add(key, format!("it has no meaning without {missing}"), &format!("Write {missing}, or remove it"));
            }
        }
        for (key, fault) in board.copy_form().err().unwrap_or_default() {
            let key = if fault.at.is_empty() { key.to_owned() } else { format!("{key}.{}", fault.at) };
            add(&key, fault.wrong, &fault.remedy);
        }
    }
}
