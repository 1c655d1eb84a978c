//! The way a publication takes to every node that has subscribers, and what a channel keeps of it.

mod tags;
mod version;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lychgate_hub::{Class, SessionId};
use lychgate_protocol::channel::ChannelName;

use crate::principal::Principal;

pub use tags::{TAGS_BYTES_MAX, TAGS_MAX, Tag, Tags, TooManyTags};
pub use version::{KeptVersion, VERSION_EPOCH_BYTES_MAX, Version};

/// One message on its way to a channel: rendered, stamped, and not yet framed.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The payload as UTF-8 JSON text, without a newline that JSON does not need.
    pub payload: &'a [u8],
    /// The session that must not receive it ("to the others"), if any.
    pub exclude: Option<SessionId>,
    /// The client that published it, if one did.
    pub author: Option<Author<'a>>,
    /// Whether it is kept nowhere and has no place in the channel's order: whoever is not there misses it.
    pub transient: bool,
    /// Its labels.
    pub tags: Option<&'a Tags>,
    /// By which it is known whether it comes too late, if it has one. It counts in channels that keep something, and then
    /// a publication that comes too late is dropped; whoever published it is told where the channel stands.
    pub version: Option<Version<'a>>,
}

impl<'a> Publication<'a> {
    /// A payload for everybody, of nobody in particular, with nothing said about it.
    #[must_use]
    pub const fn of(payload: &'a [u8]) -> Self {
        Self { payload, exclude: None, author: None, transient: false, tags: None, version: None }
    }
}

/// A client, as others see it. Its identity is a verified one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author<'a> {
    /// The user's id; empty for a visitor.
    pub user: &'a str,
    /// The connection's name.
    pub client: &'a str,
    /// What its token says of the connection, as JSON text.
    pub connection_info: Option<&'a str>,
    /// What its right to the channel says of it, as JSON text.
    pub channel_info: Option<&'a str>,
}

impl<'a> Author<'a> {
    /// A user on one connection, of whom nothing more is said. Nobody vouches for a visitor, so nobody is told a name.
    #[must_use]
    pub fn of(principal: &'a Principal, client: &'a str) -> Self {
        let user = if principal.is_anonymous() { "" } else { principal.id() };
        Self { user, client, connection_info: None, channel_info: None }
    }
}

/// Which run of a channel's offsets a number belongs to. A channel that lost its count has another one afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; Self::BYTES]);

impl Epoch {
    /// The length of its text.
    pub const BYTES: usize = 8;

    /// An epoch that no channel had before.
    #[must_use]
    pub fn fresh() -> Self {
        Self(std::array::from_fn(|_| b'a' + rand::random_range(0..26_u8)))
    }

    /// An epoch by its text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; Self::BYTES] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_lowercase).then_some(Self(letters))
    }

    /// It as clients know it: eight letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a channel that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which run of offsets.
    pub epoch: Epoch,
    /// The last publication before it; 0 before the first one.
    pub offset: u64,
}

/// Where somebody says that they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since<'a> {
    /// Which run of offsets; any, if it is empty.
    pub epoch: &'a str,
    /// The last publication that they have.
    pub offset: u64,
}

/// What a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many publications.
    pub publications_max: usize,
    /// Each for so long.
    pub time_to_live: Duration,
    /// How long an empty channel remembers its count.
    pub position_time_to_live: Duration,
    /// Whether all of it outlives the process.
    pub is_durable: bool,
    /// Whether those who come back get the newest publication alone, wherever they were, and not all that they missed.
    pub newest_alone: bool,
}

/// Says what each channel keeps.
pub trait Retains: Send + Sync {
    /// What `channel` keeps; nothing, and no epoch, if `None`.
    fn retention(&self, channel: &ChannelName) -> Option<Retention>;
}

/// A publication that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number in its channel.
    pub offset: u64,
    /// The payload as it was published.
    pub payload: Box<[u8]>,
    /// Who published it.
    pub author: Option<Box<KeptAuthor>>,
    /// Its labels.
    pub tags: Tags,
}

/// An [`Author`] that outlives its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAuthor {
    user: Box<str>,
    client: Box<str>,
    connection_info: Option<Box<str>>,
    channel_info: Option<Box<str>>,
}

impl KeptAuthor {
    /// A copy of `author`.
    #[must_use]
    pub fn of(author: Author<'_>) -> Self {
        Self {
            user: author.user.into(),
            client: author.client.into(),
            connection_info: author.connection_info.map(Into::into),
            channel_info: author.channel_info.map(Into::into),
        }
    }

    /// It as it was.
    #[must_use]
    pub fn author(&self) -> Author<'_> {
        Author {
            user: &self.user,
            client: &self.client,
            connection_info: self.connection_info.as_deref(),
            channel_info: self.channel_info.as_deref(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let optional = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        self.user.len() + self.client.len() + optional(&self.connection_info) + optional(&self.channel_info)
    }
}

impl fmt::Debug for Kept {
    /// Prints no payload: it is somebody's message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// Where a publication stands in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number in the channel, counted from 1, without holes; 0 for one without a place, and for one whose place is
    /// not known yet.
    pub offset: u64,
    /// Which run of numbers, where the channel keeps what is published.
    pub epoch: Option<Epoch>,
    /// How many sessions of this node it was queued for.
    pub sessions: usize,
}

/// Why a publication was not taken. Nothing of it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The broker cannot take more at the moment; the publisher may try again.
    #[error("the message broker is busy or away")]
    Unavailable,
    /// It was to be stored first, and the store failed; the log has the cause.
    #[error("the publication could not be stored")]
    NotStored,
}

