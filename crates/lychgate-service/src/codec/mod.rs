//! The codec of an endpoint: what happens to each type of frame, and what the server says by itself.
//!
//! A frame is one JSON object, and its type says which rule it falls under.
//! A frame without a rule passes through, is answered, or is passed over, as configured.
//! [`Codec::hear`] only decides; whoever holds the connection stores, publishes and calls.
//!
//! **Invariant:** a [`Codec`] that exists has templates that can be rendered: every name in them is one that exists
//! where they stand.
//!
//! **Absent on purpose:** clocks, sockets and stores; rates are counted by the connection that they are about.

mod compile;
mod hear;
mod mention;
mod refused;
mod rule;
mod settings;

pub use hear::Heard;
pub use mention::{MENTION_CHARACTERS_MAX, MENTIONS_MAX, Mention};
pub use refused::{Refusal, Refused};
pub use rule::{Act, Question, Reacting, Rule, RuleRate, To};
pub use settings::{
    ActSettings, Announcement, BadFrame, CodecSettings, MaxChars, MentionSettings, PingSettings, RateSettings,
    RuleSettings, ToSettings, Unknown,
};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::publish::StampField;
use crate::template::Template;

/// A status of presence is at most this long, in bytes.
pub const STATUS_BYTES_MAX: usize = 64;

/// The most rules, and the most welcome frames, of one codec.
pub const RULES_MAX: usize = 256;

/// What is wrong with the settings of a codec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {wrong}; {remedy}")]
pub struct CodecFault {
    /// The key, with dots: `in.message.send.user_id`.
    pub key: String,
    /// What is wrong, as a sentence without its full stop.
    pub wrong: String,
    /// What to do, as a sentence without its full stop.
    pub remedy: String,
}

/// What happens to the frames of one endpoint.
#[derive(Debug)]
pub struct Codec {
    type_key: Box<str>,
    default_type: Option<Box<str>>,
    stamp: Vec<StampField>,
    welcome: Vec<Template>,
    join: Option<Said>,
    leave: Option<Said>,
    rules: BTreeMap<Box<str>, Rule>,
    require: Vec<Keys>,
    tolerate: Vec<Box<str>>,
    answer_ping: bool,
    bad_frame: BadFrame,
    bad_json: Option<Template>,
    bad_shape: Option<Template>,
    error: Option<Template>,
    unknown: Unknown,
    text_pong: Option<Box<str>>,
    unwrap_json: bool,
    ping: Option<(Duration, Template)>,
    presence_update: Option<Template>,
    presence_list: Option<Template>,
    presence_person: Option<Template>,
    chunk: Option<Template>,
    done: Option<Template>,
    /// Whether frames need not be looked into at all.
    passes_all: bool,
}

/// What is said when somebody comes or goes, and to whom.
#[derive(Debug)]
pub struct Said {
    /// What.
    pub send: Template,
    /// To whom.
    pub to: To,
}

/// A path into a frame, for rules and for faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) dotted: Box<str>,
    pub(crate) keys: Box<[Box<str>]>,
}

impl Codec {
    /// The fields that the server writes into frames that pass through.
    #[must_use]
    pub fn stamp(&self) -> &[StampField] {
        &self.stamp
    }

    /// Whether frames pass through without being looked into, and nothing is said by the server itself.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.passes_all && self.welcome.is_empty() && self.join.is_none() && self.leave.is_none() && self.ping.is_none()
    }

    /// What a new connection is told, in this order.
    #[must_use]
    pub fn welcome(&self) -> &[Template] {
        &self.welcome
    }

    /// What is said when somebody comes.
    #[must_use]
    pub const fn join(&self) -> Option<&Said> {
        self.join.as_ref()
    }

    /// What is said when somebody goes.
    #[must_use]
    pub const fn leave(&self) -> Option<&Said> {
        self.leave.as_ref()
    }

    /// The rule for frames of this type, such as the one under which a stored message is shown again.
    #[must_use]
    pub fn rule(&self, kind: &str) -> Option<&Rule> {
        self.rules.get(kind)
    }

    /// Every rule. The place of each is its [`Rule::index`].
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.values()
    }

    /// What happens to a frame that cannot be read.
    #[must_use]
    pub const fn bad_frame(&self) -> BadFrame {
        self.bad_frame
    }

    /// What a connection is sent time and again, and how often.
    #[must_use]
    pub fn ping(&self) -> Option<(Duration, &Template)> {
        self.ping.as_ref().map(|(every, template)| (*every, template))
    }

    /// What is said of one user whose status changed; the scope's user is that user.
    #[must_use]
    pub const fn presence_update(&self) -> Option<&Template> {
        self.presence_update.as_ref()
    }

    /// What a new connection is told of all who are there, as `people`.
    #[must_use]
    pub const fn presence_list(&self) -> Option<&Template> {
        self.presence_list.as_ref()
    }

    /// One of `people`; the scope's user is that one.
    #[must_use]
    pub const fn presence_person(&self) -> Option<&Template> {
        self.presence_person.as_ref()
    }

    /// The frame around one piece of a streamed text; without one the piece goes out as it is.
    #[must_use]
    pub const fn chunk(&self) -> Option<&Template> {
        self.chunk.as_ref()
    }

    /// What follows the last piece of a streamed text.
    #[must_use]
    pub const fn done(&self) -> Option<&Template> {
        self.done.as_ref()
    }
}
