//! Endpoints: a path, where its token is and the channel behind it. What is done to its frames is the codec's.

use std::collections::BTreeMap;
use std::time::Duration;

use lychgate_gateway::settings::{CredentialSource, WhenFull};
use lychgate_gateway::ws::fallback::Transport;
use lychgate_service::target::{Target, TargetFault};

use super::codec::{self, CodecSettings, RuleSettings};
use super::credential::CredentialPlace;
use super::entrance::{IdentitySettings, PolicySettings};
use super::fault::Place;
use super::profile::BUILT_IN;
use super::section::{Reader, Section, section};
use super::settings::{MESSAGE_BYTES_CEILING, WAIT, check_name, check_origin, check_path};
use super::shape::{Choice, Count, List, Optional, Report, Shape, Size, Text, Words, cite, quote};
use super::stream::StreamSettings;
use super::tree::{Node, Value};

section! {
    /// One listening path. `NAME` is how logs and metrics call it.
    EndpointSettings = "endpoint.NAME" {
        /// The path that sockets come to. Parts of it may be parameters, and so may values of its query:
        /// `/ws/chat/{channel:int}`, `/ws/{user_id}?room_id={room:name=general}`. Their kinds are `int`, `name`
        /// (letters, digits, `_`, `-`) and `text`, which is meant when none is written; only in a query they may have a default.
        path: Target = Path, Target::root();
        /// `"broadcast"`: every message goes to everybody in the channel, the sender included.
        /// `"echo"`: every frame comes back as it is, for conformance tests.
        /// `"stream"`: a text comes piece by piece from `[endpoint.NAME.stream]`, and then the socket is closed.
        /// `"channels"`: clients hold as many channels as they name and may enter, by the Centrifuge client protocol;
        /// which there are is said by `[namespace.NAME]`.
        /// `"gone"`: everybody is told that the endpoint is no longer here (`gone`), and what they brought is not looked at.
        kind: EndpointKind = Choice::new(), EndpointKind::Broadcast;
        /// The channel behind it: a template over the path's parameters, such as `chat:{channel}`.
        channel: String = Text { what: "a template for a channel name", check: check_any }, "all".to_owned();
        /// Where the credential may be: a token as `"query:NAME"`, `"header"` (`Authorization: Bearer`),
        /// `"subprotocol:NAME"` (the offer behind NAME), `"subprotocol-b64:NAME"` (an offer `NAME.BASE64URL`), `"cookie:NAME"`
        /// or `"message:TYPE"` (the first message, `{"type": TYPE, "token": …}`); a one-time ticket as `"ticket:NAME"`.
        /// Only these places are looked at; a request with two credentials is refused, except that one beside a cookie counts.
        credentials: Vec<CredentialSource> = List(CredentialPlace), vec![CredentialSource::Query("token".to_owned())];
        /// How long a client may take to send the first message, where that holds the token.
        credential_timeout: Duration = WAIT, Duration::from_secs(10);
        /// Subprotocols that this endpoint speaks; the first that a client offers is answered.
        subprotocols: Vec<String> = List(Text { what: "a subprotocol", check: check_subprotocol }), Vec::new();
        /// Origins that browsers may connect from here; without it `server.origins`. A cookie needs a list.
        origins: Option<Vec<String>> = Optional(List(Text { what: "an origin", check: check_origin })), None;
        /// The close profile.
        profile: String = Text { what: "the NAME of a [profile.NAME]", check: check_any }, BUILT_IN.to_owned();
        /// The largest message here; without it `limits.message_bytes_max`.
        message_bytes_max: Option<usize> = Optional(Size { least: 125, most: MESSAGE_BYTES_CEILING }), None;
        /// Messages a second from one socket here; without it `limits.messages_per_second`.
        messages_per_second: Option<u32> = Optional(Count::of(1, 10_000_000)), None;
        /// Messages that one socket may send at once here; without it `limits.messages_burst`.
        messages_burst: Option<u32> = Optional(Count::of(1, 10_000_000)), None;
        /// Sockets of one user here, beside `limits.connections_per_user`.
        connections_per_user: Option<usize> = Optional(Count::of(1, 100_000)), None;
        /// What happens to the next one: `"refuse"` it, `"close-oldest"`, or `"replace-same:NAME"`: close the one whose
        /// parameter NAME is the same (a device), else refuse. Who is closed or refused gets `over_limit`.
        when_full: WhenFull = WhenFullShape, WhenFull::Refuse;
        /// A channel beside it for what is meant for its user alone, as a template over the user: `user:{user.id}`.
        inbox: Option<String> = Optional(Text { what: "a template for a channel name", check: check_any }), None;
        /// The NAME of the `[board.NAME]` on which its connections count.
        board: Option<String> = Optional(Text { what: "the NAME of a [board.NAME]", check: check_name }), None;
        /// How many kept messages (`act = "store"`) a newcomer is told, oldest first; then what comes.
        history_on_join: u32 = Count::of(0, 200), 0;
        /// How many messages of a channel are kept; all of them, if it is not set.
        keep: Option<u32> = Optional(Count::of(1, 100_000_000)), None;
        /// The NAME of the `[source.NAME]` of the application that says who connects, with `kind = "channels"`. It is asked
        /// where a client shows no credential.
        on_connect: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// Headers of the client's request that go along with that question, such as `"cookie"`; a cookie needs `origins`.
        on_connect_headers: Vec<String> = List(Text { what: "the name of a header", check: check_header }), Vec::new();
        /// Headers that clients who cannot set any may name in their first command (`headers`) instead. What the request
        /// itself says wins.
        on_connect_emulated_headers: Vec<String> = List(Text { what: "the name of a header", check: check_header }), Vec::new();
        /// The NAME of the `[source.NAME]` of the application that is asked, some time before a connection ends, whether it
        /// may go on, with `kind = "channels"`. Without it, clients show their next token themselves.
        on_refresh: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// The NAME of the `[source.NAME]` of the application that answers calls (`rpc`) of clients, with `kind = "channels"`.
        on_rpc: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// With `kind = "channels"`: a path for clients whose network lets no WebSocket through, by server-sent events,
        /// customarily `/connection/sse`. What they say themselves goes to `server.emulation`.
        sse: Option<String> = Optional(Text { what: "a path", check: check_path }), None;
        /// The same by an answer to a `POST` that goes on and on, customarily `/connection/http_stream`.
        http_stream: Option<String> = Optional(Text { what: "a path", check: check_path }), None;
        /// The NAME of the `[source.NAME]` of the application that is told who came and went here (`connected`, `disconnected`).
        events: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// The NAME of the `[source.NAME]` that frames with `act = "forward"` go to.
        forward: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
    }
}

