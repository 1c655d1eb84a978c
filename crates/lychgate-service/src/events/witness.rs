//! Which channels have somebody in them, as the hub says it.

use std::sync::Arc;

use hashbrown::HashMap;
use lychgate_hub::Witness;
use lychgate_protocol::channel::ChannelName;

use super::{Happened, Outbox, SourceIndex};
use crate::channels::Namespaces;

/// Tells of the channels of some namespaces.
pub struct ChannelWitness {
    namespaces: Namespaces,
    /// Who is told, by the namespace's name.
    told: HashMap<Box<str>, (SourceIndex, Arc<str>)>,
    outbox: Outbox,
}

impl ChannelWitness {
    /// A witness for the channels of `namespaces` whose names are in `told`, each with the source that is told.
    #[must_use]
    pub fn new(outbox: Outbox, namespaces: Namespaces, told: &[(&str, SourceIndex)]) -> Self {
        let told = told.iter().map(|(name, source)| ((*name).into(), (*source, (*name).into()))).collect();
        Self { namespaces, told, outbox }
    }

    fn tell(&self, channel: &ChannelName, happened: fn(ChannelName, Arc<str>) -> Happened) {
        let Some((namespace, Some(_))) = self.namespaces.read(channel) else { return };
        if let Some((source, name)) = self.told.get(&namespace.name) {
            self.outbox.push(source.0, happened(channel.clone(), Arc::clone(name)));
        }
    }
}

impl Witness for ChannelWitness {
    fn occupied(&self, channel: &ChannelName) {
        self.tell(channel, Happened::Occupied);
    }

    fn vacated(&self, channel: &ChannelName) {
        self.tell(channel, Happened::Emptied);
    }
}
