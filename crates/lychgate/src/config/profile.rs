//! Close profiles: what a socket is told when it is refused or ended, event by event.
//!
//! Each event is defined once, with the answer of the built-in profile.
//! Those answers follow the ranges that clients go by: they reconnect below 3500 and from 4000 to 4499, and stop on the others and on 1009.
//!
//! **Invariant:** a resolved [`Profile`] has an answer for every event, and each answer can be written on the wire.

use lychgate_protocol::ws::CloseCode;

use super::section::section;
use super::shape::{Choice, Report, Shape, Words, cite, quote};
use super::tree::{self, Node, Value};

/// A close code and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code, one that may be written on the wire.
    pub code: u16,
    /// The reason, at most 123 bytes.
    pub reason: String,
}

/// The longest reason: a close frame holds 125 bytes, two of them the code (RFC 6455 section 5.5).
pub const REASON_BYTES_MAX: usize = 123;

/// The name of the profile that exists without being written.
pub const BUILT_IN: &str = "default";

/// How a socket without the right to enter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStyle {
    /// Upgrade, then close with the event's code and reason: the only refusal that a browser shows its page.
    AcceptClose,
    /// Answer the upgrade with an HTTP status: for tools and proxies.
    Http,
}

impl Words for RefusalStyle {
    const ALL: &'static [(&'static str, Self)] = &[("accept-close", Self::AcceptClose), ("http", Self::Http)];
}

