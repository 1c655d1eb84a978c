//! The key that signs this installation's own tokens, as a store keeps it.
//!
//! **Invariant:** however many servers start at once on one store, they sign with the same key.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretSlice};

use super::StoreError;

/// Signing keys at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The key to sign with; `None` on a store that has never been started on.
    async fn signing_key(&self) -> Result<Option<StoredKey>, StoreError>;

    /// Stores `candidate` if there is no key to sign with, and returns the one there is then.
    ///
    /// Of several calls at once, in one process or many, one candidate is stored and every call returns that one.
    ///
    /// # Cancel safety
    ///
    /// A dropped call stored the candidate whole or not at all.
    async fn load_or_insert_signing_key(&self, candidate: StoredKey) -> Result<StoredKey, StoreError>;
}

/// A private key with what is needed to use it; its bytes are wiped when it is dropped and print as redacted.
#[derive(Clone)]
pub struct StoredKey {
    /// The name that a token's header carries (RFC 7515 section 4.1.4).
    pub kid: String,
    /// The JOSE name of the one algorithm that the key is for, such as `EdDSA` (RFC 7518 section 3.1, RFC 8037).
    pub algorithm: String,
    /// The private key as PKCS #8 DER (RFC 5958).
    pub pkcs8: SecretSlice<u8>,
    /// When the key was made, in Unix seconds.
    pub created_at_s: u64,
}

impl PartialEq for StoredKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.algorithm == other.algorithm
            && self.pkcs8.expose_secret() == other.pkcs8.expose_secret()
            && self.created_at_s == other.created_at_s
    }
}

impl Eq for StoredKey {}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("pkcs8", &"redacted")
            .field("created_at_s", &self.created_at_s)
            .finish()
    }
}
