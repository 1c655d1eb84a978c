//! One-time tickets: a token's stand-in for a place that ends up in logs, as a store keeps them.
//!
//! **Invariant:** a ticket is taken once, however many ask for it at the same moment and on however many machines.

use async_trait::async_trait;

use super::StoreError;

/// What is kept of a ticket. The ticket itself is not: its hash is enough to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTicket {
    /// SHA-256 of the ticket's 32 random bytes.
    pub hash: [u8; 32],
    /// The verified claims of the token that it was given for, as JSON.
    pub claims: String,
    /// From when on it is worth nothing, in Unix seconds.
    pub expires_at_s: u64,
}

/// Tickets at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// Keeps a ticket until it is taken or over. May forget those that were over at `now_s`.
    async fn put(&self, ticket: &StoredTicket, now_s: u64) -> Result<(), StoreError>;

    /// Takes the ticket with this hash away and returns its claims; `None` if there is none or it was over at `now_s`.
    ///
    /// Of several calls at once, in one process or many, at most one gets the ticket.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has taken the ticket or not; nobody else gets it twice.
    async fn take(&self, hash: &[u8; 32], now_s: u64) -> Result<Option<String>, StoreError>;
}
