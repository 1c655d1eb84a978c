//! Sessions: what a login opens, a refresh token prolongs, and many things end.
//!
//! **Invariant:** a refresh token is worth one answer. Who shows it while another one does gets the same answer; who shows
//! it again at once, as after a lost answer, gets that once more; and whoever shows it later, or shows what another one
//! has taken the place of, ends the session, since one of its two holders is a thief.
//!
//! **Absent on purpose:** refresh tokens that say something. They are random, and their hash is all that is kept.

mod held;
mod refresh_token;

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use self::held::Held;
pub use self::refresh_token::{REFRESH_PREFIX, RefreshToken};
use crate::issue::{IssueRefused, Issued, Issuer};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::sessions::{End, EndedBy, NewRefresh, RefreshHash, Rotation, Sessions, Shown, StoredSession};
use crate::ports::users::{User, UserId, Users};
use crate::revocations::{NotRevoked, Revocations};

/// The settings.
#[derive(Clone, Copy, Debug)]
pub struct SessionRules {
    /// How long a session lasts that is not used.
    pub idle_timeout: Duration,
    /// How long it lasts at most.
    pub lifetime: Duration,
    /// How long after its use a refresh token may be shown once more.
    pub repeat_within: Duration,
    /// Live sessions of one user.
    pub per_user_max: u32,
}

/// What a session gives its client.
#[derive(Debug)]
pub struct Granted {
    /// The account, as it is now.
    pub user: User,
    /// The access token.
    pub issued: Issued,
    /// The refresh token.
    pub refresh: RefreshToken,
    /// How long that is good for if nobody uses it, in seconds.
    pub refresh_expires_in_s: u64,
    /// Which session it is.
    pub sid: String,
}

/// Why nothing is granted.
#[derive(Debug, thiserror::Error)]
pub enum NotGranted {
    /// The refresh token is not good, or its session is over.
    #[error("the refresh token is not good: {0}")]
    Invalid(Invalid),
    /// The access token cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueRefused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account was changed while somebody logged in to it.
    #[error("the account was changed meanwhile")]
    Changed,
    /// The machine has no random numbers.
    #[error("no random numbers can be had")]
    NoRandomness,
    /// The session has ended, and not all that follows from it could be done.
    #[error(transparent)]
    Follow(#[from] NotRevoked),
}

/// Why a refresh token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is none of ours.
    #[error("there is none like it")]
    Unknown,
    /// Its session was ended.
    #[error("its session has ended")]
    Ended,
    /// It was not used for too long, or its session has reached its end.
    #[error("it is over")]
    Over,
    /// Its answer was given twice.
    #[error("its answer was given twice")]
    RepeatedBefore,
    /// It was used or replaced before, and its session is ended for that.
    #[error("it was used before, and its session has ended for that")]
    Replayed,
    /// The account is disabled, blocked or gone.
    #[error("the account is disabled or gone")]
    Disabled,
}

impl Invalid {
    /// Its name in logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ended => "ended",
            Self::Over => "expired",
            Self::RepeatedBefore => "repeated",
            Self::Replayed => "replayed",
            Self::Disabled => "disabled",
        }
    }
}

type Answer = Shared<BoxFuture<'static, Arc<Result<Granted, NotGranted>>>>;
type Flights = Mutex<HashMap<RefreshHash, WeakShared<BoxFuture<'static, Arc<Result<Granted, NotGranted>>>>>>;

