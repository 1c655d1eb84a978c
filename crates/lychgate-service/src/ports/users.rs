//! The people who may log in, as a store keeps them.
//!
//! **Invariant:** a text that somebody logs in with leads to at most one user.
//! A name is unique byte for byte and an e-mail address whatever its letter case,
//! and no user's name is another user's address.
//!
//! **Absent on purpose:** there is no deletion.
//! A `sub` in a token names its user for ever, so a user who leaves is disabled and the id is never given out again.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;

mod attributes;
mod kind;
mod names;

pub(crate) use attributes::ReadAttributes;
pub use attributes::{
    ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, AttributeChange, Attributes, AttributesFault,
    is_attribute_name,
};
pub use kind::{ARGON2_LANES_MAX, ARGON2_MEMORY_KIB_MAX, ARGON2_PASSES_MAX, BCRYPT_COST_MAX, HashKind, NotAHashKind};
pub use names::{EMAIL_BYTES_MAX, Email, NAME_BYTES_MAX, NameFault, UserName, fold};

/// Users at rest.
///
/// Every call is atomic: it happens whole or not at all, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it.
/// Absence is `None` or `false`; failure is an error.
///
/// # Cancel safety
///
/// A dropped read did nothing. A dropped write happened whole or not at all, and the caller cannot tell which.
#[async_trait]
pub trait Users: Send + Sync {
    /// The user with this id.
    async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user whose name is `name`, byte for byte.
    async fn find_by_name(&self, name: &str) -> Result<Option<User>, StoreError>;

    /// The user whose e-mail address is `email`, whatever the letter case.
    async fn find_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// Stores a new user under an id greater than any id before it.
    ///
    /// # Errors
    ///
    /// [`InsertError::NameTaken`] when another user has the name, or has it as an address in any letter case;
    /// [`InsertError::EmailTaken`] likewise for the address. When both are taken it is the name.
    async fn insert(&self, user: &NewUser) -> Result<User, InsertError>;

    /// What [`insert`](Users::insert) would say now, without storing anything.
    async fn check_insert(&self, user: &NewUser) -> Result<(), InsertError>;

    /// Users with an id greater than `after`, in ascending order of id, at most `limit` of them.
    async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Enables or disables a user; `false` when there is no such user. Setting what is set already is `true`.
    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError>;

    /// Replaces the password hash, and only where the stored one is `expected` when that is given.
    ///
    /// `false` when there is no such user or the stored hash is another one; nothing has changed then.
    /// Of several calls that expect the same hash at most one succeeds.
    async fn set_password_hash(
        &self,
        id: UserId,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Replaces the attributes where the stored ones are `expected`.
    ///
    /// `false` when there is no such user or the stored ones are others; nothing has changed then.
    /// Of several calls that expect the same and set something else at most one succeeds.
    async fn set_attributes(&self, id: UserId, expected: &Attributes, new: &Attributes) -> Result<bool, StoreError>;

    /// Every kind of password hash that some user has, each once and in ascending order.
    ///
    /// It is asked at every login, so it must not read every user.
    async fn hash_kinds(&self) -> Result<Vec<HashKind>, StoreError>;
}

/// Why a user was not stored.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// The name is in use.
    #[error("the name is taken")]
    NameTaken,
    /// The e-mail address is in use.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of a user: positive, given once, never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = NotAUserId;

    /// Reads the decimal form that [`Display`](fmt::Display) writes, and no other spelling of the same number.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.parse().map(Self).map_err(|_| NotAUserId)?;
        // "+7" and "007" parse as well; two spellings of one identity would be two identities somewhere.
        if id.0 > 0 && id.to_string() == text { Ok(id) } else { Err(NotAUserId) }
    }
}

/// The text is no user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a user id: a positive whole number without sign or leading zeros is")]
pub struct NotAUserId;

/// A stored user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id that the store gave.
    pub id: UserId,
    /// The name, as it was given.
    pub name: String,
    /// The e-mail address, as it was given.
    pub email: Option<String>,
    /// What the password is compared with.
    pub password_hash: PasswordHash,
    /// Whether this user may log in.
    pub active: bool,
    /// When the user was stored, in Unix seconds.
    pub created_at_s: u64,
    /// What else there is to say of the user.
    pub attributes: Attributes,
}

/// A user to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The name to be.
    pub name: UserName,
    /// The e-mail address to be.
    pub email: Option<Email>,
    /// What the password will be compared with.
    pub password_hash: PasswordHash,
    /// Whether this user may log in.
    pub active: bool,
    /// Now, in Unix seconds.
    pub created_at_s: u64,
    /// What else there is to say of the user.
    pub attributes: Attributes,
}

/// A password hash as text (PHC string or modular crypt format); prints as its kind alone.
#[derive(Clone)]
pub struct PasswordHash {
    text: SecretString,
    kind: HashKind,
}

impl PasswordHash {
    /// Takes any text. One that no login could ever verify has the kind [`HashKind::Unsupported`].
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self { kind: HashKind::of(&text), text: text.into() }
    }

    /// The text, for the adapter that stores it and the function that verifies it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// How the hash was made, and so what a verification costs.
    pub fn kind(&self) -> HashKind {
        self.kind
    }
}

impl PartialEq for PasswordHash {
    /// Compares stored hashes with each other, never with what a client sent.
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({}, redacted)", self.kind)
    }
}
