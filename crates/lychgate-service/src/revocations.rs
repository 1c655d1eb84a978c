//! What is revoked, in memory: asked at every entry without a look into the store.
//!
//! There is one way in: what is revoked is written to the log, and what is in the log is read. So it makes no difference
//! whether this process has revoked something or another one.
//!
//! **Invariant:** nobody is told that something is revoked before it is on disk, is refused at the door, and its sockets
//! are closed. And who cannot read the log lets nobody in by a token: what is revoked meanwhile would not be known.
//!
//! **Absent on purpose:** revocations by issuer. A name counts whoever signed it.

mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lychgate_token::{Claims, LEEWAY_S_MAX};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use self::memory::Memory;
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::revocations::{Revocation, RevocationLog, Revoked};

/// Entries that are read at once.
const PAGE_ENTRIES: u32 = 1_000;

/// How long whoever revokes waits for the sockets to be closed.
const CLOSING_WAIT: Duration = Duration::from_secs(5);

/// The limits.
#[derive(Clone, Copy, Debug)]
pub struct RevocationLimits {
    /// Entries that may be kept when another one is asked for.
    pub entries_max: u32,
    /// How often the log is read for what other processes have written.
    pub read_every: Duration,
    /// How old the last reading may be.
    pub stale_after: Duration,
    /// How long a token of any issuer may be good after it was issued, leeway included, in seconds.
    pub longest_token_s: u64,
}

/// What of a token can be revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Its `jti`.
    pub token: Option<Box<str>>,
    /// Its `sid`.
    pub session: Option<Box<str>>,
    /// Its `iat`, in Unix seconds. A token without one is taken for as old as can be.
    pub issued_at_s: Option<u64>,
}

impl Marks {
    /// Those of a verified token.
    #[must_use]
    pub fn of(claims: &Claims) -> Self {
        let text = |claim: &Option<String>| claim.as_deref().map(Into::into);
        Self { token: text(&claims.jti), session: text(&claims.sid), issued_at_s: claims.iat }
    }
}

/// Why a token that is genuine opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmissible {
    /// It is revoked, or its session or its user is.
    #[error("the token is revoked")]
    Revoked,
    /// Nobody knows what was revoked lately.
    #[error("what is revoked could not be read for too long")]
    Stale,
}

impl NotAdmissible {
    /// Its name in logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Stale => "revocations_stale",
        }
    }
}

/// Why something is not revoked.
#[derive(Debug, thiserror::Error)]
pub enum NotRevoked {
    /// As many are kept as may be.
    #[error("as many revocations are kept as revocations.entries_max allows")]
    Full,
    /// It cannot be kept, or not be read back.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is on disk, and not every socket is closed yet.
    #[error("the sockets could not be closed in time")]
    Late,
}

/// What is revoked.
pub struct Revocations {
    log: Arc<dyn RevocationLog>,
    clock: Arc<dyn Clock>,
    limits: RevocationLimits,
    memory: RwLock<Memory>,
    /// The number up to which the log was read. One reads at a time.
    read: AsyncMutex<u64>,
    read_at: Mutex<Option<Instant>>,
    /// What sockets are to be closed for.
    pending: Mutex<Pending>,
    wake: Notify,
    /// Whether somebody closes sockets.
    has_closer: AtomicBool,
    closed: watch::Sender<u64>,
}

#[derive(Default)]
struct Pending {
    revoked: Vec<Revoked>,
    /// How many there were in all.
    told: u64,
}

/// What sockets are to be closed for.
#[derive(Debug)]
pub struct Batch {
    /// Which tokens are revoked now.
    pub revoked: Vec<Revoked>,
    told: u64,
}

impl Revocations {
    /// What `log` says, once it was read.
    #[must_use]
    pub fn new(log: Arc<dyn RevocationLog>, clock: Arc<dyn Clock>, limits: RevocationLimits) -> Self {
        Self {
            log,
            clock,
            limits,
            memory: RwLock::default(),
            read: AsyncMutex::new(0),
            read_at: Mutex::new(None),
            pending: Mutex::default(),
            wake: Notify::new(),
            has_closer: AtomicBool::new(false),
            closed: watch::Sender::new(0),
        }
    }

    /// Until when a token that is issued now may be good, in Unix seconds.
    #[must_use]
    pub fn tokens_end_at_s(&self) -> u64 {
        self.clock.now().seconds().saturating_add(self.limits.longest_token_s)
    }

    /// Until when a revocation has to last of a token that is good until `exp`, in Unix seconds.
    #[must_use]
    pub fn ends_at_s(&self, exp: Option<u64>) -> u64 {
        // A minute is the longest leeway there is. One without an end is revoked for good.
        exp.map_or(u64::from(u32::MAX), |exp| exp.saturating_add(LEEWAY_S_MAX))
    }

