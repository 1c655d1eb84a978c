//! Entering and leaving a channel.

use std::sync::Arc;

use lychgate_hub::{Class, Registrar, Session, SubscribeError};
use lychgate_protocol::channel::ChannelName;

use crate::policy::Permit;
use crate::ports::broker::Broker;

/// Puts sessions into channels. Shared by all endpoints; cheap to clone.
#[derive(Clone)]
pub struct Subscriptions {
    registrar: Registrar,
    broker: Arc<dyn Broker>,
}

/// A session's place in a channel, with the permit that it rests on.
#[derive(Debug)]
#[must_use = "a subscription that is dropped without `leave` stays until its session closes"]
pub struct Subscription {
    permit: Permit,
    inner: lychgate_hub::Subscription,
}

impl Subscription {
    /// What it rests on.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }
}

impl Subscriptions {
    /// Subscriptions in the hub of `registrar`, whose channels `broker` feeds.
    #[must_use]
    pub fn new(registrar: Registrar, broker: Arc<dyn Broker>) -> Self {
        Self { registrar, broker }
    }

    /// Puts `session` into the permit's channel. It receives what is published from now on, in the form of `class`.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the session is closing or is there already.
    pub fn enter(&self, permit: Permit, session: &Session, class: Class) -> Result<Subscription, SubscribeError> {
        let inner = self.registrar.subscribe(session, permit.channel(), class)?;
        Ok(Subscription { permit, inner })
    }

    /// How many sessions are in `channel`.
    #[must_use]
    pub fn members(&self, channel: &ChannelName) -> usize {
        self.registrar.members(channel)
    }

    /// Takes the session out again. What was published before is still delivered; nothing after.
    pub fn leave(&self, subscription: Subscription) {
        let Subscription { permit, inner } = subscription;
        let _ = self.registrar.unsubscribe(inner);
        if self.registrar.members(permit.channel()) == 0 {
            self.broker.vacated(permit.channel());
        }
    }
}
