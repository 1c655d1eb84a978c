//! The room where passwords are hashed: a few places to work, a short queue, a short wait.
//!
//! Verifying a password takes tens to hundreds of milliseconds of a core and megabytes of memory,
//! so the number of verifications at once is what a login flood can cost, and nothing more.
//!
//! **Invariant:** a place is held by the blocking computation itself.
//! A client that hangs up does not free it, or a flood of hang-ups would start any number of computations.
//!
//! **Absent on purpose:** no fairness between clients; limits by address and account are taken before this door.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::hash_functions::{HashFunctions, StandardHashes};

/// Runs password computations on the blocking pool, a bounded number at a time. Clones share the bound.
#[derive(Clone)]
pub struct Hashing(Arc<Shared>);

struct Shared {
    functions: Arc<dyn HashFunctions>,
    limits: HashingLimits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    refused: AtomicU64,
    computations: TaskTracker,
}

/// How much hashing goes on at once and how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingLimits {
    /// Computations at once. Default: one for each core, at most 4.
    pub permits: NonZeroUsize,
    /// Callers that may wait for one. Default: 64.
    pub queue_max: usize,
    /// How long one of them waits, in milliseconds. Default: 2,000.
    pub wait_ms: u64,
}

impl Default for HashingLimits {
    fn default() -> Self {
        let four = NonZeroUsize::MIN.saturating_add(3);
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { permits: cores.min(four), queue_max: 64, wait_ms: 2_000 }
    }
}

/// No place came free in time, or too many waited already. Trying again later may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub struct Busy;

/// What goes on at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingLoad {
    /// Computations that hold a place.
    pub running: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    /// Callers that were refused since the start.
    pub refused: u64,
}

impl Hashing {
    /// Hashing with the real functions.
    pub fn new(limits: HashingLimits) -> Self {
        Self::with_functions(limits, Arc::new(StandardHashes))
    }

    /// Hashing with functions of the caller's choice.
    pub fn with_functions(limits: HashingLimits, functions: Arc<dyn HashFunctions>) -> Self {
        let permits = limits.permits.get().min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            functions,
            limits,
            places: Arc::new(Semaphore::new(permits)),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            computations: TaskTracker::new(),
        }))
    }

    /// Runs `job` as one computation, on a thread that may block.
    ///
    /// # Errors
    ///
    /// [`Busy`] when the queue is full, the wait is over, or the runtime is shutting down; `job` has not run then.
    ///
    /// # Panics
    ///
    /// Panics when `job` does.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it gives its place in the queue up.
    /// Dropped later, `job` goes on and keeps its place until it ends.
    pub async fn run<R, J>(&self, job: J) -> Result<R, Busy>
    where
        R: Send + 'static,
        J: FnOnce(&dyn HashFunctions) -> R + Send + 'static,
    {
        let place = self.place().await.inspect_err(|_| {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        let functions = Arc::clone(&self.0.functions);
        let computation = self.0.computations.spawn_blocking(move || {
            // Moved in here on purpose: see the invariant above.
            let _place = place;
            job(&*functions)
        });
        match computation.await {
            Ok(result) => Ok(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Busy),
        }
    }

    /// What goes on at the moment; the figures are read one after the other.
    pub fn load(&self) -> HashingLoad {
        HashingLoad {
            running: self.0.limits.permits.get().saturating_sub(self.0.places.available_permits()),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    /// Refuses everything from now on and waits until the last computation has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it still refuses; calling it again waits again.
    pub async fn stop(&self) {
        self.0.places.close();
        self.0.computations.close();
        self.0.computations.wait().await;
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() {
            return Ok(place);
        }
        let _queued = Queued::enter(&self.0)?;
        let place = Arc::clone(&self.0.places).acquire_owned();
        match tokio::time::timeout(Duration::from_millis(self.0.limits.wait_ms), place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

/// One caller's stand in the queue, left by dropping it.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(shared: &'a Shared) -> Result<Self, Busy> {
        shared
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < shared.limits.queue_max).then_some(waiting + 1)
            })
            .map_err(|_| Busy)?;
        Ok(Self(&shared.waiting))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
