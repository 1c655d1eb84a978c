//! What the application has still to be told, at rest, and what it takes for open meanwhile.
//!
//! **Absent on purpose:** what an event says, beside its order. The body is text that is stored and given back.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use super::clock::UnixMicros;

/// An event that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Who is told.
    pub source: Arc<str>,
    /// What is told, as the text of a JSON object.
    pub body: Box<str>,
    /// When it happened.
    pub at: UnixMicros,
    /// What is open once it is told.
    pub change: Change,
}

/// What an event changes about what its source takes for open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something of this name is open now.
    Opens(Box<str>),
    /// It is not any more.
    Closes(Box<str>),
    /// Whatever was open is not. What was noted as lost is told by this event.
    Forgets,
}

/// An event that waits to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number among those of its source: one more than that of the event before it.
    pub number: u64,
    /// What is told.
    pub body: Box<str>,
    /// When it happened.
    pub at: UnixMicros,
}

/// Something that the source was told of, or will be, as open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its name.
    pub key: Box<str>,
    /// What was told of it.
    pub body: Box<str>,
}

/// How much there is to tell a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Events.
    pub events: u64,
    /// Events that were lost, and of which it was not told yet that they were.
    pub lost: u64,
}

/// Events at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash. An error means that nothing was changed.
/// A read that starts after a write has returned sees it. Sources have nothing to do with each other.
#[async_trait]
pub trait Events: Send + Sync {
    /// Stores events in their order, with what they change, all in one commit.
    ///
    /// Each gets the next number of its source, from 1, whatever was removed meanwhile. To open what is open, or to close
    /// what is not, changes nothing about that.
    ///
    /// # Cancel safety
    ///
    /// A dropped call stored all of it, or nothing.
    async fn append(&self, events: &[NewEvent]) -> Result<(), StoreError>;

    /// How much there is to tell `source`.
    async fn waiting(&self, source: &str) -> Result<Waiting, StoreError>;

    /// The events of `source` with the lowest numbers, in their order; at most `limit`.
    async fn oldest(&self, source: &str, limit: u32) -> Result<Vec<StoredEvent>, StoreError>;

    /// Removes the events of `source` up to this number, which have been told; how many those were.
    async fn remove(&self, source: &str, through: u64) -> Result<u64, StoreError>;

    /// What `source` takes for open, by name; at most `limit`.
    async fn open(&self, source: &str, limit: u32) -> Result<Vec<Open>, StoreError>;

    /// Notes that so many more events for `source` were lost.
    async fn note_lost(&self, source: &str, count: u64) -> Result<(), StoreError>;
}
