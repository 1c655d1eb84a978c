//! What is taken back before its time, as a store keeps it: a log that every process of an installation reads.
//!
//! **Invariant:** entries are numbered in the order in which they can be read, so that whoever has read up to a number
//! finds everything that is new behind it.
//!
//! **Absent on purpose:** taking a revocation back. A block alone is shortened by the next entry for its user, which
//! takes the place of the one before.

use async_trait::async_trait;

use super::StoreError;

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// The token with this `jti`.
    Token(String),
    /// Every token with this `sid`.
    Session(String),
    /// The tokens of this `sub` that were issued up to a second, in Unix seconds.
    User {
        /// Who.
        subject: String,
        /// The last second.
        issued_until_s: u64,
    },
    /// Everybody's tokens that were issued up to a second, in Unix seconds.
    Everybody {
        /// The last second.
        issued_until_s: u64,
    },
    /// Every token of this `sub`, also those to come, until a time. The newest entry for a user is the one that counts,
    /// so that a block can be shortened.
    Block {
        /// Who.
        subject: String,
        /// Until when, in Unix seconds.
        until_s: u64,
    },
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub what: Revoked,
    /// From when on it concerns nothing any more, in Unix seconds.
    pub ends_at_s: u64,
}

/// An entry with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number, from 1 on.
    pub number: u64,
    /// The entry.
    pub revocation: Revocation,
}

/// Revocations at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it, in this process or another.
#[async_trait]
pub trait RevocationLog: Send + Sync {
    /// Keeps an entry; `false` if `entries_max` are kept already. May forget those that were over at `now_s`.
    ///
    /// The ends of sessions are kept however many there are: there are no more of them than logins.
    async fn append(&self, revocation: &Revocation, entries_max: u32, now_s: u64) -> Result<bool, StoreError>;

    /// The entries behind the number `after`, in their order, at most `limit`.
    async fn since(&self, after: u64, limit: u32) -> Result<Vec<Numbered>, StoreError>;
}