/// One endpoint as configured.
#[derive(Clone)]
pub struct Endpoint {
    /// The endpoint's own keys.
    pub settings: EndpointSettings,
    /// Its `identity` table.
    pub identity: IdentitySettings,
    /// Its `policy` table.
    pub policy: PolicySettings,
    /// Its `stream` table.
    pub stream: StreamSettings,
    /// Its `codec` table.
    pub codec: CodecSettings,
    /// Its `codec.in.TYPE` tables.
    pub rules: BTreeMap<String, RuleSettings>,
}

impl EndpointSettings {
    /// The ways in beside the WebSocket: how each is called as a key, and its path.
    pub(crate) fn fallbacks(&self) -> impl Iterator<Item = (Transport, &str)> {
        let ways = [(Transport::Sse, &self.sse), (Transport::HttpStream, &self.http_stream)];
        ways.into_iter().filter_map(|(transport, path)| Some((transport, path.as_deref()?)))
    }
}

impl Endpoint {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let settings = Section::read(reader);
        let identity = reader.below("identity", Section::read);
        let policy = reader.below("policy", Section::read);
        let stream = reader.below("stream", Section::read);
        let (codec, rules) = reader.below("codec", codec::read);
        Self { settings, identity, policy, stream, codec, rules }
    }
}

/// What an endpoint does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// To everybody in the channel.
    Broadcast,
    /// Back to the sender, unchanged.
    Echo,
    /// A text, piece by piece, to whoever may read it.
    Stream,
    /// Many channels on one socket, which its clients name.
    Channels,
    /// Nobody comes in any more.
    Gone,
}

