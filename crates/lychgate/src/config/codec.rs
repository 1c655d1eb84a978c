//! Codecs: what is done to the frames of an endpoint, as TOML.
//!
//! **Invariant:** a codec that passed [`compiles`] is one that the server can run: what is checked here is what the
//! service compiles.

mod asking;
mod stamp;
mod tables;
mod template;

use std::collections::BTreeMap;

use lychgate_service::codec::{
    self as service, ActSettings, Announcement, Codec, MaxChars, MentionSettings, PingSettings, RateSettings,
    ToSettings,
};
use lychgate_service::publish::{StampField, StampValue};
use lychgate_service::template::{Names, Source};

use self::asking::Asking;
use self::stamp::Stamps;
use self::tables::{Announcing, Longest, Mentioning, Pinging, Rating, To};
pub(super) use self::template::Template;
use self::template::Templates;
use super::endpoint::Endpoint;
use super::fault::{Faults, Place};
use super::section::{Places, Reader, Section, section};
use super::shape::{Choice, Flag, List, Optional, Text, Words, cite};

pub use self::asking::AskSettings;
pub use self::stamp::{Stamp, StampExpression};

section! {
    /// What is done to the frames of a broadcast endpoint. A frame there is a JSON object, and its `type` says which
    /// `[endpoint.NAME.codec.in.TYPE]` it falls under.
    ///
    /// A **template** is any TOML value; its texts may hold expressions in braces.
    /// `"{user.id}"` alone is the value with its type, `"by {user.name}"` is text, `{{` and `}}` are braces.
    /// Names: `user.id`, `user.name`, `user.email`, `user.subject`, `user.authenticated`, `now.iso`, `now.unix`, `now.ms`,
    /// `uuid`, `conn.id`, `resource.NAME`, the path's parameters, and where a frame is answered `in.KEY`.
    /// What is absent is null; `{in.room|default('general')}` and `{user.id|int}` are filters.
    CodecSettings = "endpoint.NAME.codec" {
        /// Keys that the server writes into every object that passes through, over whatever the client sent under that name:
        /// `{ key = "expression" }` with the expressions `user.name`, `user.id`, `now.unix`, `now.iso` and `uuid`.
        stamp: Vec<Stamp> = Stamps, Vec::new();
        /// What a frame that is no JSON object gets: an error frame, silence, or the end of the socket.
        bad_frame: BadFrame = Choice::new(), BadFrame::Error;
        /// Whether `{"type":"ping"}` is answered with `{"type":"pong"}` and goes no further.
        answer_ping: bool = Flag, false;
        /// The key whose value is a frame's type.
        type_key: String = Text { what: "a key", check: any_text }, "type".to_owned();
        /// The type of a frame that does not say one.
        default_type: Option<String> = Optional(Text { what: "a type", check: any_text }), None;
        /// What happens to a type without an `in.TYPE`: it is stamped and goes to everybody, its sender gets an error frame,
        /// or nothing happens. Without it `"publish"` where there is no `in.TYPE` at all, else `"error"`.
        unknown: Option<Unknown> = Optional(Choice::new()), None;
        /// Paths that every frame must have, such as `data.id`.
        require: Vec<String> = List(Text { what: "a path into the frame", check: path_into_a_frame }), Vec::new();
        /// Types that are taken in silence.
        tolerate: Vec<String> = List(Text { what: "a type", check: any_text }), Vec::new();
        /// A text frame that is no more than a sign of life, such as `"pong"`.
        text_pong: Option<String> = Optional(Text { what: "a text", check: any_text }), None;
        /// Whether a frame that is a JSON text is taken for the JSON in that text, once.
        unwrap_json: bool = Flag, false;
        /// What a new connection is told: one frame, or several in this order.
        welcome: Vec<Source> = Templates, Vec::new();
        /// What is said when somebody comes.
        join: Option<Announcement> = Optional(Announcing), None;
        /// What is said when somebody goes.
        leave: Option<Announcement> = Optional(Announcing), None;
        /// A frame that every connection is sent time and again.
        ping: Option<PingSettings> = Optional(Pinging), None;
        /// The answer to a frame that is no JSON object, instead of `error`.
        bad_json: Option<Source> = Optional(Template), None;
        /// The answer to an object that lacks what it needs, instead of `error`.
        bad_shape: Option<Source> = Optional(Template), None;
        /// The answer to everything that cannot be done, with the names `error.message`, `error.code` and `in`.
        error: Option<Source> = Optional(Template), None;
        /// What is said of a user whose `status` changed.
        presence_update: Option<Source> = Optional(Template), None;
        /// What a new connection is told of all who are there, with the name `people`.
        presence_list: Option<Source> = Optional(Template), None;
        /// One of `people`, with the name `status`.
        presence_person: Option<Source> = Optional(Template), None;
        /// The frame around one piece of a streamed text, with the name `chunk`. Without it the piece goes out as it is.
        chunk: Option<Source> = Optional(Template), None;
        /// What follows the last piece of a streamed text.
        done: Option<Source> = Optional(Template), None;
    }
}