/// Why nothing is told of what a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryRefused {
    /// The channel keeps nothing.
    #[error("the channel keeps no history")]
    NotKept,
    /// The place asked about belongs to another run of offsets.
    #[error("the position is from another epoch")]
    OtherEpoch,
}

/// What is asked about what a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery<'a> {
    /// Only what came after this place; with `reverse`, before it. It does not belong to the answer itself.
    pub since: Option<Since<'a>>,
    /// So many at most. None at all is a question for the position.
    pub limit: usize,
    /// Newest first.
    pub reverse: bool,
}

/// What a channel keeps, as far as was asked.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Where the channel stands.
    pub top: Position,
    /// What was asked for.
    pub publications: Vec<Arc<Kept>>,
}

/// Where a newcomer wants to enter.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Which channel.
    pub channel: &'a ChannelName,
    /// Where it was, if it comes back.
    pub since: Option<Since<'a>>,
}

/// Where a newcomer enters.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where the channel stands, if it counts: what comes next is behind it.
    pub top: Option<Position>,
    /// What became of the wish to go on where the newcomer was; `None` without one.
    pub recovered: Option<bool>,
    /// What the newcomer has missed, oldest first; nothing unless all of it is here.
    pub missed: &'a [Arc<Kept>],
}

/// Assigns each publication its offset, keeps it where the channel keeps something, and hands it to the hub of every node.
///
/// # Contract
///
/// * Offsets of one channel rise by one in the order in which subscribers receive the publications, within one epoch.
/// * Two publications of one caller to one channel keep their order.
/// * `publish` never waits: it returns when the publication has its place in the channel's order, or refuses it whole.
///   A broker on another machine, or one that stores first, takes it into a bounded queue of its own; then its place is
///   not known yet.
/// * Where a channel's rule says that it is durable, nobody receives what is not stored, and what `commit` reports as done
///   outlives the process, with its place.
/// * A newcomer who enters through [`enter`](Self::enter) or [`enter_all`](Self::enter_all) and is told that it has missed nothing but `missed` has missed
///   nothing else, and receives nothing twice.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Publishes to `channel`.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Unavailable`] when nothing was published.
    fn publish(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError>;

    /// Publishes to `channel`, and returns once the publication has its place, and is stored where it has to be.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] when nothing was published.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have published.
    async fn commit(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError> {
        self.publish(channel, publication)
    }

    /// Calls `enter` at a moment when nothing is published to any of these channels, with what came since the newcomer's
    /// place in each of them, in their order. No channel is there twice.
    ///
    /// `enter` subscribes, and neither waits nor calls the broker. At most `limit` publications of each are recovered.
    fn enter_all(&self, places: &[Place<'_>], limit: usize, enter: &mut dyn FnMut(&[Entry<'_>]));

    /// The same for one channel.
    fn enter(&self, channel: &ChannelName, since: Option<Since<'_>>, limit: usize, enter: &mut dyn FnMut(Entry<'_>)) {
        self.enter_all(&[Place { channel, since }], limit, &mut |entries| {
            entries.iter().copied().for_each(&mut *enter)
        });
    }

    /// What `channel` keeps.
    ///
    /// # Errors
    ///
    /// [`HistoryRefused`].
    fn history(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> Result<HistoryPage, HistoryRefused>;

    /// Tells the members of `channel` who are told of such things that a client came or went. It has no offset.
    fn tell(&self, channel: &ChannelName, happening: Happening<'_>);

    /// Forgets what `channel` keeps, and not where it stands. What was published before is forgotten, too.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] when it is still kept.
    async fn forget(&self, channel: &ChannelName) -> Result<(), BrokerError>;

    /// Says that `channel` has no subscriber left on this node, so that what is kept for it alone can go.
    fn vacated(&self, channel: &ChannelName);
}

/// What happens in a channel, for whoever writes it down for the wire.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// Something was published.
    Published {
        /// The payload as JSON text.
        payload: &'a [u8],
        /// Who did, if a client did.
        author: Option<Author<'a>>,
        /// Its number.
        offset: u64,
        /// Which run of numbers, where the channel keeps what is published.
        epoch: Option<Epoch>,
        /// The payload of the publication before it, if every member had that one last.
        previous: Option<&'a [u8]>,
        /// Its labels.
        tags: &'a [Tag],
    },
    /// A client has entered.
    Joined(Author<'a>),
    /// A client has left.
    Left(Author<'a>),
}

/// Writes down what happens for the classes of an edge; plain text needs none.
pub trait Framing: Send + Sync {
    /// Appends one complete frame to `out`, or nothing where members of `class` are not told.
    ///
    /// The channel is locked meanwhile: it neither waits nor calls the hub or the broker.
    fn frame(&self, class: Class, channel: &ChannelName, happening: Happening<'_>, out: &mut Vec<u8>);

    /// The classes whose members have had no publication yet, each with the class that they belong to after their first.
    fn beginners(&self) -> &[(Class, Class)] {
        &[]
    }
}
