//! What the application is told of: who came and went, and which channels have somebody in them.
//!
//! Whatever happens takes its place in a queue in memory. One writer stores what waits there, many events in one commit;
//! one courier for each source tells the application what is stored, the oldest first, until it has taken it.
//!
//! **Invariant:** the order of the queue is the order of what happened, and everything behind it keeps that order. The
//! store says what the application takes for open, in the commit that stores the event. So a crash leaves nothing open
//! for ever: the next process closes what the last one has left.
//!
//! Where there is no room, events are lost, and the application is told how many. It then forgets what it held as open,
//! and is told what is.
//!
//! **Absent on purpose:** anybody who waits. A connection leaves a note and goes on.

mod attendance;
mod bodies;
mod courier;
mod figures;
mod queue;
mod start;
mod witness;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use lychgate_protocol::channel::ChannelName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use attendance::{Attendance, Ended, Sessions};
pub use figures::{EventFigures, EventsKept};
pub use witness::ChannelWitness;

use self::courier::Courier;
use self::figures::Figures;
use self::queue::Queue;
use self::writer::Writer;
use crate::ports::StoreError;
use crate::ports::application::Application;
use crate::ports::clock::{Clock, UnixMicros};
use crate::ports::events::Events;

/// How much may wait, and how it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// Events in memory that wait to be stored; more are lost.
    pub queue_max: usize,
    /// Stored events that wait to be told to one source; more are lost, beside what has to be told again after a loss.
    pub waiting_max: u64,
    /// Events of one call.
    pub batch_max: u32,
    /// The longest pause between two tries.
    pub retry_max: Duration,
}

/// Who is told.
#[derive(Clone)]
pub struct EventSource {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// How it is called.
    pub application: Arc<dyn Application>,
}

/// What an outbox rests on.
#[derive(Clone)]
pub struct OutboxParts {
    /// Who is told.
    pub sources: Vec<EventSource>,
    /// Where events are kept.
    pub events: Arc<dyn Events>,
    /// When something happened.
    pub clock: Arc<dyn Clock>,
    /// How much may wait.
    pub limits: EventLimits,
}

/// Events on their way to the application. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    queue: Queue,
    figures: Arc<[Figures]>,
    clock: Arc<dyn Clock>,
}

/// A source by its place among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceIndex(usize);

/// Something that happened, on its way to one source.
struct Item {
    source: usize,
    at: UnixMicros,
    happened: Happened,
}

/// What happened.
#[derive(Clone)]
enum Happened {
    Connected(Arc<attendance::Attendee>),
    Disconnected(Arc<attendance::Attendee>, Ended),
    Occupied(ChannelName, Arc<str>),
    Emptied(ChannelName, Arc<str>),
}

impl Outbox {
    /// Closes what the process before has left open, then starts the writer and the couriers as children of `tasks`.
    /// With `stop`, what waits in memory is still stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when what was left cannot be read or closed.
    pub async fn start(parts: OutboxParts, tasks: &TaskTracker, stop: &CancellationToken) -> Result<Self, StoreError> {
        let OutboxParts { sources, events, clock, limits } = parts;
        let names: Vec<Arc<str>> = sources.iter().map(|source| Arc::clone(&source.name)).collect();
        let figures: Arc<[Figures]> = names.iter().map(|name| Figures::new(Arc::clone(name))).collect();
        let mut lost = Vec::new();
        for (name, figures) in names.iter().zip(&*figures) {
            let closed = start::close_what_was_left(&*events, name, clock.now()).await?;
            let waiting = events.waiting(name).await?;
            figures.begin(closed, waiting.events);
            lost.push(waiting.lost);
        }
        let queue = Queue::new(limits.queue_max, Arc::clone(&figures), &lost);
        let shared = Arc::new(Shared { queue, figures, clock: Arc::clone(&clock) });
        let writer = Writer::new(Arc::clone(&shared), names, Arc::clone(&events), limits, lost);
        tasks.spawn(writer.run(stop.clone()));
        for (index, source) in sources.into_iter().enumerate() {
            let courier = Courier::new(Arc::clone(&shared), index, source, Arc::clone(&events), limits);
            tasks.spawn(courier.run(stop.clone()));
        }
        Ok(Self(shared))
    }

    /// The source of this name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<SourceIndex> {
        self.0.figures.iter().position(|figures| *figures.name == *name).map(SourceIndex)
    }

    /// What has become of events so far, source by source.
    #[must_use]
    pub fn figures(&self) -> Vec<EventFigures> {
        let now = self.0.clock.now();
        self.0.figures.iter().map(|figures| figures.read(now)).collect()
    }

    fn push(&self, source: usize, happened: Happened) {
        self.0.queue.push(source, &*self.0.clock, happened);
    }
}
