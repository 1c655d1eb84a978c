//! Sessions of logins and their refresh tokens, as a store keeps them.
//!
//! **Invariant:** a session that has not ended has exactly one live refresh token: neither used nor replaced.
//!
//! **Absent on purpose:** the tokens themselves. A hash is enough to know one again.

use async_trait::async_trait;

use super::StoreError;
use super::clock::UnixMicros;
use super::users::UserId;

/// SHA-256 of a refresh token.
pub type RefreshHash = [u8; 32];

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The claim `sid` of its access tokens.
    pub sid: String,
    /// Whose it is.
    pub user: UserId,
    /// Where the login came from.
    pub address: String,
    /// When it began, in Unix seconds.
    pub created_at_s: u64,
    /// When its last refresh token was given, in Unix microseconds.
    pub last_used_at_us: u64,
    /// When it ends however much it is used, in Unix seconds.
    pub ends_at_s: u64,
    /// When it ends if it is not used again, in Unix seconds.
    pub idle_ends_at_s: u64,
    /// When it was ended before its time, in Unix seconds, and by what; it was not, if none.
    pub ended: Option<(u64, EndedBy)>,
}

impl StoredSession {
    /// Whether something can still come of it.
    #[must_use]
    pub const fn is_live(&self, now_s: u64) -> bool {
        self.ended.is_none() && self.idle_ends_at_s > now_s
    }
}

/// A refresh token that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRefresh {
    /// Its hash.
    pub hash: RefreshHash,
    /// From when on it is worth nothing, in Unix seconds.
    pub idle_ends_at_s: u64,
}

/// What ended a session before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its user.
    Logout,
    /// A refresh token that was used or replaced before was shown.
    Replay,
    /// The account was disabled, or is gone.
    Disabled,
    /// The account has another password.
    Password,
    /// The user began more sessions than one may have.
    Limit,
    /// An operator.
    Operator,
}

impl EndedBy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Logout, Self::Replay, Self::Disabled, Self::Password, Self::Limit, Self::Operator];

    /// Its name in stores, lists and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Replay => "replay",
            Self::Disabled => "disabled",
            Self::Password => "password",
            Self::Limit => "limit",
            Self::Operator => "operator",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// An end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// By what.
    pub by: EndedBy,
    /// Now, in Unix seconds.
    pub now_s: u64,
    /// Until when an access token of the session may be good, in Unix seconds.
    pub tokens_end_at_s: u64,
}

/// A refresh token that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Its hash.
    pub hash: RefreshHash,
    /// What takes its place, if it is good.
    pub heir: NewRefresh,
    /// Whether the caller still has the heir that was made for it before, and so needs no other for a repetition.
    pub has_heir: bool,
    /// How long after its use it may be shown once more, in microseconds.
    pub repeat_within_us: u64,
    /// Now.
    pub now: UnixMicros,
    /// Until when an access token of the session may be good, in Unix seconds.
    pub tokens_end_at_s: u64,
}

/// What came of a refresh token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was good. It is used up, and the heir is live.
    Rotated,
    /// Its answer seems to be lost: the heir from before goes to the client again.
    Repeated,
    /// The same, and the new heir has taken the place of the one from before.
    Replaced,
    /// Its answer was given twice already, and nothing has changed.
    RepeatedBefore,
    /// It was used or replaced before, and its session has ended now.
    Replayed,
    /// Its session had ended.
    Ended,
    /// It, or its session, is over.
    Over,
    /// There is none.
    Unknown,
}

/// What a store knows of a token that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshState {
    /// When it was used, in Unix microseconds; it was not, if none.
    pub used_at_us: Option<u64>,
    /// Whether its answer was given a second time.
    pub is_repeated: bool,
    /// Whether another one has taken its place.
    pub is_replaced: bool,
    /// From when on it is worth nothing, in Unix seconds.
    pub idle_ends_at_s: u64,
    /// Whether its heir is there, unused and not replaced.
    pub has_live_heir: bool,
    /// Whether its session was ended.
    pub is_ended: bool,
    /// When its session ends by itself, in Unix seconds.
    pub session_ends_at_s: u64,
}

impl RefreshState {
    /// What is to come of it: the rule of every store.
    #[must_use]
    pub fn verdict(&self, shown: &Shown) -> Rotation {
        let now_s = shown.now.seconds();
        if self.is_ended {
            return Rotation::Ended;
        }
        if self.session_ends_at_s <= now_s {
            return Rotation::Over;
        }
        match self.used_at_us {
            _ if self.is_replaced => Rotation::Replayed,
            None if self.idle_ends_at_s <= now_s => Rotation::Over,
            None => Rotation::Rotated,
            // The wall clock may have gone back a little, and a great leap back must not make old tokens young.
            Some(used_at_us) if self.has_live_heir && used_at_us.abs_diff(shown.now.0) <= shown.repeat_within_us => {
                match (self.is_repeated, shown.has_heir) {
                    (true, _) => Rotation::RepeatedBefore,
                    (false, true) => Rotation::Repeated,
                    (false, false) => Rotation::Replaced,
                }
            }
            Some(_) => Rotation::Replayed,
        }
    }
}

/// Sessions at rest.
///
/// Every call is atomic, and what an `Ok` of a write reports outlives a crash.
/// A read that starts after a write has returned sees it, in this process or another.
/// Whatever ends a session before its time leaves a revocation of it in the same step: see
/// [`RevocationLog`](super::revocations::RevocationLog).
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Keeps a session and its first refresh token. May forget some that are over.
    ///
    /// Where its user has `per_user_max` live ones already, those that were not used for longest end
    /// ([`EndedBy::Limit`]), so that with the new one there are no more; their ids are returned.
    /// Access tokens of those may be good until `tokens_end_at_s`.
    async fn open(
        &self,
        session: &StoredSession,
        first: RefreshHash,
        per_user_max: u32,
        tokens_end_at_s: u64,
    ) -> Result<Vec<String>, StoreError>;

    /// The session of the token with this hash, whatever became of either.
    async fn find(&self, hash: &RefreshHash) -> Result<Option<StoredSession>, StoreError>;

    /// Decides by [`RefreshState::verdict`] about a token that is shown, and does what that says.
    ///
    /// Of several calls at once, in one process or many, each is decided by what the one before has left.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did all of it or nothing.
    async fn rotate(&self, shown: &Shown) -> Result<Rotation, StoreError>;

    /// Ends the session of this id; `false` if there is none, or it had ended.
    async fn end(&self, sid: &str, end: End) -> Result<bool, StoreError>;

    /// Ends every live session of a user, and says how many.
    async fn end_all_of(&self, user: UserId, end: End) -> Result<u32, StoreError>;

    /// The sessions of a user, the newest first, as far as they are not forgotten.
    async fn list(&self, user: UserId) -> Result<Vec<StoredSession>, StoreError>;
}