section! {
    /// What happens to the frames of one type.
    RuleSettings = "endpoint.NAME.codec.in.TYPE" {
        /// Paths that the frame must have, such as `data.message`.
        require: Vec<String> = List(Text { what: "a path into the frame", check: path_into_a_frame }), Vec::new();
        /// The path of a text: a frame whose text is blank or absent is dropped in silence.
        drop_blank: Option<String> = Optional(Text { what: "a path into the frame", check: path_into_a_frame }), None;
        /// Whether anonymous visitors are refused.
        needs_authenticated: bool = Flag, false;
        /// The longest text under a path, in characters.
        max_chars: Option<MaxChars> = Optional(Longest), None;
        /// How often one connection may send such a frame, and what it is told beyond that: without `reply` an error frame.
        rate: Option<RateSettings> = Optional(Rating), None;
        /// What is done with it. `"store"` keeps it and gives `stored.id`, `stored.at.iso`, `stored.at.unix` and `stored.reactions`;
        /// `"react"` and `"unreact"` are about `message` and `emoji`; `"presence_set"` gives `status`;
        /// `"forward"` calls the application and gives its `answer`; `"cancel"` ends what is streaming;
        /// `"ask"` asks the language model of `ask`, and its answer goes to the sender alone, piece by piece.
        act: Act = Choice::new(), Act::None;
        /// The number of the message that `"react"` and `"unreact"` are about; without it `"{in.message_id}"`.
        message: Option<String> = Optional(Text { what: "a text with expressions", check: any_text }), None;
        /// The reaction that `"react"` and `"unreact"` are about; without it `"{in.emoji}"`.
        emoji: Option<String> = Optional(Text { what: "a text with expressions", check: any_text }), None;
        /// The status that `"presence_set"` sets; without it `"{in.status}"`.
        status: Option<String> = Optional(Text { what: "a text with expressions", check: any_text }), None;
        /// What `"forward"` calls the application with; without it `{ user, frame }`.
        body: Option<Source> = Optional(Template), None;
        /// Paths that the application's answer to `"forward"` must have, such as `type`; else the sender gets an error frame.
        answer_require: Vec<String> = List(Text { what: "a path into the answer", check: path_into_a_frame }), Vec::new();
        /// Whom `"ask"` asks, and what; the frame around each piece of the answer, with the name `chunk` (without it the
        /// piece goes out as it is); and what follows the last one. What is not whole in time, or too long, ends with an error frame.
        ask: Option<AskSettings> = Optional(Asking), None;
        /// The frame that goes out.
        send: Option<Source> = Optional(Template), None;
        /// Who gets it. A channel's name may hold expressions, but nothing of the frame.
        to: ToSettings = To, ToSettings::All;
        /// What the sender alone is told.
        reply: Option<Source> = Optional(Template), None;
        /// Whoever is called `@name` in the text under `path` is told so, in a channel of theirs;
        /// the names `mentioned.id` and `mentioned.name` are theirs.
        mention: Option<MentionSettings> = Optional(Mentioning), None;
    }
}

/// What a frame gets that the codec cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFrame {
    /// An error frame to the sender.
    Error,
    /// Nothing.
    Ignore,
    /// The end of the socket.
    Close,
}

