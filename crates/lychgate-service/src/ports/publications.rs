//! What durable channels have published, and where they stand, at rest.
//!
//! **Absent on purpose:** who may read it, and how it looks on the wire. It is read at start alone; afterwards what
//! channels keep is answered from memory.

use std::sync::Arc;

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;

use super::StoreError;
use super::broker::{Epoch, Kept, KeptVersion, Position};
use super::clock::UnixMicros;

/// A publication that is kept until some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPublication {
    /// The publication with its number.
    pub kept: Arc<Kept>,
    /// From when on it is gone.
    pub expires_at: UnixMicros,
}

/// What one commit adds to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The channel.
    pub channel: ChannelName,
    /// Which run of numbers.
    pub epoch: Epoch,
    /// At least one, with numbers that rise by one.
    pub publications: Vec<StoredPublication>,
    /// The version that the channel has reached with them, if any of its publications ever had one.
    pub version: Option<KeptVersion>,
    /// How many of its newest publications the channel keeps; older ones go in the same commit.
    pub keep: usize,
    /// From when on nobody has to know where the channel stands.
    pub expires_at: UnixMicros,
}

/// Where a channel stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPosition {
    /// The channel.
    pub channel: ChannelName,
    /// Its last publication, whether that is still kept or not.
    pub position: Position,
    /// The version that it has reached.
    pub version: Option<KeptVersion>,
    /// From when on nobody has to know.
    pub expires_at: UnixMicros,
}

/// How much is read of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// So many publications at most.
    pub publications: usize,
    /// Payloads of so many bytes together at most.
    pub bytes: usize,
}

/// Publications at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash. An error means that nothing was changed.
/// A read that starts after a write has returned sees it.
#[async_trait]
pub trait Publications: Send + Sync {
    /// Stores what is added to each channel, and that the channel stands at the last of it, all in one commit.
    ///
    /// A channel that had another epoch before loses what it had then. A number that is there already is replaced: it
    /// can only be of a commit whose caller was told that it failed.
    ///
    /// # Cancel safety
    ///
    /// A dropped call stored all of it, or nothing.
    async fn append(&self, additions: &[Addition]) -> Result<(), StoreError>;

    /// Where channels stand at `now`, those first that expire last; at most `limit`.
    async fn positions(&self, now: UnixMicros, limit: usize) -> Result<Vec<StoredPosition>, StoreError>;

    /// The newest publications of a channel at `now`, oldest first.
    async fn newest(
        &self,
        channel: &ChannelName,
        now: UnixMicros,
        limit: ReadLimit,
    ) -> Result<Vec<StoredPublication>, StoreError>;

    /// Removes the publications of a channel, and not where it stands.
    async fn forget(&self, channel: &ChannelName) -> Result<(), StoreError>;

    /// Removes what has expired at `now`, at most about `limit` publications and as many positions; how many went.
    async fn purge(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreError>;
}
