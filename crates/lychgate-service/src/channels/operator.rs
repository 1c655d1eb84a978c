//! What a program of the application may do in channels. Its key is checked elsewhere; no policy is asked about it.
//!
//! **Invariant:** a channel without a namespace does not exist for the application either.

use std::sync::Arc;

use lychgate_hub::Registrar;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::access::ChannelAccess;
use super::namespace::Namespace;
use super::remembered::Remembered;
use super::roster::{Occupancy, Roster};
use crate::grants;
use crate::ports::broker::{
    Broker, BrokerError, HistoryPage, HistoryQuery, HistoryRefused, KeptAuthor, Publication, Published, Tags, Version,
};

/// Does what the application asks for. Shared by all requests.
pub struct Operator {
    access: Arc<ChannelAccess>,
    broker: Arc<dyn Broker>,
    roster: Arc<Roster>,
    registrar: Registrar,
    remembered: Mutex<Remembered>,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no namespace for the channel.
    #[error("there is no namespace for this channel")]
    Unknown,
    /// The name is no channel's name, or not of its namespace's form.
    #[error("this is no name of a channel of that namespace")]
    BadName,
    /// The namespace has none of it.
    #[error("the namespace does not keep this")]
    NotKept,
    /// A position belongs to another epoch.
    #[error("the position is from another epoch")]
    OtherEpoch,
    /// It may be tried again.
    #[error("this cannot be done at the moment")]
    Busy,
    /// The store failed; the log has the cause.
    #[error("this could not be stored")]
    NotStored,
}

impl From<BrokerError> for NotDone {
    fn from(fault: BrokerError) -> Self {
        match fault {
            BrokerError::Unavailable => Self::Busy,
            BrokerError::NotStored => Self::NotStored,
        }
    }
}

/// What the application publishes.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'a> {
    /// JSON text.
    pub payload: &'a [u8],
    /// Whether it is kept nowhere and has no place in the channel's order.
    pub transient: bool,
    /// By which the same request is known again.
    pub idempotency_key: Option<&'a str>,
    /// Its labels.
    pub tags: &'a Tags,
    /// By which it is known whether it comes too late.
    pub version: Option<Version<'a>>,
}

impl<'a> Posting<'a> {
    const fn publication(self) -> Publication<'a> {
        let Self { payload, transient, tags, version, .. } = self;
        Publication { transient, tags: Some(tags), version, ..Publication::of(payload) }
    }
}

impl Operator {
    /// Acts through these.
    #[must_use]
    pub fn new(access: Arc<ChannelAccess>, broker: Arc<dyn Broker>, roster: Arc<Roster>, registrar: Registrar) -> Self {
        Self { access, broker, roster, registrar, remembered: Mutex::default() }
    }

    /// Publishes to `channel`; a second time under the same key it gives what the first time came to.
    ///
    /// # Errors
    ///
    /// [`NotDone`], and then nobody received anything.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have published. With a key it is safe to ask again, while the first is under way, too.
    pub async fn publish(&self, channel: &str, posting: Posting<'_>) -> Result<Published, NotDone> {
        let (channel, _) = self.find(channel)?;
        let Some(key) = posting.idempotency_key else {
            return Ok(self.broker.commit(&channel, posting.publication()).await?);
        };
        let key = (channel.clone(), Box::from(key));
        let (id, published) = self.remembered.lock().once(key.clone(), Instant::now(), || {
            // It outlives this request, so that one that comes again finds what became of it.
            let (broker, payload) = (Arc::clone(&self.broker), Box::<[u8]>::from(posting.payload));
            let (transient, tags) = (posting.transient, posting.tags.clone());
            let version = posting.version.map(|Version { number, epoch }| (number, Box::<str>::from(epoch)));
            Box::pin(async move {
                let version = version.as_ref().map(|(number, epoch)| Version { number: *number, epoch });
                let posting = Posting { payload: &payload, transient, idempotency_key: None, tags: &tags, version };
                Ok(broker.commit(&channel, posting.publication()).await?)
            })
        });
        let published = published.await;
        if published.is_err() {
            self.remembered.lock().forget(&key, id);
        }
        published
    }

    /// Everybody in `channel`.
    ///
    /// # Errors
    ///
    /// [`NotDone`].
    pub fn presence(&self, channel: &str) -> Result<Vec<KeptAuthor>, NotDone> {
        Ok(self.roster.list(&self.with_presence(channel)?))
    }

    /// How many are in `channel`.
    ///
    /// # Errors
    ///
    /// [`NotDone`].
    pub fn occupancy(&self, channel: &str) -> Result<Occupancy, NotDone> {
        Ok(self.roster.occupancy(&self.with_presence(channel)?))
    }

    /// What `channel` keeps.
    ///
    /// # Errors
    ///
    /// [`NotDone`].
    pub fn history(&self, channel: &str, query: HistoryQuery<'_>) -> Result<HistoryPage, NotDone> {
        let (channel, _) = self.find(channel)?;
        self.broker.history(&channel, query).map_err(|refused| match refused {
            HistoryRefused::NotKept => NotDone::NotKept,
            HistoryRefused::OtherEpoch => NotDone::OtherEpoch,
        })
    }

    /// Forgets what `channel` keeps, and not where it stands.
    ///
    /// # Errors
    ///
    /// [`NotDone`].
    pub async fn forget(&self, channel: &str) -> Result<(), NotDone> {
        let (channel, namespace) = self.find(channel)?;
        if namespace.history.is_none() {
            return Err(NotDone::NotKept);
        }
        Ok(self.broker.forget(&channel).await?)
    }

    /// The channels of namespaces that somebody hears, and how many do; with a pattern, those that it matches.
    #[must_use]
    pub fn channels(&self, pattern: Option<&str>) -> Vec<(ChannelName, usize)> {
        let all = self.registrar.channels().into_iter();
        let listed = all.filter(|(name, _)| {
            pattern.is_none_or(|pattern| grants::matches(pattern, name)) && self.access.find(name).is_ok()
        });
        listed.collect()
    }

    /// The channel of this name with its namespace.
    ///
    /// # Errors
    ///
    /// [`NotDone`] when there is none.
    pub fn find(&self, channel: &str) -> Result<(ChannelName, Arc<Namespace>), NotDone> {
        let name = ChannelName::new(channel).map_err(|_| NotDone::BadName)?;
        let (namespace, parameters) = self.access.namespaces().read(channel).ok_or(NotDone::Unknown)?;
        parameters.ok_or(NotDone::BadName)?;
        Ok((name, Arc::clone(namespace)))
    }

    fn with_presence(&self, channel: &str) -> Result<ChannelName, NotDone> {
        let (channel, namespace) = self.find(channel)?;
        namespace.presence.map(|_| channel).ok_or(NotDone::NotKept)
    }
}
