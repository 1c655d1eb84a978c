//! The capability to decide who receives: subscribe, publish, revoke, end.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use lychgate_protocol::channel::ChannelName;

use crate::channel::{Channel, ChannelState};
use crate::distribution::Distribution;
use crate::encode::{Class, Encode};
use crate::hub::Core;
use crate::session::{Membership, Session, SessionId};
use crate::sink::{EndCode, Farewell};

/// Puts sessions into channels and publishes to them.
#[derive(Clone)]
pub struct Registrar(Arc<Core>);

/// The membership of one session in one channel.
///
/// Dropping it changes nothing: it ends by [`Registrar::unsubscribe`], by [`Registrar::revoke`],
/// or with its session or channel.
#[derive(Debug)]
#[must_use = "a membership ends by unsubscribe, not by being dropped"]
pub struct Subscription {
    session: Session,
    channel: ChannelName,
    number: u32,
    class: Class,
}

/// Why a session could not join a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// It is in the channel, whatever the class.
    #[error("the session is subscribed to this channel already")]
    Already,
    /// It takes no frames any more.
    #[error("the session is finished")]
    Finished,
}

/// What a publication reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Sessions whose outbox it will enter; an excluded session is taken to be a member and not counted.
    pub sessions: usize,
}

/// What the end of a membership left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The membership was there until this call.
    pub was_member: bool,
    /// Nobody is in the channel now.
    pub channel_vacated: bool,
}

impl Registrar {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Puts `session` into `channel`: it receives what is published from now on, encoded for `class`.
    ///
    /// What is pending is handed out to the earlier members first.
    ///
    /// # Errors
    ///
    /// Refuses a session that is in the channel, and one that takes no frames any more.
    pub fn subscribe(
        &self,
        session: &Session,
        channel: &ChannelName,
        class: Class,
    ) -> Result<Subscription, SubscribeError> {
        let mut distribution = Distribution::new(&self.0);
        let number = loop {
            let found = self.0.find_or_make_channel(channel);
            let mut state = found.state.lock();
            if state.retired {
                continue;
            }
            found.seal(&mut state, &mut distribution);
            let joined = self.join(session, &found, &mut state, class);
            self.0.tell_if_occupied(&found, &mut state);
            self.0.retire_if_vacant(&found, &mut state);
            break joined;
        };
        Ok(Subscription { session: session.clone(), channel: channel.clone(), number: number?, class })
    }

    /// Ends a membership: nothing published from now on reaches the session through it.
    ///
    /// What was published before is still delivered.
    /// A membership that ended otherwise is left as it is.
    pub fn unsubscribe(&self, subscription: Subscription) -> Left {
        let Subscription { session, channel, number, .. } = subscription;
        self.end(&session, &channel, Some(number))
    }

    /// Takes `session` out of `channel`, whoever holds the [`Subscription`].
    ///
    /// When it returns, nothing published from now on reaches the session through this channel,
    /// until it is subscribed again.
    pub fn revoke(&self, session: &Session, channel: &ChannelName) -> Left {
        self.end(session, channel, None)
    }

    /// Publishes one frame to all members of `channel` but the excluded session.
    ///
    /// `frame` is encoded once per class that has members, and not at all for a channel without any.
    /// Frames published by several threads at once are ordered by who gets the channel first;
    /// a caller that assigns offsets does that and this call in one critical section of its own.
    ///
    /// # Panics
    ///
    /// Panics if the encoded frame has 4 GiB or more.
    pub fn publish(
        &self,
        channel: &ChannelName,
        offset: u64,
        frame: &dyn Encode,
        exclude: Option<SessionId>,
    ) -> Delivered {
        let mut distribution = Distribution::new(&self.0);
        let members = self.with_channel(channel, |found, state| {
            if !state.is_vacant() {
                if !std::mem::replace(&mut state.dirty, true) {
                    distribution.dirty = Some(Arc::clone(found));
                }
                let bytes = found.append(state, offset, frame, exclude, self.0.batch_bytes_max, &mut distribution);
                self.0.counters.published(bytes);
            }
            state.members()
        });
        Delivered { sessions: members.unwrap_or(0).saturating_sub(usize::from(exclude.is_some())) }
    }

