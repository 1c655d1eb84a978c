//! Messages that channels keep, with the reactions to them.
//!
//! **Invariant:** ids of one channel rise in the order in which the messages were stored.
//! An author who is a user of this server is one that exists: the store checks it, not the caller.
//!
//! **Absent on purpose:** how a message looks on the wire. What its author sent is kept; it is rendered when it is read.

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;

use super::StoreError;
use super::clock::UnixMicros;
use super::users::UserId;

/// The number of a message: positive, given once, never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

/// Who wrote a message, from a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Their number, if they are a user of this server.
    pub user_id: Option<UserId>,
    /// Whom the token named.
    pub subject: String,
    /// What they are called.
    pub name: String,
}

/// A message to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The channel it was sent to.
    pub channel: ChannelName,
    /// The type of the frame that brought it.
    pub kind: String,
    /// Who sent it.
    pub author: Author,
    /// What they sent: one JSON object, as text.
    pub payload: String,
    /// When.
    pub at: UnixMicros,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The number that the store gave.
    pub id: MessageId,
    /// What was stored.
    pub message: NewMessage,
    /// The reactions to it, in the order in which they came.
    pub reactions: Vec<Reaction>,
}

/// One user's reaction to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Whom the token named.
    pub subject: String,
    /// Which one, such as an emoji.
    pub emoji: String,
}

/// Why one message of several was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendRefused {
    /// The author's account is gone.
    #[error("the author is no user of this server")]
    UnknownAuthor,
}

/// What became of a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reacted {
    /// It is there now, or gone now, and was not before.
    Changed,
    /// It was so already.
    Unchanged,
    /// The channel has no such message.
    NoMessage,
    /// The message has as many as it may have.
    TooMany,
}

/// The most reactions that one message may have.
pub const REACTIONS_MAX: u32 = 1_000;

/// The longest reaction, in bytes.
pub const REACTION_BYTES_MAX: usize = 64;

/// Messages at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Stores messages in their order, all in one commit; one that is refused keeps no other from being stored.
    ///
    /// # Cancel safety
    ///
    /// A dropped call stored all of them that were not refused, or none.
    async fn append(&self, messages: &[NewMessage]) -> Result<Vec<Result<MessageId, AppendRefused>>, StoreError>;

    /// The newest messages of `channel` that are older than `before`, newest first, at most `limit`.
    async fn history(
        &self,
        channel: &ChannelName,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError>;

    /// Removes all but the `keep` newest messages of `channel`; returns how many went.
    async fn trim(&self, channel: &ChannelName, keep: u32) -> Result<u64, StoreError>;

    /// Adds a reaction of `subject` to a message of `channel`.
    async fn react(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError>;

    /// Takes a reaction back.
    async fn unreact(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError>;
}
