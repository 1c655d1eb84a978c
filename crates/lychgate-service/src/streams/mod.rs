//! Texts that arrive piece by piece: one run per channel, however many watch it.
//!
//! A run asks its source once. Whoever comes while it goes on gets the text so far, then the rest;
//! the last watcher to leave is waited for, and if nobody comes back the source is told to stop.
//!
//! **Invariant:** a watcher receives every byte of the text once and in order, whenever it came: the text so far, its
//! joining and each piece are handled under the run's lock. When the last [`Watch`] is dropped and the grace has passed,
//! nothing of the run is left: no task, no entry, no channel.
//!
//! **Absent on purpose:** the source is never slowed down for a reader. A text is bounded by [`StreamLimits::text_bytes_max`],
//! and a reader who does not keep up is closed by the limits of its own outbox, so a run costs no more than its one text.
//! Wall clock time: grace and deadlines are monotonic.

mod form;
mod relay;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use lychgate_hub::{Class, EndCode, Registrar, Session, SubscribeError};
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::policy::Permit;
use crate::ports::text_source::TextSource;
use crate::streams::run::Run;

pub use form::{PlainText, StreamForm};
pub use run::Watch;

/// The channel of a run ended because its text is whole.
pub const COMPLETED: EndCode = EndCode(0);

/// The channel of a run ended because its text will not become whole.
pub const UPSTREAM_FAILED: EndCode = EndCode(1);

/// How much runs may take, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Runs at a time, those that are finished and kept included; a watcher who would need one more is refused.
    pub runs_max: usize,
    /// Bytes of one text; more fails the run. A watcher's outbox should hold twice as much, for the text so far comes at once.
    pub text_bytes_max: usize,
    /// How long one text may take from the request to its end; longer fails the run.
    pub run_max: Duration,
    /// How long a run goes on that nobody watches.
    pub grace: Duration,
    /// How long a finished run is kept for those who come late; with zero they start another one.
    pub keep: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            runs_max: 1_000,
            text_bytes_max: 1_048_576,
            run_max: Duration::from_secs(600),
            grace: Duration::from_secs(10),
            keep: Duration::ZERO,
        }
    }
}

/// What a watcher's endpoint streams: the text is asked for if no run of the channel is there yet.
#[derive(Clone)]
pub struct Opening {
    /// Who is asked.
    pub source: Arc<dyn TextSource>,
    /// The JSON body of the request.
    pub request: Value,
    /// The watcher's codec class.
    pub class: Class,
    /// How frames of that class look. The first form of a class is kept as long as the run is.
    pub form: Arc<dyn StreamForm>,
}

/// Why a watcher was not let in. It got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchRefused {
    /// There are as many runs as there may be.
    #[error("too many texts are being streamed")]
    Full,
    /// The server stops.
    #[error("no more streams are started")]
    Stopping,
    /// The session is closing, or watches this channel already.
    #[error(transparent)]
    Session(#[from] SubscribeError),
}

/// What runs have come to since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Requests made to sources.
    pub started: u64,
    /// Texts that became whole.
    pub completed: u64,
    /// Texts that did not, by a fault or a limit.
    pub failed: u64,
    /// Runs that nobody watched any more, or that the server's stop ended.
    pub cancelled: u64,
}

/// All runs. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

/// What runs share.
///
/// A run's lock is taken before that of the list, and both before any lock of the hub.
pub(crate) struct Shared {
    registrar: Registrar,
    limits: StreamLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
    runs: Mutex<HashMap<ChannelName, Arc<Run>>>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    started: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
}

impl Streams {
    /// No runs yet; those to come publish through `registrar`, each from a task of `tasks` that `stop` ends.
    ///
    /// `stop` is for when the sockets have been closed: a watcher of a run that it ends is told nothing.
    #[must_use]
    pub fn new(registrar: Registrar, limits: StreamLimits, tasks: TaskTracker, stop: CancellationToken) -> Self {
        let (runs, counters) = (Mutex::default(), Counters::default());
        Self(Arc::new(Shared { registrar, limits, tasks, stop, runs, counters }))
    }

    /// Lets `session` watch the run of the permit's channel, which is started if there is none.
    ///
    /// `queue` sends a frame to this session alone, behind what waits for it; it is given the text so far.
    /// The run is locked meanwhile: `queue` may call the hub, but must not wait.
    /// The session's outbox and the hub's channel end with [`COMPLETED`] or [`UPSTREAM_FAILED`].
    ///
    /// # Errors
    ///
    /// [`WatchRefused`]; nothing was queued then, and no source was asked.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn watch(
        &self,
        permit: Permit,
        session: &Session,
        opening: Opening,
        queue: &mut dyn FnMut(Bytes),
    ) -> Result<Watch, WatchRefused> {
        if self.0.stop.is_cancelled() {
            return Err(WatchRefused::Stopping);
        }
        loop {
            let run = self.0.find_or_make(permit.channel())?;
            // A run that was retired in between is off the list, so this looks for another one.
            if let Some(joined) = run.join(&permit, session, &opening, queue) {
                return joined;
            }
        }
    }

    /// Runs that are there, those that are finished and kept included.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.0.runs.lock().len()
    }

    /// What runs have come to.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        let Counters { started, completed, failed, cancelled } = &self.0.counters;
        StreamCounts {
            started: started.load(Relaxed),
            completed: completed.load(Relaxed),
            failed: failed.load(Relaxed),
            cancelled: cancelled.load(Relaxed),
        }
    }
}

impl Shared {
    fn find_or_make(self: &Arc<Self>, channel: &ChannelName) -> Result<Arc<Run>, WatchRefused> {
        let mut runs = self.runs.lock();
        if let Some(run) = runs.get(channel) {
            return Ok(Arc::clone(run));
        }
        if runs.len() >= self.limits.runs_max {
            return Err(WatchRefused::Full);
        }
        let run = Arc::new(Run::new(Arc::clone(self), channel.clone()));
        runs.insert(channel.clone(), Arc::clone(&run));
        Ok(run)
    }
}
