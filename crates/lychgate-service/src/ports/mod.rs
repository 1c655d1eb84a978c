//! The ports: what the use cases ask of the world outside, each beside its contract.
//!
//! An adapter keeps a contract by passing its conformance suite (feature `testing`).
//!
//! **Absent on purpose:** no port names a technology; SQL, Redis and HTTP stay with their adapters.

pub mod api_keys;
pub mod application;
pub mod broker;
pub mod clock;
pub mod directory;
pub mod events;
pub mod keys;
pub mod messages;
pub mod presence_mirror;
pub mod publications;
pub mod readiness;
pub mod registry;
pub mod revocations;
pub mod rights;
pub mod sessions;
pub mod text_source;
pub mod tickets;
pub mod users;

/// Why a store could not answer.
///
/// There is one variant for each thing that a caller can do about it.
/// The cause is for the log; it is never shown to a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or did not answer in time; the same call may succeed later.
    #[error("the store is not available")]
    Unavailable(#[source] StoreCause),
    /// The disk is full: reads go on, and writes succeed again once there is space.
    #[error("the store's disk is full")]
    Full(#[source] StoreCause),
    /// The store holds what it should not, or refused what it should take; trying again does not help.
    #[error("the store is damaged or was changed by another program")]
    Broken(#[source] StoreCause),
}

/// What lies below a [`StoreError`].
pub type StoreCause = Box<dyn std::error::Error + Send + Sync>;
