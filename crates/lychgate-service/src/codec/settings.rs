//! A codec as it is configured: plain data, nothing checked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::publish::StampField;
use crate::template::Source;

/// What happens to the frames of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct CodecSettings {
    /// The key whose value is a frame's type.
    pub type_key: String,
    /// The type of a frame that does not say one.
    pub default_type: Option<String>,
    /// The fields that the server writes into frames that pass through.
    pub stamp: Vec<StampField>,
    /// What a new connection is told, in this order.
    pub welcome: Vec<Source>,
    /// What is said when somebody comes.
    pub join: Option<Announcement>,
    /// What is said when somebody goes.
    pub leave: Option<Announcement>,
    /// What happens to frames, by their type.
    pub rules: BTreeMap<String, RuleSettings>,
    /// Dotted paths that every frame must have.
    pub require: Vec<String>,
    /// Types that are taken in silence.
    pub tolerate: Vec<String>,
    /// Whether `{"type":"ping"}` is answered by a pong and goes no further.
    pub answer_ping: bool,
    /// What happens to a frame that cannot be read.
    pub bad_frame: BadFrame,
    /// The answer to a frame that is no JSON object.
    pub bad_json: Option<Source>,
    /// The answer to an object that lacks what it needs; without it `error`.
    pub bad_shape: Option<Source>,
    /// The answer to everything else that cannot be done.
    pub error: Option<Source>,
    /// What happens to a type without a rule; without it [`Unknown::Publish`] where there are no rules, else
    /// [`Unknown::Error`].
    pub unknown: Option<Unknown>,
    /// A text frame that is no more than a sign of life, such as `pong`.
    pub text_pong: Option<String>,
    /// Whether JSON text that is one string is taken for the JSON in that string, once.
    pub unwrap_json: bool,
    /// What a connection is sent time and again.
    pub ping: Option<PingSettings>,
    /// What is said of one user whose status changed.
    pub presence_update: Option<Source>,
    /// What a new connection is told of all who are there, as `people`.
    pub presence_list: Option<Source>,
    /// One of `people`.
    pub presence_person: Option<Source>,
    /// The frame around one piece of a streamed text.
    pub chunk: Option<Source>,
    /// What follows the last piece.
    pub done: Option<Source>,
}

impl Default for CodecSettings {
    fn default() -> Self {
        Self {
            type_key: "type".to_owned(),
            default_type: None,
            stamp: Vec::new(),
            welcome: Vec::new(),
            join: None,
            leave: None,
            rules: BTreeMap::new(),
            require: Vec::new(),
            tolerate: Vec::new(),
            answer_ping: false,
            bad_frame: BadFrame::Error,
            bad_json: None,
            bad_shape: None,
            error: None,
            unknown: None,
            text_pong: None,
            unwrap_json: false,
            ping: None,
            presence_update: None,
            presence_list: None,
            presence_person: None,
            chunk: None,
            done: None,
        }
    }
}

/// Something that is said, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// What.
    pub send: Source,
    /// To whom.
    pub to: ToSettings,
}

/// Something that a connection is sent time and again.
#[derive(Clone, Debug, PartialEq)]
pub struct PingSettings {
    /// What.
    pub send: Source,
    /// How often.
    pub every: Duration,
}

/// Who gets a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToSettings {
    /// Everybody in the channel.
    #[default]
    All,
    /// Everybody in the channel but the sender.
    Others,
    /// The sender alone.
    Sender,
    /// Everybody in another channel, whose name is a template.
    Channel(String),
}

/// What happens to a frame that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadFrame {
    /// The sender gets an error frame.
    #[default]
    Error,
    /// Nothing.
    Ignore,
    /// The connection is closed.
    Close,
}

/// What happens to a frame of a type that has no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is stamped and goes to everybody.
    Publish,
    /// The sender gets an error frame.
    Error,
    /// Nothing.
    Ignore,
}

/// What happens to frames of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSettings {
    /// Dotted paths that the frame must have.
    pub require: Vec<String>,
    /// The path of a text; a frame whose text is blank or absent is dropped in silence.
    pub drop_blank: Option<String>,
    /// Whether anonymous visitors are refused.
    pub needs_authenticated: bool,
    /// The longest text that a path may hold.
    pub max_chars: Option<MaxChars>,
    /// How often one connection may send such a frame.
    pub rate: Option<RateSettings>,
    /// What is done.
    pub act: ActSettings,
    /// Dotted paths that the application's answer must have.
    pub answer_require: Vec<String>,
    /// What is said then.
    pub send: Option<Source>,
    /// To whom.
    pub to: ToSettings,
    /// What the sender is told.
    pub reply: Option<Source>,
    /// Who is told that their name was mentioned.
    pub mention: Option<MentionSettings>,
}

/// The longest text that a path may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxChars {
    /// The path.
    pub path: String,
    /// How many characters.
    pub count: u32,
}

/// How often something may happen.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSettings {
    /// How many times.
    pub count: u32,
    /// In which time.
    pub window: Duration,
    /// What the sender is told beyond that; without it an error frame.
    pub reply: Option<Source>,
}

/// What is done with a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ActSettings {
    /// Nothing but what is said.
    #[default]
    None,
    /// The channel keeps it.
    Store,
    /// It adds a reaction to a message.
    React {
        /// The message's number: a text template.
        message: String,
        /// The reaction: a text template.
        emoji: String,
    },
    /// It takes a reaction back.
    Unreact {
        /// The message's number: a text template.
        message: String,
        /// The reaction: a text template.
        emoji: String,
    },
    /// The user is typing.
    TypingStart,
    /// The user is no longer typing.
    TypingStop,
    /// The user is still there.
    PresenceLife,
    /// The user's status changes.
    PresenceSet {
        /// To what: a text template.
        status: String,
    },
    /// The application is called.
    Forward {
        /// With what; without it the frame and who sent it.
        body: Option<Source>,
    },
    /// What is streaming is cancelled.
    Cancel,
    /// A source of text is asked, and its answer goes to the sender piece by piece.
    Ask {
        /// What it is asked.
        request: Source,
        /// The frame around one piece of the answer, with `chunk`.
        chunk: Option<Source>,
        /// What follows the last piece.
        done: Option<Source>,
    },
}

/// Who is told that their name was mentioned.
#[derive(Clone, Debug, PartialEq)]
pub struct MentionSettings {
    /// The path of the text that may hold `@name`.
    pub path: String,
    /// What they are told, with `mentioned.id` and `mentioned.name`.
    pub send: Source,
    /// In which channel: a text template.
    pub channel: String,
}