    /// Ends `channel` and every session in it; returns how many were in it.
    ///
    /// Each of them receives what was published before, then the last frame that its own sink words, and nothing more.
    /// To those who publish, join or leave, the end is one step: whoever joins after it finds a channel without members.
    /// A member of other channels leaves those as well, and is owed what was published to them until then.
    pub fn end_channel(&self, channel: &ChannelName, code: EndCode) -> usize {
        let mut distribution = Distribution::new(&self.0);
        let ended = self.with_channel(channel, |found, state| {
            found.seal(state, &mut distribution);
            self.0.evict_all(found, state)
        });
        let ended = ended.unwrap_or_default();
        // Two channels are never locked together, so the other ones follow. No member can join any meanwhile,
        // and none has its last frame before it has what they owe it.
        for session in &ended {
            self.0.seal_and_leave_all(session, &mut distribution);
            distribution.push_farewell(session, Farewell::Ended(code));
        }
        ended.len()
    }

    /// Makes the members of class `from` members of class `into`: what is published from now on is encoded for that.
    ///
    /// What is pending is handed out in the old form first. Without members of `from` nothing happens.
    pub fn convert(&self, channel: &ChannelName, from: Class, into: Class) {
        let mut distribution = Distribution::new(&self.0);
        self.with_channel(channel, |found, state| {
            if from == into || !state.has_class(from) {
                return;
            }
            found.seal(state, &mut distribution);
            for (session, key) in state.convert(from, into) {
                let mut memberships = session.memberships().lock();
                if let Some(position) = memberships.position(found) {
                    let membership = &mut memberships.list[position];
                    (membership.class, membership.key) = (into, key);
                }
            }
        });
    }

    /// Every channel that has members, and how many, in no order.
    pub fn channels(&self) -> Vec<(ChannelName, usize)> {
        let all = self.0.directory.list();
        all.into_iter().map(|channel| (channel.name.clone(), channel.state.lock().members())).collect()
    }

    /// Number of sessions in `channel`.
    pub fn members(&self, channel: &ChannelName) -> usize {
        self.with_channel(channel, |_, state| state.members()).unwrap_or(0)
    }

    /// Adds `session` to a locked channel, unless it is in it or ends; returns the number of the membership.
    fn join(
        &self,
        session: &Session,
        channel: &Arc<Channel>,
        state: &mut ChannelState,
        class: Class,
    ) -> Result<u32, SubscribeError> {
        let finished = session.is_finished();
        let mut memberships = session.memberships().lock();
        if finished || memberships.closed {
            return Err(SubscribeError::Finished);
        }
        if memberships.position(channel).is_some() {
            return Err(SubscribeError::Already);
        }
        let number = memberships.next_number();
        let key = state.insert(session.clone(), class);
        memberships.list.push(Membership { channel: Arc::clone(channel), key, number, class });
        self.0.counters.subscriptions.fetch_add(1, Relaxed);
        Ok(number)
    }

    fn end(&self, session: &Session, channel: &ChannelName, number: Option<u32>) -> Left {
        let mut distribution = Distribution::new(&self.0);
        let was_member = self.with_channel(channel, |found, state| {
            found.seal(state, &mut distribution);
            self.0.leave(session, found, state, number)
        });
        // Handing out the last batch may have closed the other members as slow.
        drop(distribution);
        Left { was_member: was_member.unwrap_or(false), channel_vacated: self.members(channel) == 0 }
    }

    /// Runs `act` with the locked channel of that name; nothing if it has no members.
    fn with_channel<T>(
        &self,
        channel: &ChannelName,
        act: impl FnOnce(&Arc<Channel>, &mut ChannelState) -> T,
    ) -> Option<T> {
        loop {
            let found = self.0.directory.find(channel)?;
            let mut state = found.state.lock();
            if !state.retired {
                return Some(act(&found, &mut state));
            }
        }
    }
}

impl Subscription {
    /// The session that receives.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The channel it receives from.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The class it began to receive in; [`Registrar::convert`] may have changed it since.
    pub fn class(&self) -> Class {
        self.class
    }
}
