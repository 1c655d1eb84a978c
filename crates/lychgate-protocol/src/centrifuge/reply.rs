//! What a server may say: replies to commands, and pushes that answer nothing.
//!
//! Everything is borrowed, since it is written at once. A field at its zero value (0, `""`, `false`, an absent payload)
//! is left out, but for the few that clients count on; which those are stands at their fields.

use super::code::ErrorCode;
use super::{Data, code};

/// The answer to one command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    /// The command is refused.
    Error(ErrorReply<'a>),
    /// The session is open.
    Connect(ConnectResult<'a>),
    /// The channel is heard.
    Subscribe(SubscribeResult<'a>),
    /// The channel is heard no longer.
    Unsubscribe,
    /// It is published.
    Publish,
    /// Who is in the channel, each under its `client`; always there, also when nobody is.
    Presence(&'a [ClientInfo<'a>]),
    /// How many are in the channel; both numbers are always there.
    PresenceStats {
        /// Connections.
        num_clients: u32,
        /// Different users.
        num_users: u32,
    },
    /// What was said in the channel.
    History(HistoryResult<'a>),
    /// What the application answers.
    Rpc {
        /// Its answer.
        data: Data<'a>,
    },
    /// The connection lives on.
    Refresh(RefreshResult<'a>),
    /// The subscription lives on.
    SubRefresh {
        /// Whether it ends, unless it is refreshed again.
        expires: bool,
        /// In how many seconds.
        ttl: u32,
    },
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// The protocol's code, or one of the application's own (400 to 1999).
    pub code: ErrorCode,
    /// For people.
    pub message: &'a str,
    /// Whether the same command may succeed later.
    pub temporary: bool,
}

impl From<ErrorCode> for ErrorReply<'static> {
    /// The error as the table says it.
    fn from(code: ErrorCode) -> Self {
        Self { code, message: code.message(), temporary: code.is_temporary() }
    }
}

impl From<ErrorCode> for Reply<'_> {
    fn from(code: ErrorCode) -> Self {
        Self::Error(code.into())
    }
}

/// The session that was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConnectResult<'a> {
    /// The connection's id.
    pub client: &'a str,
    /// The server's version; some clients need one.
    pub version: &'a str,
    /// Whether the connection ends, unless it is refreshed.
    pub expires: bool,
    /// In how many seconds.
    pub ttl: u32,
    /// From whoever decided.
    pub data: Data<'a>,
    /// Server-side subscriptions by channel.
    pub subs: &'a [(&'a str, SubscribeResult<'a>)],
    /// Seconds between two pings of the server.
    pub ping: u32,
    /// Whether the client must answer them.
    pub pong: bool,
    /// The session, for transports that need one.
    pub session: &'a str,
    /// The node, for transports that need one.
    pub node: &'a str,
    /// The server's time in milliseconds since 1970.
    pub time: i64,
}

/// A subscription that was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SubscribeResult<'a> {
    /// Whether it ends, unless it is refreshed.
    pub expires: bool,
    /// In how many seconds.
    pub ttl: u32,
    /// Whether the client may come back and ask for what it missed.
    pub recoverable: bool,
    /// The stream's epoch.
    pub epoch: &'a str,
    /// What the client missed.
    pub publications: &'a [Publication<'a>],
    /// Whether nothing is missing.
    pub recovered: bool,
    /// The stream's offset.
    pub offset: u64,
    /// Whether the server watches the client's position.
    pub positioned: bool,
    /// From whoever decided.
    pub data: Data<'a>,
    /// Whether the client had asked to recover.
    pub was_recovering: bool,
    /// Whether publications may come as deltas.
    pub delta: bool,
}

/// What was said in a channel. All three are always there in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HistoryResult<'a> {
    /// The publications asked for.
    pub publications: &'a [Publication<'a>],
    /// The stream's epoch.
    pub epoch: &'a str,
    /// The offset of the newest publication of the stream.
    pub offset: u64,
}

/// A connection that lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshResult<'a> {
    /// The connection's id.
    pub client: &'a str,
    /// The server's version.
    pub version: &'a str,
    /// Whether the connection ends, unless it is refreshed again.
    pub expires: bool,
    /// In how many seconds.
    pub ttl: u32,
}

/// A connection, as others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo<'a> {
    /// The user's id; always there in JSON, also when empty.
    pub user: &'a str,
    /// The connection's id; always there in JSON.
    pub client: &'a str,
    /// What belongs to the connection.
    pub conn_info: Data<'a>,
    /// What belongs to its subscription.
    pub chan_info: Data<'a>,
}

/// Something said in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Publication<'a> {
    /// What is said.
    pub data: Data<'a>,
    /// Who said it, if a client did.
    pub info: Option<ClientInfo<'a>>,
    /// Its number in the stream.
    pub offset: u64,
    /// Labels from the publisher, each name once.
    pub tags: &'a [(Box<str>, Box<str>)],
    /// Whether `data` is a delta from the publication before.
    pub delta: bool,
    /// When it was said, in milliseconds since 1970.
    pub time: i64,
    /// The stream's epoch; sent with its first publication.
    pub epoch: &'a str,
}

/// Something that answers no command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Push<'a> {
    /// A publication in the channel.
    Publication(Publication<'a>),
    /// Somebody subscribed to the channel.
    Join(ClientInfo<'a>),
    /// Somebody left the channel.
    Leave(ClientInfo<'a>),
    /// The server ended the subscription.
    Unsubscribe {
        /// Why, and so what the client does next.
        code: code::UnsubscribeCode,
        /// For people.
        reason: &'a str,
    },
    /// The server subscribed the client.
    Subscribe(SubscribePush<'a>),
    /// A message to this client alone; without a channel.
    Message {
        /// What is said.
        data: Data<'a>,
    },
    /// The connection ends; without a channel, and only where no close frame can say it.
    Disconnect {
        /// The code that a close frame would carry.
        code: u32,
        /// For people.
        reason: &'a str,
    },
    /// The server prolonged the connection; without a channel.
    Refresh {
        /// Whether it ends, unless it is refreshed.
        expires: bool,
        /// In how many seconds.
        ttl: u32,
    },
}

/// A subscription that the server made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscribePush<'a> {
    /// Whether the client may come back and ask for what it missed.
    pub recoverable: bool,
    /// The stream's epoch.
    pub epoch: &'a str,
    /// The stream's offset.
    pub offset: u64,
    /// Whether the server watches the client's position.
    pub positioned: bool,
    /// From whoever decided.
    pub data: Data<'a>,
}