    /// How many entries are known.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.memory.read().len()
    }

    /// Whether a genuine token of `subject` may open something.
    ///
    /// # Errors
    ///
    /// [`NotAdmissible`].
    pub fn check(&self, subject: &str, marks: &Marks) -> Result<(), NotAdmissible> {
        if self.read_at.lock().is_none_or(|at| at.elapsed() > self.limits.stale_after) {
            return Err(NotAdmissible::Stale);
        }
        let now_s = self.clock.now().seconds();
        if self.memory.read().revokes(subject, marks, now_s) { Err(NotAdmissible::Revoked) } else { Ok(()) }
    }

    /// Whether tokens of `subject` are refused whatever they are.
    #[must_use]
    pub fn is_blocked(&self, subject: &str) -> bool {
        self.memory.read().blocks(subject, self.clock.now().seconds())
    }

    /// Revokes, and closes the sockets concerned.
    ///
    /// # Errors
    ///
    /// [`NotRevoked`]. After a failure it may be revoked all the same.
    pub async fn revoke(&self, what: Revoked, ends_at_s: u64) -> Result<(), NotRevoked> {
        let now_s = self.clock.now().seconds();
        if !self.log.append(&Revocation { what, ends_at_s }, self.limits.entries_max, now_s).await? {
            return Err(NotRevoked::Full);
        }
        self.follow().await
    }

    /// Reads what the log has now, and waits until every socket is closed that it concerns.
    ///
    /// # Errors
    ///
    /// [`NotRevoked`], and the next reading tries again.
    pub async fn follow(&self) -> Result<(), NotRevoked> {
        self.read().await?;
        if !self.has_closer.load(Ordering::Acquire) {
            return Ok(());
        }
        let told = self.pending.lock().told;
        let mut closed = self.closed.subscribe();
        match timeout(CLOSING_WAIT, closed.wait_for(|closed| *closed >= told)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotRevoked::Late),
        }
    }

    /// Reads what is new in the log.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was read before stays.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has read some of it; the next one goes on there.
    pub async fn read(&self) -> Result<(), StoreError> {
        let mut after = self.read.lock().await;
        // Before the question: what is written behind it is not in the answer.
        let asked_at = Instant::now();
        loop {
            let page = self.log.since(*after, PAGE_ENTRIES).await?;
            let is_last = page.len() < PAGE_ENTRIES as usize;
            if let Some(last) = page.last() {
                *after = last.number;
            }
            self.take(page.into_iter().map(|numbered| numbered.revocation).collect());
            if is_last {
                break;
            }
        }
        *self.read_at.lock() = Some(asked_at);
        Ok(())
    }

    /// In this order: who enters from now on is refused, and who entered before is met by the one who closes.
    fn take(&self, entries: Vec<Revocation>) {
        if entries.is_empty() {
            return;
        }
        let now_s = self.clock.now().seconds();
        let mut memory = self.memory.write();
        let mut revoked = Vec::new();
        for entry in entries {
            if memory.add(&entry, now_s) {
                revoked.push(entry.what);
            }
        }
        drop(memory);
        if self.has_closer.load(Ordering::Acquire) && !revoked.is_empty() {
            let mut pending = self.pending.lock();
            pending.told += revoked.len() as u64;
            pending.revoked.extend(revoked);
            drop(pending);
            self.wake.notify_one();
        }
    }

    /// Says that somebody closes sockets from now on, who is waited for by those who revoke.
    pub fn begin_closing(&self) {
        self.has_closer.store(true, Ordering::Release);
    }

    /// Waits for something that sockets are to be closed for.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has taken nothing.
    pub async fn next(&self) -> Batch {
        loop {
            let batch = {
                let mut pending = self.pending.lock();
                Batch { revoked: std::mem::take(&mut pending.revoked), told: pending.told }
            };
            if !batch.revoked.is_empty() {
                return batch;
            }
            self.wake.notified().await;
        }
    }

    /// Every socket is closed that `batch` concerns.
    pub fn closed(&self, batch: &Batch) {
        self.closed.send_replace(batch.told);
    }

    /// Reads the log again and again until `stop`, for what other processes have written.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut timer = interval(self.limits.read_every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_good = true;
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                () = stop.cancelled() => return,
            }
            // A reading that hangs must not keep the next ones from being tried.
            let read = timeout(self.limits.stale_after, self.read()).await;
            let cause = match read {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the store does not answer".to_owned()),
            };
            match (&cause, was_good) {
                (Some(cause), true) => tracing::error!(cause, "what is revoked cannot be read"),
                (None, false) => tracing::info!("what is revoked can be read again"),
                _ => {}
            }
            was_good = cause.is_none();
            self.memory.write().forget(self.clock.now().seconds());
        }
    }
}