/// What sessions stand on.
pub struct SessionParts {
    /// Where they are kept.
    pub sessions: Arc<dyn Sessions>,
    /// Whose they are.
    pub users: Arc<dyn Users>,
    /// Who signs access tokens.
    pub issuer: Arc<Issuer>,
    /// What is revoked.
    pub revocations: Arc<Revocations>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Opens, prolongs and ends sessions.
pub struct SessionOffice {
    parts: SessionParts,
    rules: SessionRules,
    /// Answers that are being worked out.
    flights: Flights,
    /// Answers that may have been lost.
    held: Mutex<Held>,
    me: Weak<Self>,
}

impl SessionOffice {
    /// An office with these rules.
    #[must_use]
    pub fn new(parts: SessionParts, rules: SessionRules) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            parts,
            rules,
            flights: Mutex::default(),
            held: Mutex::new(Held::new(rules.repeat_within)),
            me: me.clone(),
        })
    }

    /// Opens a session for `user`, who has just proved to be that from `address`.
    ///
    /// # Errors
    ///
    /// [`NotGranted`]; there is no session then, or one that nobody can use.
    pub async fn open(&self, user: User, address: String) -> Result<Granted, NotGranted> {
        let now = self.parts.clock.now();
        let now_s = now.seconds();
        let sid = Uuid::new_v4().simple().to_string();
        let ends_at_s = now_s.saturating_add(self.rules.lifetime.as_secs());
        let issued = self.parts.issuer.issue_in(&user, &sid, ends_at_s)?;
        let (refresh, hash) = RefreshToken::fresh().ok_or(NotGranted::NoRandomness)?;
        let idle_ends_at_s = self.idle_ends_at_s(now_s, ends_at_s);
        let session = StoredSession {
            sid: sid.clone(),
            user: user.id,
            address,
            created_at_s: now_s,
            last_used_at_us: now.0,
            ends_at_s,
            idle_ends_at_s,
            ended: None,
        };
        let tokens_end_at_s = self.parts.revocations.tokens_end_at_s();
        let ended = self.parts.sessions.open(&session, hash, self.rules.per_user_max, tokens_end_at_s).await?;
        self.still_welcome(&user, &sid).await?;
        if !ended.is_empty() {
            tracing::info!(
                user = user.name,
                reason = "limit",
                "sessions that have ended to make room: {}",
                ended.len()
            );
            // They are ended on disk. A log that cannot be read now is read later, and must not keep anybody from entering.
            if let Err(error) = self.parts.revocations.follow().await {
                tracing::warn!(cause = %error, "sessions have ended, and their sockets are not closed yet");
            }
        }
        Ok(Granted { user, issued, refresh, refresh_expires_in_s: idle_ends_at_s - now_s, sid })
    }

    /// Whether the account is as it was when it proved to be itself; else the new session ends.
    ///
    /// Whatever disables an account or changes its password ends its sessions behind that. So it is seen here, or it finds
    /// the session that was opened before.
    async fn still_welcome(&self, user: &User, sid: &str) -> Result<(), NotGranted> {
        let now = self.parts.users.find_by_id(user.id).await?;
        if now.is_some_and(|now| now.active && now.password_hash == user.password_hash) {
            return Ok(());
        }
        self.end(sid, EndedBy::Password).await?;
        Err(NotGranted::Changed)
    }

    /// What a refresh token is good for. Callers at the same time get the same answer.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have used the token up; then it is as if the answer were lost.
    pub async fn refresh(&self, token: &RefreshToken) -> Arc<Result<Granted, NotGranted>> {
        let Some(hash) = token.hash() else {
            return Arc::new(Err(NotGranted::Invalid(Invalid::Unknown)));
        };
        let flight = self.flight(hash);
        match flight.answer.clone() {
            Some(answer) => answer.await,
            None => Arc::new(Err(NotGranted::Invalid(Invalid::Unknown))),
        }
    }

    /// The work on this token that is under way, or one that begins now.
    fn flight(&self, hash: RefreshHash) -> Flight<'_> {
        let mut flights = self.flights.lock();
        if let Some(answer) = flights.get(&hash).and_then(WeakShared::upgrade) {
            return Flight { office: self, hash, answer: Some(answer) };
        }
        let me = self.me.clone();
        let work = async move {
            match me.upgrade() {
                Some(office) => Arc::new(office.rotate(hash).await),
                None => Arc::new(Err(NotGranted::Store(StoreError::Unavailable("the server stops".into())))),
            }
        };
        let answer: Answer = work.boxed().shared();
        if let Some(weak) = answer.downgrade() {
            flights.insert(hash, weak);
        }
        Flight { office: self, hash, answer: Some(answer) }
    }

    async fn rotate(&self, hash: RefreshHash) -> Result<Granted, NotGranted> {
        let SessionParts { sessions, users, issuer, revocations, clock } = &self.parts;
        // What is no token of ours costs a look and no lock.
        let session = sessions.find(&hash).await?.ok_or(NotGranted::Invalid(Invalid::Unknown))?;
        let user = users.find_by_id(session.user).await?;
        let is_welcome = |user: &User| {
            user.active && !issuer.subject_of(user).is_some_and(|subject| revocations.is_blocked(&subject))
        };
        let Some(user) = user.filter(is_welcome) else {
            self.end(&session.sid, EndedBy::Disabled).await?;
            return Err(NotGranted::Invalid(Invalid::Disabled));
        };
        let now = clock.now();
        // An account that can have no token keeps its refresh token, and comes back once that is mended.
        let issued = issuer.issue_in(&user, &session.sid, session.ends_at_s)?;
        let (fresh, fresh_hash) = RefreshToken::fresh().ok_or(NotGranted::NoRandomness)?;
        let idle_ends_at_s = self.idle_ends_at_s(now.seconds(), session.ends_at_s);
        let before = self.held.lock().heir_of(&hash, Instant::now());
        let shown = Shown {
            hash,
            heir: NewRefresh { hash: fresh_hash, idle_ends_at_s },
            has_heir: before.is_some(),
            repeat_within_us: u64::try_from(self.rules.repeat_within.as_micros()).unwrap_or(u64::MAX),
            now,
            tokens_end_at_s: revocations.tokens_end_at_s(),
        };
        let (refresh, idle_ends_at_s) = match sessions.rotate(&shown).await? {
            Rotation::Rotated => {
                self.held.lock().keep(hash, fresh.clone(), idle_ends_at_s, Instant::now());
                (fresh, idle_ends_at_s)
            }
            Rotation::Replaced => (fresh, idle_ends_at_s),
            Rotation::Repeated => before.ok_or(NotGranted::Invalid(Invalid::RepeatedBefore))?,
            Rotation::RepeatedBefore => return Err(NotGranted::Invalid(Invalid::RepeatedBefore)),
            Rotation::Ended => return Err(NotGranted::Invalid(Invalid::Ended)),
            Rotation::Over => return Err(NotGranted::Invalid(Invalid::Over)),
            Rotation::Unknown => return Err(NotGranted::Invalid(Invalid::Unknown)),
            Rotation::Replayed => {
                tracing::warn!(
                    user = user.name,
                    session = session.sid,
                    "a refresh token was used a second time: the session has ended"
                );
                revocations.follow().await?;
                return Err(NotGranted::Invalid(Invalid::Replayed));
            }
        };
        let refresh_expires_in_s = idle_ends_at_s.saturating_sub(now.seconds());
        Ok(Granted { user, issued, refresh, refresh_expires_in_s, sid: session.sid })
    }

    /// Ends the session of a refresh token, whatever became of the token; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`NotRevoked`], and then it may still be good.
    pub async fn log_out(&self, token: &RefreshToken) -> Result<Option<StoredSession>, NotRevoked> {
        let Some(hash) = token.hash() else { return Ok(None) };
        let Some(session) = self.parts.sessions.find(&hash).await? else { return Ok(None) };
        self.end(&session.sid, EndedBy::Logout).await?;
        Ok(Some(session))
    }

    /// Ends a session, and closes its sockets; `false` if there is none, or it had ended.
    ///
    /// # Errors
    ///
    /// [`NotRevoked`]. After a failure it may have ended all the same.
    pub async fn end(&self, sid: &str, by: EndedBy) -> Result<bool, NotRevoked> {
        let ended = self.parts.sessions.end(sid, self.ending(by)).await?;
        // Also where another call was first: it may not have come so far.
        self.parts.revocations.follow().await?;
        Ok(ended)
    }

    /// Ends the sessions of a user, and closes their sockets; says how many there were.
    ///
    /// # Errors
    ///
    /// [`NotRevoked`]. After a failure they may have ended all the same.
    pub async fn end_all_of(&self, user: UserId, by: EndedBy) -> Result<u32, NotRevoked> {
        let ended = self.parts.sessions.end_all_of(user, self.ending(by)).await?;
        self.parts.revocations.follow().await?;
        Ok(ended)
    }

    fn ending(&self, by: EndedBy) -> End {
        let now_s = self.parts.clock.now().seconds();
        End { by, now_s, tokens_end_at_s: self.parts.revocations.tokens_end_at_s() }
    }

    fn idle_ends_at_s(&self, now_s: u64, ends_at_s: u64) -> u64 {
        now_s.saturating_add(self.rules.idle_timeout.as_secs()).min(ends_at_s)
    }
}

/// One who waits for an answer.
struct Flight<'a> {
    office: &'a SessionOffice,
    hash: RefreshHash,
    /// There until it is dropped.
    answer: Option<Answer>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.office.flights.lock();
        // Under the lock, so that the last one who waits knows it, and takes the place away.
        drop(self.answer.take());
        if flights.get(&self.hash).is_some_and(|answer| answer.upgrade().is_none()) {
            flights.remove(&self.hash);
        }
    }
}