macro_rules! events {
    ( $( $(#[doc = $doc:literal])* $field:ident $variant:ident [$code:literal, $reason:literal]; )* ) => {
        /// Why a socket is refused or ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event { $( $(#[doc = $doc])* $variant, )* }

        impl Event {
            /// Every event.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its key in a profile.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($field), )* }
            }

            fn built_in(self) -> Close {
                match self { $( Self::$variant => Close { code: $code, reason: $reason.to_owned() }, )* }
            }
        }

        section! {
            /// What a socket is told when it is refused or ended: for each event `[code, "reason"]`.
            /// An event without an entry gets the profile's `default`, and without that the answer of the built-in profile.
            /// The profile `default` exists without being written.
            ProfileSettings = "profile.NAME" {
                /// `"accept-close"` upgrades and then closes, which a browser can show; `"http"` answers the upgrade with a status.
                refusal: RefusalStyle = Choice::new(), RefusalStyle::AcceptClose;
                /// The answer of every event that has none of its own.
                default: Option<Close> = Closing(None), None;
                $( $(#[doc = $doc])* $field: Option<Close> = Closing(Some(Event::$variant)), None; )*
            }
        }

        impl ProfileSettings {
            fn of(&self, event: Event) -> Option<&Close> {
                match event { $( Event::$variant => self.$field.as_ref(), )* }
            }
        }
    };
}

events! {
    /// No credential came with the request.
    missing Missing [3500, "authentication required"];
    /// The credential is not one of ours, or was changed.
    invalid Invalid [3500, "invalid token"];
    /// The token had expired before the socket came: get a new one and come back.
    expired Expired [3005, "token expired"];
    /// The token is genuine but lacks what the endpoint needs, such as `sub`.
    payload Payload [3500, "invalid token"];
    /// The token's `sub` is not of the endpoint's `identity.subject_kind`; without an entry of its own it is told as `payload`.
    subject Subject [3500, "invalid token"];
    /// The token's user does not exist.
    user User [3500, "unknown user"];
    /// The token's user is disabled.
    inactive Inactive [3507, "account disabled"];
    /// The token, its session or its user is revoked; without an entry of its own it is told as `invalid`.
    revoked Revoked [3503, "revoked"];
    /// The token's user is not the one whom the path names.
    mismatch Mismatch [3507, "permission denied"];
    /// The path is not open to anonymous visitors.
    required Required [3500, "authentication required"];
    /// What the path names does not exist.
    not_found NotFound [3507, "permission denied"];
    /// What the path names belongs to somebody else.
    not_owner NotOwner [3507, "permission denied"];
    /// The user may not enter this channel.
    forbidden Forbidden [3507, "permission denied"];
    /// The endpoint is no longer here; the reason says where to go.
    gone Gone [3508, "not available"];
    /// The user or address has as many sockets as it may have.
    over_limit OverLimit [3504, "connection limit"];
    /// Too many messages or pings.
    rate Rate [3013, "too many requests"];
    /// The socket does not read what is sent to it.
    slow Slow [3008, "slow"];
    /// A ping was not answered.
    no_pong NoPong [3012, "no pong"];
    /// A message is larger than the endpoint takes.
    too_big TooBig [1009, "message too big"];
    /// A frame is nothing the endpoint takes, where its codec closes for that.
    bad_frame BadFrame [3501, "bad request"];
    /// The server failed.
    error Error [1011, "internal server error"];
    /// The token expired while the socket was open: get a new one and come back.
    expired_live ExpiredLive [3005, "connection expired"];
    /// The stream came to its end, which is no refusal: the profile's `default` is not its answer.
    completed Completed [1000, ""];
    /// The source of the stream failed.
    upstream Upstream [1011, "upstream failed"];
    /// Whether the user exists or may enter, or what is revoked, could not be found out; without an entry of its own it is told as `error`.
    lookup Lookup [1011, "internal server error"];
    /// The server is stopping: come back.
    restart Restart [1012, "restart"];
}

/// A profile with an answer for every event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How sockets are refused.
    pub refusal: RefusalStyle,
    answers: Vec<Close>,
}

impl Profile {
    pub(super) fn resolve(settings: &ProfileSettings) -> Self {
        let answer = |event: &Event| {
            let default = settings.default.as_ref().filter(|_| *event != Event::Completed);
            // A failure of those who are asked is one of the server, unless the profile tells the two apart.
            let own = settings.of(*event).or_else(|| match event {
                Event::Lookup => settings.of(Event::Error),
                // And a subject that names nobody is a payload that does.
                Event::Subject => settings.of(Event::Payload),
                // And what is revoked is not good any more.
                Event::Revoked => settings.of(Event::Invalid),
                _ => None,
            });
            own.or(default).cloned().unwrap_or_else(|| event.built_in())
        };
        Self { refusal: settings.refusal, answers: Event::ALL.iter().map(answer).collect() }
    }

    pub(super) fn built_in() -> Self {
        let answers = Event::ALL.iter().map(|event| event.built_in()).collect();
        Self { refusal: RefusalStyle::AcceptClose, answers }
    }

    /// What a socket is told at `event`.
    ///
    /// # Panics
    ///
    /// Never: a profile is made with one answer for each of [`Event::ALL`].
    pub fn close(&self, event: Event) -> &Close {
        &self.answers[event as usize]
    }
}

/// `[code, "reason"]`; the event's own answer is shown in the reference.
struct Closing(Option<Event>);

impl Shape for Closing {
    type Value = Option<Close>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Option<Close>> {
        let remedy = "Write [code, \"reason\"], for example [4001, \"Invalid token\"]";
        let parsed;
        let value = match &node.value {
            Value::Variable(text) => {
                parsed = tree::parse_variable(text, &node.place);
                parsed.as_ref().map_or(&node.value, |node| &node.value)
            }
            value => value,
        };
        let Value::Array(items) = value else {
            return report.wrong(node, format!("expected [code, \"reason\"], found {}", value.kind()), remedy);
        };
        let [Node { value: Value::Integer(code), .. }, Node { value: Value::Text(reason), .. }] = items.as_slice()
        else {
            return report.wrong(node, "expected a number and a text", remedy);
        };
        let code = match u16::try_from(*code) {
            Ok(number) if CloseCode(number).is_valid_on_wire() => Some(number),
            _ => report.wrong(
                node,
                format!("a close frame may not carry the code {code}"),
                "Use 1000 to 1003, 1007 to 1014, or a code of your own from 3000 to 4999",
            ),
        };
        if reason.len() > REASON_BYTES_MAX {
            let wrong = format!("the reason {} has {} bytes", cite(reason), reason.len());
            return report.wrong(node, wrong, format!("Shorten it to {REASON_BYTES_MAX} bytes"));
        }
        code.map(|code| Some(Close { code, reason: reason.clone() }))
    }

    fn show(&self, value: &Option<Close>) -> Option<String> {
        value.as_ref().map(show_close)
    }

    fn describe(&self) -> String {
        match self.0 {
            None => "[code, \"reason\"]".to_owned(),
            Some(event) => format!("[code, \"reason\"]; built in: {}", show_close(&event.built_in())),
        }
    }
}

fn show_close(close: &Close) -> String {
    format!("[{}, {}]", close.code, quote(&close.reason))
}
