//! The broker of a single machine: offsets in memory, delivery straight into the hub.
//!
//! **Invariant:** assigning an offset and appending to the hub happen under one lock per channel,
//! so offsets rise in the order in which subscribers see the frames.
//!
//! **Absent on purpose:** history. A channel that nobody watches keeps nothing; its next subscriber starts a new count.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;
use lychgate_hub::{Class, Encode, Registrar};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::encode;
use parking_lot::Mutex;

use crate::ports::broker::{Broker, BrokerError, Publication, Published};

/// How many locks the channels are spread over.
const STRIPES: usize = 64;

/// The codec class of plain endpoints: each publication is one WebSocket text frame that holds the payload as it is.
pub const CLASS_TEXT: Class = Class(0);

/// Delivers to this process's hub and completes at once.
pub struct LocalBroker {
    registrar: Registrar,
    hasher: RandomState,
    /// The offset that each watched channel has reached.
    stripes: Box<[Mutex<HashMap<ChannelName, u64>>]>,
}

impl LocalBroker {
    /// A broker that publishes through `registrar`.
    #[must_use]
    pub fn new(registrar: Registrar) -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::new(HashMap::new())).collect();
        Self { registrar, hasher: RandomState::new(), stripes }
    }

    fn stripe(&self, channel: &ChannelName) -> &Mutex<HashMap<ChannelName, u64>> {
        let hash = self.hasher.hash_one(channel);
        &self.stripes[usize::try_from(hash % STRIPES as u64).unwrap_or(0)]
    }
}

impl Broker for LocalBroker {
    fn publish(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError> {
        let mut offsets = self.stripe(channel).lock();
        let offset = offsets.get(channel).map_or(1, |reached| reached + 1);
        let frame = TextFrame(publication.payload);
        let delivered = self.registrar.publish(channel, offset, &frame, publication.exclude);
        if delivered.sessions > 0 {
            match offsets.get_mut(channel) {
                Some(reached) => *reached = offset,
                None => {
                    offsets.insert(channel.clone(), offset);
                }
            }
        }
        Ok(Published { offset, sessions: delivered.sessions })
    }

    fn vacated(&self, channel: &ChannelName) {
        let mut offsets = self.stripe(channel).lock();
        // Asked again under the lock: somebody may have subscribed and published since.
        if self.registrar.members(channel) == 0 {
            offsets.remove(channel);
        }
    }
}

/// A payload that knows how it looks on the wire in each codec class.
struct TextFrame<'a>(&'a [u8]);

impl Encode for TextFrame<'_> {
    fn encode(&self, _class: Class, _offset: u64, out: &mut Vec<u8>) {
        encode::text(self.0, out);
    }
}