impl Words for EndpointKind {
    const ALL: &'static [(&'static str, Self)] = &[
        ("broadcast", Self::Broadcast),
        ("channels", Self::Channels),
        ("echo", Self::Echo),
        ("stream", Self::Stream),
        ("gone", Self::Gone),
    ];
}

fn check_any(_: &str) -> Result<(), (String, String)> {
    Ok(())
}

fn check_subprotocol(name: &str) -> Result<(), (String, String)> {
    // A token of RFC 9110 section 5.6.2, as RFC 6455 section 4.1 asks for.
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_token) {
        return Ok(());
    }
    Err((format!("{} is no name of a subprotocol", cite(name)), "Use letters, digits, - and .".to_owned()))
}

/// What makes a header one of this connection, or of the call that it would go along with.
const OWN_HEADERS: [&str; 14] = [
    "accept",
    "connection",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "forwarded",
];

/// Whether a header of a client's request may go along with a call to the application.
pub(crate) fn may_go_along(header: &str) -> bool {
    check_header(header).is_ok()
}

fn check_header(name: &str) -> Result<(), (String, String)> {
    let is_name = http::HeaderName::try_from(name).is_ok_and(|parsed| parsed.as_str() == name);
    if !is_name {
        let remedy = "Write its name in lower case, such as \"cookie\"".to_owned();
        return Err((format!("{} is no name of a header", cite(name)), remedy));
    }
    let is_own = OWN_HEADERS.contains(&name)
        || ["content-", "sec-websocket-", "webhook-", "x-forwarded-"]
            .iter()
            .any(|beginning| name.starts_with(beginning));
    if is_own {
        let wrong = format!("{} is a matter of the connection, or of the call, which have their own", cite(name));
        return Err((wrong, "Remove it".to_owned()));
    }
    Ok(())
}

/// A path with its parameters.
pub(super) struct Path;

impl Shape for Path {
    type Value = Target;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Target> {
        let remedy = "Write a path such as \"/ws\" or \"/ws/chat/{channel:int}\": letters, digits, - _ . ~ and /, and parameters in braces";
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, format!("expected a path in quotes, found {}", node.value.kind()), remedy);
        };
        match Target::parse(text) {
            Ok(target) => Some(target),
            Err(TargetFault::Path(_)) => {
                report.wrong(node, format!("{} is not a path of this server", cite(text)), remedy)
            }
            Err(fault) => report.wrong(node, format!("{}: {fault}", cite(text)), remedy),
        }
    }

    fn show(&self, value: &Target) -> Option<String> {
        Some(quote(&value.to_string()))
    }

    fn describe(&self) -> String {
        "a path with parameters".to_owned()
    }
}

/// `"refuse"`, `"close-oldest"` or `"replace-same:NAME"`.
struct WhenFullShape;

impl Shape for WhenFullShape {
    type Value = WhenFull;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<WhenFull> {
        let remedy =
            "Write \"refuse\", \"close-oldest\" or \"replace-same:NAME\" with the NAME of a parameter of the path";
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, "expected text", remedy);
        };
        match text.as_str() {
            "refuse" => Some(WhenFull::Refuse),
            "close-oldest" => Some(WhenFull::CloseOldest),
            text => match text.strip_prefix("replace-same:") {
                Some(name) if !name.is_empty() => Some(WhenFull::ReplaceSame(name.to_owned())),
                _ => report.wrong(node, format!("{} is not known here", cite(text)), remedy),
            },
        }
    }

    fn show(&self, value: &WhenFull) -> Option<String> {
        Some(match value {
            WhenFull::Refuse => quote("refuse"),
            WhenFull::CloseOldest => quote("close-oldest"),
            WhenFull::ReplaceSame(name) => quote(&format!("replace-same:{name}")),
        })
    }

    fn describe(&self) -> String {
        "\"refuse\", \"close-oldest\" or \"replace-same:NAME\"".to_owned()
    }
}

/// The place of an endpoint's key, for checks that look at several endpoints.
pub(super) fn place_of(places: &super::section::Places, name: &str, key: &str) -> Place {
    places
        .get(&format!("endpoint.{name}.{key}"))
        .or_else(|| places.get(&format!("endpoint.{name}")))
        .cloned()
        .unwrap_or(Place::Nowhere)
}
