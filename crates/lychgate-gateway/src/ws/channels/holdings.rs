//! The channels that one client holds.
//!
//! A list in the order of their names: what a client holds is counted by the hundred and looked up by one comparison for
//! each halving, and a list has no empty places between them. With 128 channels on each of very many connections that is
//! what counts. Each is boxed: a long list that has outgrown its place leaves a hole that nothing else may fit.
//!
//! **Invariant:** no channel stands in it twice.

use lychgate_protocol::channel::ChannelName;
use lychgate_service::channels::Entrance;
use lychgate_service::subscribe::Subscription;

use crate::ticks::Ticks;

/// One channel that a client holds.
pub(super) struct Held {
    pub(super) entrance: Entrance,
    /// Taken out when it is left.
    pub(super) subscription: Option<Subscription>,
    /// Whether the server made it.
    pub(super) by_server: bool,
    /// When its right has to be looked at next.
    pub(super) asks_at: Ticks,
}

impl Held {
    /// Which channel.
    pub(super) fn channel(&self) -> &ChannelName {
        self.entrance.permit.channel()
    }
}

/// All that a client holds.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "measured: without the boxes a list that has grown costs a third more")]
pub(super) struct Holdings(Vec<Box<Held>>);

impl Holdings {
    /// How many channels.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `channel` is held.
    pub(super) fn contains(&self, channel: &str) -> bool {
        self.find(channel).is_ok()
    }

    /// What is held of `channel`.
    pub(super) fn get(&self, channel: &str) -> Option<&Held> {
        self.find(channel).ok().map(|place| &*self.0[place])
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, channel: &str) -> Option<&mut Held> {
        self.find(channel).ok().map(|place| &mut *self.0[place])
    }

    /// Adds a channel that is not held.
    pub(super) fn insert(&mut self, held: Held) {
        match self.find(held.channel()) {
            Ok(place) => *self.0[place] = held,
            Err(place) => {
                if self.0.is_empty() {
                    // Most hold one.
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, Box::new(held));
            }
        }
    }

    /// Takes a channel out.
    pub(super) fn remove(&mut self, channel: &str) -> Option<Held> {
        let held = self.find(channel).ok().map(|place| self.0.remove(place))?;
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(*held)
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.0.iter().map(|held| &**held)
    }

    /// Each of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.iter_mut().map(|held| &mut **held)
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Held> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|held| *held)
    }

    /// The place of `channel`, or where it belongs.
    fn find(&self, channel: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|held| str::cmp(held.channel(), channel))
    }
}

#[cfg(test)]
mod tests {
    use super::Held;

    /// 128 channels on each of very many connections are as many of these.
    #[test]
    fn what_is_held_stays_small() {
        let bytes = size_of::<Held>();
        assert!(bytes <= 104, "a channel that is held takes {bytes} bytes");
    }
}
