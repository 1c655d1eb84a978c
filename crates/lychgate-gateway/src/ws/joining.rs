//! Entering a channel at a moment that somebody else chooses, who may choose it when the connection is gone.
//!
//! **Invariant:** a subscription that was made is taken by the connection, or is left: whoever waits for it and goes away
//! leaves nothing in the channel.

use std::mem::replace;
use std::sync::Arc;

use bytes::Bytes;
use lychgate_hub::{Drain, Session};
use lychgate_protocol::ws::encode;
use lychgate_service::local_broker::CLASS_TEXT;
use lychgate_service::policy::Permit;
use lychgate_service::subscribe::{Subscription, Subscriptions};
use parking_lot::Mutex;

/// One who waits to be entered.
pub(super) struct Joining {
    subscriptions: Subscriptions,
    place: Arc<Mutex<Place>>,
}

enum Place {
    Awaited,
    Taken(Subscription),
    /// Nobody waits any more.
    GivenUp,
}

impl Joining {
    pub(super) fn new(subscriptions: Subscriptions) -> Self {
        Self { subscriptions, place: Arc::new(Mutex::new(Place::Awaited)) }
    }

    /// What is to be called with the history at the right moment: it queues that, and subscribes.
    pub(super) fn entrance(
        &self,
        permit: Permit,
        session: Session,
        drain: Drain,
    ) -> Box<dyn FnOnce(Vec<String>) + Send> {
        let (subscriptions, place) = (self.subscriptions.clone(), Arc::clone(&self.place));
        Box::new(move |history| {
            let mut place = place.lock();
            if matches!(*place, Place::GivenUp) {
                return;
            }
            let mut frames = Vec::new();
            history.iter().for_each(|message| encode::text(message.as_bytes(), &mut frames));
            // Before the subscription: what is published from then on comes behind it.
            let _ = drain.send(&session, Bytes::from(frames));
            if let Ok(subscription) = subscriptions.enter(permit, &session, CLASS_TEXT) {
                *place = Place::Taken(subscription);
            }
        })
    }

    /// What came of it.
    pub(super) fn taken(self) -> Option<Subscription> {
        self.give_up()
    }

    fn give_up(&self) -> Option<Subscription> {
        match replace(&mut *self.place.lock(), Place::GivenUp) {
            Place::Taken(subscription) => Some(subscription),
            Place::Awaited | Place::GivenUp => None,
        }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        if let Some(subscription) = self.give_up() {
            self.subscriptions.leave(subscription);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use async_trait::async_trait;
    use lychgate_hub::{Farewell, Hub, HubConfig, OutboxLimits, Sink, Written};
    use lychgate_protocol::channel::ChannelName;
    use lychgate_service::grants::Grants;
    use lychgate_service::policy::{Access, Parameters, Policy};
    use lychgate_service::ports::broker::{
        Broker, BrokerError, Entry as BrokerEntry, Happening, HistoryPage, HistoryQuery, HistoryRefused,
        Place as BrokerPlace, Publication, Published,
    };
    use lychgate_service::principal::Principal;

    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        fn write(&self, _: &[IoSlice<'_>]) -> Written {
            Written::Blocked
        }

        fn farewell(&self, _: Farewell) -> Bytes {
            Bytes::new()
        }

        fn finished(&self) {}
    }

    /// Remembers which channels were said to be empty.
    #[derive(Default)]
    struct Vacated(Mutex<Vec<String>>);

    #[async_trait]
    impl Broker for Vacated {
        fn publish(&self, _: &ChannelName, _: Publication<'_>) -> Result<Published, BrokerError> {
            Ok(Published { offset: 1, epoch: None, sessions: 0 })
        }

        fn enter_all(&self, places: &[BrokerPlace<'_>], _: usize, enter: &mut dyn FnMut(&[BrokerEntry<'_>])) {
            enter(&vec![BrokerEntry { top: None, recovered: None, missed: &[] }; places.len()]);
        }

        fn history(&self, _: &ChannelName, _: HistoryQuery<'_>) -> Result<HistoryPage, HistoryRefused> {
            Err(HistoryRefused::NotKept)
        }

        fn tell(&self, _: &ChannelName, _: Happening<'_>) {}

        async fn forget(&self, _: &ChannelName) -> Result<(), BrokerError> {
            Ok(())
        }

        fn vacated(&self, channel: &ChannelName) {
            self.0.lock().push(channel.to_string());
        }
    }

    struct World {
        vacated: Arc<Vacated>,
        subscriptions: Subscriptions,
        session: Session,
        drain: Drain,
        permit: Permit,
    }

    async fn world() -> World {
        let (registrar, drain) = Hub::new(HubConfig { shards: 1, ..HubConfig::default() });
        let vacated = Arc::new(Vacated::default());
        let session = drain.open(OutboxLimits::default(), Arc::new(Nowhere));
        let policy = Policy::new(ChannelName::new("chat:5").expect("a name"), Access::Any);
        let ann = Principal::from_verified_subject("ann", None);
        let permit = policy.permit(ann, Parameters::default(), &Grants::default()).await.expect("everybody may");
        let subscriptions = Subscriptions::new(registrar, Arc::clone(&vacated) as Arc<dyn Broker>);
        World { vacated, subscriptions, session, drain, permit }
    }

    #[tokio::test]
    async fn whoever_goes_before_taking_the_place_leaves_the_channel() {
        let World { vacated, subscriptions, session, drain, permit } = world().await;
        let joining = Joining::new(subscriptions.clone());
        let enter = joining.entrance(permit.clone(), session.clone(), drain.clone());
        enter(Vec::new());
        drop(joining);
        assert_eq!(*vacated.0.lock(), ["chat:5"]);

        let joining = Joining::new(subscriptions.clone());
        let enter = joining.entrance(permit.clone(), session.clone(), drain.clone());
        drop(joining);
        enter(Vec::new());
        assert_eq!(vacated.0.lock().len(), 1, "nobody entered who could leave");

        let joining = Joining::new(subscriptions.clone());
        joining.entrance(permit, session, drain)(Vec::new());
        let taken = joining.taken().expect("the connection has it");
        assert_eq!(vacated.0.lock().len(), 1, "what was taken stays");
        subscriptions.leave(taken);
        assert_eq!(vacated.0.lock().len(), 2);
    }
}