impl Words for BadFrame {
    const ALL: &'static [(&'static str, Self)] =
        &[("error", Self::Error), ("ignore", Self::Ignore), ("close", Self::Close)];
}

/// What happens to a type that has no rule.
pub type Unknown = service::Unknown;

impl Words for Unknown {
    const ALL: &'static [(&'static str, Self)] =
        &[("publish", Self::Publish), ("error", Self::Error), ("ignore", Self::Ignore)];
}

/// What is done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words are explained at the key, and in the service")]
pub enum Act {
    None,
    Store,
    React,
    Unreact,
    TypingStart,
    TypingStop,
    PresenceLife,
    PresenceSet,
    Forward,
    Cancel,
    Ask,
}

impl Words for Act {
    const ALL: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("store", Self::Store),
        ("react", Self::React),
        ("unreact", Self::Unreact),
        ("typing_start", Self::TypingStart),
        ("typing_stop", Self::TypingStop),
        ("presence_life", Self::PresenceLife),
        ("presence_set", Self::PresenceSet),
        ("forward", Self::Forward),
        ("cancel", Self::Cancel),
        ("ask", Self::Ask),
    ];
}

/// Reads the `codec` table and the `in.TYPE` tables below it.
pub(super) fn read(reader: &mut Reader<'_>) -> (CodecSettings, BTreeMap<String, RuleSettings>) {
    let codec = Section::read(reader);
    (codec, reader.named("in", |_, reader| Section::read(reader)))
}

/// Reports what the service would not compile.
pub(super) fn compiles(name: &str, endpoint: &Endpoint, places: &Places, faults: &mut Faults) {
    let prefix = format!("endpoint.{name}.codec");
    let place = |key: &str| place_of(places, key);
    for (kind, rule) in &endpoint.rules {
        if rule.act == Act::Ask && rule.ask.is_none() {
            let key = format!("{prefix}.in.{kind}.ask");
            if !faults.concern(&key) {
                let remedy = "Write ask = { source = \"NAME\", request = { … } }, or another act";
                faults.add(place(&key), key, "it is missing: nothing says whom act = \"ask\" asks", remedy);
            }
        }
        for key in rule.keys_without_meaning() {
            let key = format!("{prefix}.in.{kind}.{key}");
            let wrong = format!("it has no meaning with act = {}", cite(rule.act.word()));
            faults.add(place(&key), key, wrong, "Remove it, or write the act that it belongs to");
        }
    }
    if let Err(found) = Codec::compile(&endpoint.codec_settings(), &endpoint.names()) {
        for fault in found {
            let key = format!("{prefix}.{}", fault.key);
            if !faults.concern(&key) {
                faults.add(place(&key), key, fault.wrong, fault.remedy);
            }
        }
    }
}

/// Where `key` was written, or what it lies in: a template has one place for all its values.
pub(super) fn place_of(places: &Places, key: &str) -> Place {
    let mut key = key;
    loop {
        match (places.get(key), key.rsplit_once('.')) {
            (Some(place), _) => return place.clone(),
            (None, Some((above, _))) => key = above,
            (None, None) => return Place::Nowhere,
        }
    }
}

impl Endpoint {
    /// The names that templates of this endpoint may use beside those of the server: what its path and query say.
    pub fn names(&self) -> Names {
        self.settings.path.slots().iter().fold(Names::none(), |names, slot| names.with(&slot.name))
    }

    /// The codec in the words of the service.
    pub fn codec_settings(&self) -> service::CodecSettings {
        let codec = &self.codec;
        service::CodecSettings {
            type_key: codec.type_key.clone(),
            default_type: codec.default_type.clone(),
            stamp: codec.stamp.iter().map(Stamp::field).collect(),
            welcome: codec.welcome.clone(),
            join: codec.join.clone(),
            leave: codec.leave.clone(),
            rules: self.rules.iter().map(|(kind, rule)| (kind.clone(), rule.settings())).collect(),
            require: codec.require.clone(),
            tolerate: codec.tolerate.clone(),
            answer_ping: codec.answer_ping,
            bad_frame: match codec.bad_frame {
                BadFrame::Error => service::BadFrame::Error,
                BadFrame::Ignore => service::BadFrame::Ignore,
                BadFrame::Close => service::BadFrame::Close,
            },
            bad_json: codec.bad_json.clone(),
            bad_shape: codec.bad_shape.clone(),
            error: codec.error.clone(),
            unknown: codec.unknown,
            text_pong: codec.text_pong.clone(),
            unwrap_json: codec.unwrap_json,
            ping: codec.ping.clone(),
            presence_update: codec.presence_update.clone(),
            presence_list: codec.presence_list.clone(),
            presence_person: codec.presence_person.clone(),
            chunk: codec.chunk.clone(),
            done: codec.done.clone(),
        }
    }
}

