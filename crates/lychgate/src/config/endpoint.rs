//! Endpoints: a path, where its token is, the channel behind it and what is done to its frames.

use super::fault::{Faults, Place};
use super::profile::BUILT_IN;
use super::section::{Reader, Section, section};
use super::settings::{MESSAGE_BYTES_CEILING, check_path};
use super::shape::{Choice, Count, Flag, List, Optional, Report, Shape, Size, Text, Words, cite, quote};
use super::tree::{Node, Value};

section! {
    /// One listening path. `NAME` is how logs and metrics call it.
    EndpointSettings = "endpoint.NAME" {
        /// The path that sockets come to.
        path: String = Text { what: "a path", check: check_path }, "/ws".to_owned();
        /// `"broadcast"`: every message goes to everybody in the channel, the sender included.
        /// `"echo"`: every frame comes back as it is, for conformance tests.
        kind: EndpointKind = Choice::new(), EndpointKind::Broadcast;
        /// The channel behind it.
        channel: String = Text { what: "a channel name", check: check_channel }, "all".to_owned();
        /// Where the token may be: `"query:NAME"` or `"header"` (`Authorization: Bearer`).
        /// Only these places are looked at, and a request with two tokens is refused.
        credentials: Vec<Credential> = List(CredentialPlace), vec![Credential::Query("token".to_owned())];
        /// The close profile.
        profile: String = Text { what: "the NAME of a [profile.NAME]", check: check_any }, BUILT_IN.to_owned();
        /// The largest message here; without it `limits.message_bytes_max`.
        message_bytes_max: Option<usize> = Optional(Size { least: 125, most: MESSAGE_BYTES_CEILING }), None;
        /// Messages a second from one socket here; without it `limits.messages_per_second`.
        messages_per_second: Option<u32> = Optional(Count::of(1, 10_000_000)), None;
        /// Messages that one socket may send at once here; without it `limits.messages_burst`.
        messages_burst: Option<u32> = Optional(Count::of(1, 10_000_000)), None;
    }
}

section! {
    /// What is done to the frames of a broadcast endpoint. A frame there is a JSON object.
    CodecSettings = "endpoint.NAME.codec" {
        /// Keys that the server writes into every object, over whatever the client sent under that name:
        /// `{ key = "expression" }` with the expressions `user.name`, `user.id`, `now.unix`, `now.iso` and `uuid`.
        stamp: Vec<Stamp> = Stamps, Vec::new();
        /// What a frame that is no JSON object gets: an error frame, silence, or the end of the socket.
        bad_frame: BadFrame = Choice::new(), BadFrame::Error;
        /// Whether `{"type":"ping"}` is answered with `{"type":"pong"}` and goes no further.
        answer_ping: bool = Flag, false;
    }
}

/// One endpoint as configured.
#[derive(Clone)]
pub struct Endpoint {
    /// The endpoint's own keys.
    pub settings: EndpointSettings,
    /// Its `codec` table.
    pub codec: CodecSettings,
}

impl Endpoint {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { settings: Section::read(reader), codec: reader.below("codec", Section::read) }
    }
}

/// What an endpoint does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// To everybody in the channel.
    Broadcast,
    /// Back to the sender, unchanged.
    Echo,
}

impl Words for EndpointKind {
    const ALL: &'static [(&'static str, Self)] = &[("broadcast", Self::Broadcast), ("echo", Self::Echo)];
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

/// A place where a token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The query parameter of this name.
    Query(String),
    /// `Authorization: Bearer`.
    Header,
}

struct CredentialPlace;

impl Shape for CredentialPlace {
    type Value = Credential;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Credential> {
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, "expected text", "Write \"query:token\" or \"header\"");
        };
        let is_name = |name: &&str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        match text.strip_prefix("query:") {
            Some(name) if is_name(&name) => Some(Credential::Query(name.to_owned())),
            None if text == "header" => Some(Credential::Header),
            _ => report.wrong(
                node,
                format!("{} is no place for a token", cite(text)),
                "Write \"query:NAME\" with letters, digits, - and _, or \"header\"",
            ),
        }
    }

    fn show(&self, value: &Credential) -> Option<String> {
        Some(match value {
            Credential::Query(name) => quote(&format!("query:{name}")),
            Credential::Header => quote("header"),
        })
    }

    fn describe(&self) -> String {
        "\"query:NAME\" or \"header\"".to_owned()
    }
}

/// One key that the server writes into each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The key.
    pub key: String,
    /// What it is set to.
    pub value: StampExpression,
}

/// What a stamp may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampExpression {
    /// The user's name, as text.
    UserName,
    /// The user's id, as text.
    UserId,
    /// Seconds since 1970, with a fraction.
    NowUnix,
    /// The time in ISO 8601, in UTC.
    NowIso,
    /// A random UUID.
    Uuid,
}

impl Words for StampExpression {
    const ALL: &'static [(&'static str, Self)] = &[
        ("user.name", Self::UserName),
        ("user.id", Self::UserId),
        ("now.unix", Self::NowUnix),
        ("now.iso", Self::NowIso),
        ("uuid", Self::Uuid),
    ];
}

/// The most keys a codec writes into one object.
const STAMPS_MAX: usize = 16;

struct Stamps;

impl Shape for Stamps {
    type Value = Vec<Stamp>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Vec<Stamp>> {
        let Value::Table(table) = &node.value else {
            return report.wrong(
                node,
                format!("expected a table, found {}", node.value.kind()),
                "Write { key = \"expression\" }, for example { user = \"user.name\" }",
            );
        };
        if table.0.len() > STAMPS_MAX {
            return report.wrong(node, "too many keys", format!("Write at most {STAMPS_MAX}"));
        }
        let expression = Choice::<StampExpression>::new();
        let stamps: Vec<_> = table
            .0
            .iter()
            .map(|(key, node)| {
                // Each fault names the stamp it is about.
                let name = format!("{}.{key}", report.key);
                let mut own = Faults::default();
                let value = expression.read(node, &mut Report { faults: &mut own, key: &name });
                for fault in own.iter() {
                    report.faults.add(fault.place.clone(), &name, &fault.wrong, &fault.remedy);
                }
                value.map(|value| Stamp { key: key.clone(), value })
            })
            .collect();
        stamps.into_iter().collect()
    }

    fn show(&self, value: &Vec<Stamp>) -> Option<String> {
        let pairs: Vec<_> =
            value.iter().map(|stamp| format!("{} = {}", show_key(&stamp.key), quote(stamp.value.word()))).collect();
        Some(if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) })
    }

    fn describe(&self) -> String {
        "{ key = \"expression\" }".to_owned()
    }
}

fn show_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { quote(key) }
}

fn check_any(_: &str) -> Result<(), (String, String)> {
    Ok(())
}

fn check_channel(name: &str) -> Result<(), (String, String)> {
    if lychgate_protocol::channel::ChannelName::new(name).is_ok() {
        return Ok(());
    }
    Err((
        format!("{} is no channel name", cite(name)),
        "Write 1 to 255 visible ASCII characters, without spaces".to_owned(),
    ))
}

/// The place of an endpoint's key, for checks that look at several endpoints.
pub(super) fn place_of(places: &super::section::Places, name: &str, key: &str) -> Place {
    places
        .get(&format!("endpoint.{name}.{key}"))
        .or_else(|| places.get(&format!("endpoint.{name}")))
        .cloned()
        .unwrap_or(Place::Nowhere)
}
