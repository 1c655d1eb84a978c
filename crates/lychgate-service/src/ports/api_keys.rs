//! The keys that programs of the application show to the HTTP API, as a store keeps them.
//!
//! **Invariant:** a name is given to one key, for good: what a log says of a key can be said of no other.
//!
//! **Absent on purpose:** the key itself. Its hash is enough to know it again, and nothing else can be lost.

use async_trait::async_trait;

use super::StoreError;

/// The longest name of an API key, in bytes.
pub const API_KEY_NAME_BYTES_MAX: usize = 64;

/// What is kept of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredApiKey {
    /// What operators call it, unique byte for byte.
    pub name: String,
    /// SHA-256 of the key's 32 random bytes.
    pub hash: [u8; 32],
    /// The names of its scopes, in the order they were given. None of them is empty or holds a blank.
    pub scopes: Vec<String>,
    /// When it was made, in Unix seconds.
    pub created_at_s: u64,
    /// About when it was last shown, in Unix seconds; never, if none.
    pub last_used_at_s: Option<u64>,
    /// When it was revoked, in Unix seconds; it is good, if none.
    pub revoked_at_s: Option<u64>,
}

/// API keys at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it, in this process or another.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Keeps a new key; `false` if a key had its name before, revoked or not.
    async fn insert(&self, key: &StoredApiKey) -> Result<bool, StoreError>;

    /// The key with this hash, revoked or not.
    async fn find(&self, hash: &[u8; 32]) -> Result<Option<StoredApiKey>, StoreError>;

    /// Keys whose names come after `after`, in byte order, at most `limit`.
    async fn list(&self, after: &str, limit: u32) -> Result<Vec<StoredApiKey>, StoreError>;

    /// Revokes the key of that name at `now_s`; `None` if there is none, else whether it was good until now.
    async fn revoke(&self, name: &str, now_s: u64) -> Result<Option<bool>, StoreError>;

    /// Notes that the key with this hash was shown at `now_s`, unless a use less than `every_s` before is noted.
    ///
    /// Says whether something was written. Of several calls at once, in one process or many, one writes.
    async fn note_use(&self, hash: &[u8; 32], now_s: u64, every_s: u64) -> Result<bool, StoreError>;
}