impl Stamp {
    /// The stamp in the words of the service.
    pub fn field(&self) -> StampField {
        let value = match self.value {
            StampExpression::UserName => StampValue::UserName,
            StampExpression::UserId => StampValue::UserId,
            StampExpression::NowUnix => StampValue::NowUnix,
            StampExpression::NowIso => StampValue::NowIso,
            StampExpression::Uuid => StampValue::Uuid,
        };
        StampField { key: self.key.clone(), value }
    }
}

impl RuleSettings {
    fn settings(&self) -> service::RuleSettings {
        let or = |own: &Option<String>, other: &str| own.clone().unwrap_or_else(|| other.to_owned());
        let (message, emoji) = (or(&self.message, "{in.message_id}"), or(&self.emoji, "{in.emoji}"));
        service::RuleSettings {
            require: self.require.clone(),
            drop_blank: self.drop_blank.clone(),
            needs_authenticated: self.needs_authenticated,
            max_chars: self.max_chars.clone(),
            rate: self.rate.clone(),
            act: match self.act {
                Act::None => ActSettings::None,
                Act::Store => ActSettings::Store,
                Act::React => ActSettings::React { message, emoji },
                Act::Unreact => ActSettings::Unreact { message, emoji },
                Act::TypingStart => ActSettings::TypingStart,
                Act::TypingStop => ActSettings::TypingStop,
                Act::PresenceLife => ActSettings::PresenceLife,
                Act::PresenceSet => ActSettings::PresenceSet { status: or(&self.status, "{in.status}") },
                Act::Forward => ActSettings::Forward { body: self.body.clone() },
                Act::Cancel => ActSettings::Cancel,
                // That it says whom was checked with the configuration.
                Act::Ask => self.ask.as_ref().map_or(ActSettings::None, |ask| ActSettings::Ask {
                    request: ask.request.clone(),
                    chunk: ask.chunk.clone(),
                    done: ask.done.clone(),
                }),
            },
            answer_require: self.answer_require.clone(),
            send: self.send.clone(),
            to: self.to.clone(),
            reply: self.reply.clone(),
            mention: self.mention.clone(),
        }
    }

    /// Keys that are written and belong to another act.
    fn keys_without_meaning(&self) -> impl Iterator<Item = &'static str> {
        let reacts = matches!(self.act, Act::React | Act::Unreact);
        [
            ("message", self.message.is_some() && !reacts),
            ("emoji", self.emoji.is_some() && !reacts),
            ("status", self.status.is_some() && self.act != Act::PresenceSet),
            ("body", self.body.is_some() && self.act != Act::Forward),
            ("ask", self.ask.is_some() && self.act != Act::Ask),
            ("answer_require", !self.answer_require.is_empty() && self.act != Act::Forward),
        ]
        .into_iter()
        .filter_map(|(key, is_lost)| is_lost.then_some(key))
    }
}

fn any_text(text: &str) -> Result<(), (String, String)> {
    if text.is_empty() { Err(("it is empty".to_owned(), "Write it, or remove the key".to_owned())) } else { Ok(()) }
}

fn path_into_a_frame(path: &str) -> Result<(), (String, String)> {
    if !path.is_empty() && path.split('.').all(|key| !key.is_empty() && !key.contains(['{', '}', ' '])) {
        return Ok(());
    }
    let remedy = "Write keys with dots between them, such as \"data.message\"";
    Err((format!("{} is no path into a frame", cite(path)), remedy.to_owned()))
}
