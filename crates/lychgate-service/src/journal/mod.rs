//! Channels whose publications are stored before anybody sees them.
//!
//! It stands in front of the [`LocalBroker`]. What is published to a durable channel waits in a queue for one writer, which
//! gives it its place, commits many at once, and then has the local broker keep it and hand it out. What is read is read
//! from the local broker's memory, which is filled from the store at start.
//!
//! **Invariant:** the writer alone publishes to durable channels, in the order of the queue. What a subscriber sees, and
//! what a publisher was told of, is stored at that place; a place that a stored publication has is never given to another.
//!
//! **Absent on purpose:** reading the store while the server runs.

mod restore;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use lychgate_hub::SessionId;
use lychgate_protocol::channel::ChannelName;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::writer::Writer;
use crate::local_broker::LocalBroker;
use crate::ports::StoreError;
use crate::ports::broker::{
    Author, Broker, BrokerError, Entry, Happening, HistoryPage, HistoryQuery, HistoryRefused, KeptAuthor, KeptVersion,
    Place, Publication, Published, Retains, Tags, Version,
};
use crate::ports::clock::Clock;
use crate::ports::publications::Publications;

/// Publications that wait to be stored; more are refused.
const QUEUE_MAX: usize = 1_024;

/// What a journal rests on.
#[derive(Clone)]
pub struct JournalParts {
    /// Where publications go that are stored, or need not be.
    pub local: Arc<LocalBroker>,
    /// Where they are stored.
    pub publications: Arc<dyn Publications>,
    /// Which channels are durable.
    pub rules: Arc<dyn Retains>,
    /// By which it is known how old something is that another process stored.
    pub clock: Arc<dyn Clock>,
}

/// The broker of a server with durable channels.
pub struct Journal {
    local: Arc<LocalBroker>,
    rules: Arc<dyn Retains>,
    jobs: mpsc::Sender<Job>,
}

/// What the writer does, in its order.
enum Job {
    Publish(Queued),
    Forget { channel: ChannelName, done: oneshot::Sender<Result<(), BrokerError>> },
}

/// A publication that waits.
struct Queued {
    channel: ChannelName,
    payload: Box<[u8]>,
    exclude: Option<SessionId>,
    author: Option<Box<KeptAuthor>>,
    is_transient: bool,
    tags: Tags,
    version: Option<KeptVersion>,
    /// Who waits for it, if anybody does.
    done: Option<oneshot::Sender<Result<Published, BrokerError>>>,
}

impl Journal {
    /// Brings back what was stored, then starts the writer as a child of `tasks`.
    /// It stops with `stop`, after what waits then; what comes later is refused.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when what was stored cannot be read.
    pub async fn start(parts: JournalParts, tasks: &TaskTracker, stop: CancellationToken) -> Result<Self, StoreError> {
        restore::restore(&parts).await?;
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        let (local, rules) = (Arc::clone(&parts.local), Arc::clone(&parts.rules));
        tasks.spawn(Writer::new(parts).run(waiting, stop));
        Ok(Self { local, rules, jobs })
    }

    fn is_durable(&self, channel: &ChannelName) -> bool {
        self.rules.retention(channel).is_some_and(|retention| retention.is_durable)
    }

    fn enqueue(
        &self,
        channel: &ChannelName,
        publication: Publication<'_>,
        done: Option<oneshot::Sender<Result<Published, BrokerError>>>,
    ) -> Result<(), BrokerError> {
        let job = Job::Publish(Queued {
            channel: channel.clone(),
            payload: publication.payload.into(),
            exclude: publication.exclude,
            author: publication.author.map(|author: Author<'_>| Box::new(KeptAuthor::of(author))),
            is_transient: publication.transient,
            tags: publication.tags.cloned().unwrap_or_default(),
            version: publication.version.map(|Version { number, epoch }| KeptVersion { number, epoch: epoch.into() }),
            done,
        });
        self.jobs.try_send(job).map_err(|_| BrokerError::Unavailable)
    }
}

#[async_trait]
impl Broker for Journal {
    /// What is durable gets its place later, and whoever does not wait for that is not told if it cannot be stored.
    fn publish(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError> {
        if !self.is_durable(channel) {
            return self.local.publish(channel, publication);
        }
        self.enqueue(channel, publication, None)?;
        Ok(Published { offset: 0, epoch: None, sessions: 0 })
    }

    async fn commit(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError> {
        if !self.is_durable(channel) {
            return self.local.publish(channel, publication);
        }
        let (done, published) = oneshot::channel();
        self.enqueue(channel, publication, Some(done))?;
        published.await.unwrap_or(Err(BrokerError::Unavailable))
    }

    fn enter_all(&self, places: &[Place<'_>], limit: usize, enter: &mut dyn FnMut(&[Entry<'_>])) {
        self.local.enter_all(places, limit, enter);
    }

    fn history(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> Result<HistoryPage, HistoryRefused> {
        self.local.history(channel, query)
    }

    fn tell(&self, channel: &ChannelName, happening: Happening<'_>) {
        self.local.tell(channel, happening);
    }

    async fn forget(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        if !self.is_durable(channel) {
            return self.local.forget(channel).await;
        }
        let (done, forgotten) = oneshot::channel();
        let job = Job::Forget { channel: channel.clone(), done };
        self.jobs.try_send(job).map_err(|_| BrokerError::Unavailable)?;
        forgotten.await.unwrap_or(Err(BrokerError::Unavailable))
    }

    fn vacated(&self, channel: &ChannelName) {
        self.local.vacated(channel);
    }
}
