//! What a client may ask: one command with one method.
//!
//! A text field that is absent is empty and a number that is absent is 0, as the protocol itself has it.
//! Fields that this server has no use for are read over.
//!
//! **Absent on purpose:** `Debug` of the tokens. Those print as their length alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::Data;

/// One command of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command<'a> {
    /// Chosen by the client and repeated in the reply; 0 if absent.
    pub id: u32,
    /// What it asks for.
    pub method: Method<'a>,
}

/// What a command asks for.
///
/// If a command names several methods, the first in the order of this list counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Method<'a> {
    /// Open the session.
    Connect(Connect<'a>),
    /// Hear a channel.
    Subscribe(Subscribe<'a>),
    /// Hear this channel no longer.
    Unsubscribe {
        /// The channel.
        channel: Cow<'a, str>,
    },
    /// Say something in a channel.
    Publish(Publish<'a>),
    /// Who is in this channel.
    Presence {
        /// The channel.
        channel: Cow<'a, str>,
    },
    /// How many are in this channel.
    PresenceStats {
        /// The channel.
        channel: Cow<'a, str>,
    },
    /// What was said in a channel.
    History(History<'a>),
    /// A call to the application.
    Rpc(Rpc<'a>),
    /// A message to the application, without a reply.
    Send {
        /// What is said.
        data: Data<'a>,
    },
    /// A new token for the connection.
    Refresh(Refresh<'a>),
    /// A new token for a subscription.
    SubRefresh(SubRefresh<'a>),
    /// The schema's own ping, which no server answers.
    Ping,
    /// The answer to a ping: a command with neither an id nor a known method.
    #[default]
    Pong,
    /// There is an id, and no known method.
    None,
}

/// Opens the session.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The connection's token.
    pub token: Cow<'a, str>,
    /// For whoever decides who may connect.
    pub data: Data<'a>,
    /// Server-side subscriptions that the client had, with its positions; their `channel` is empty, the key says it.
    pub subs: BTreeMap<Cow<'a, str>, Subscribe<'a>>,
    /// The client's name for itself.
    pub name: Cow<'a, str>,
    /// The client's version.
    pub version: Cow<'a, str>,
    /// Headers that the client could not send in its handshake.
    pub headers: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// Bits of what the client can do.
    pub flag: i64,
}

/// Subscribes to a channel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The channel.
    pub channel: Cow<'a, str>,
    /// The subscription's token.
    pub token: Cow<'a, str>,
    /// Whether the client was subscribed before and comes back from `position`.
    pub recover: bool,
    /// The last position that the client saw; an empty epoch is any.
    pub position: StreamPosition<'a>,
    /// For whoever decides who may subscribe.
    pub data: Data<'a>,
    /// Whether the client wants its position in the stream.
    pub positioned: bool,
    /// Whether the client wants to be able to recover.
    pub recoverable: bool,
    /// Whether the client wants to hear who joins and leaves.
    pub join_leave: bool,
    /// The kind of deltas that the client can apply.
    pub delta: Cow<'a, str>,
    /// Whether there is a filter of tags. The filter itself is read over.
    pub has_tags_filter: bool,
    /// Bits: [`Subscribe::CHANNEL_IDS`] and [`Subscribe::REJECT_UNRECOVERED`].
    pub flag: i64,
    /// The kind of the subscription (`type`); 0 is a stream.
    pub kind: i32,
}

impl Subscribe<'_> {
    /// Bit of `flag`: the client can take numbers in place of channel names.
    pub const CHANNEL_IDS: i64 = 1;
    /// Bit of `flag`: refuse with error 112 where recovery fails.
    pub const REJECT_UNRECOVERED: i64 = 2;
}

/// Publishes in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The channel.
    pub channel: Cow<'a, str>,
    /// What is said.
    pub data: Data<'a>,
    /// The kind of the channel (`type`); 0 is a stream.
    pub kind: i32,
}

/// Reads a channel's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History<'a> {
    /// The channel.
    pub channel: Cow<'a, str>,
    /// The most publications wanted; 0 for the position alone, negative for all.
    pub limit: i32,
    /// Where to begin, exclusive.
    pub since: Option<StreamPosition<'a>>,
    /// Whether the newest come first.
    pub reverse: bool,
}

/// A place in a channel's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPosition<'a> {
    /// The number of a publication; 0 is before the first.
    pub offset: u64,
    /// Which life of the stream the offset belongs to.
    pub epoch: Cow<'a, str>,
}

/// Calls the application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rpc<'a> {
    /// What is called.
    pub method: Cow<'a, str>,
    /// Its argument.
    pub data: Data<'a>,
}

/// Renews the connection's token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Refresh<'a> {
    /// The new token.
    pub token: Cow<'a, str>,
}

/// Renews a subscription's token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SubRefresh<'a> {
    /// The channel.
    pub channel: Cow<'a, str>,
    /// The new token.
    pub token: Cow<'a, str>,
    /// The kind of the request (`type`); 0 renews a token.
    pub kind: i32,
}

/// Stands for a text that is not printed.
struct Bytes(usize);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("token", &Bytes(self.token.len()))
            .field("data", &self.data)
            .field("subs", &self.subs)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("headers", &self.headers.len())
            .field("flag", &self.flag)
            .finish()
    }
}

impl fmt::Debug for Subscribe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("channel", &self.channel)
            .field("token", &Bytes(self.token.len()))
            .field("recover", &self.recover)
            .field("position", &self.position)
            .field("data", &self.data)
            .field("positioned", &self.positioned)
            .field("recoverable", &self.recoverable)
            .field("join_leave", &self.join_leave)
            .field("delta", &self.delta)
            .field("has_tags_filter", &self.has_tags_filter)
            .field("flag", &self.flag)
            .field("kind", &self.kind)
            .finish()
    }
}

impl fmt::Debug for Refresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("token", &Bytes(self.token.len())).finish()
    }
}

impl fmt::Debug for SubRefresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubRefresh")
            .field("channel", &self.channel)
            .field("token", &Bytes(self.token.len()))
            .field("kind", &self.kind)
            .finish()
    }
}
