//! Tickets, the registry and messages in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;

use super::memory::MemoryUsers;
use crate::ports::StoreError;
use crate::ports::messages::{
    AppendRefused, MessageId, Messages, NewMessage, REACTIONS_MAX, Reacted, Reaction, StoredMessage,
};
use crate::ports::registry::{Registry, Resource};
use crate::ports::tickets::{StoredTicket, Tickets};
use crate::ports::users::Users;

/// One-time tickets in memory.
#[derive(Default)]
pub struct MemoryTickets(Mutex<HashMap<[u8; 32], StoredTicket>>);

#[async_trait]
impl Tickets for MemoryTickets {
    async fn put(&self, ticket: &StoredTicket, now_s: u64) -> Result<(), StoreError> {
        let mut tickets = self.0.lock();
        tickets.retain(|_, ticket| ticket.expires_at_s > now_s);
        tickets.insert(ticket.hash, ticket.clone());
        Ok(())
    }

    async fn take(&self, hash: &[u8; 32], now_s: u64) -> Result<Option<String>, StoreError> {
        let taken = self.0.lock().remove(hash);
        Ok(taken.filter(|ticket| ticket.expires_at_s > now_s).map(|ticket| ticket.claims))
    }
}

/// Resources and members in memory.
#[derive(Default)]
pub struct MemoryRegistry(Mutex<BTreeMap<String, Registered>>);

#[derive(Default)]
struct Registered {
    owner: Option<String>,
    members: BTreeSet<String>,
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn put_resource(&self, resource: &Resource) -> Result<bool, StoreError> {
        let mut resources = self.0.lock();
        let is_new = !resources.contains_key(&resource.name);
        resources.entry(resource.name.clone()).or_default().owner.clone_from(&resource.owner);
        Ok(is_new)
    }

    async fn remove_resource(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().remove(name).is_some())
    }

    async fn find_resource(&self, name: &str) -> Result<Option<Resource>, StoreError> {
        let resources = self.0.lock();
        Ok(resources.get(name).map(|found| Resource { name: name.to_owned(), owner: found.owner.clone() }))
    }

    async fn list_resources(&self, after: &str, limit: u32) -> Result<Vec<Resource>, StoreError> {
        let resources = self.0.lock();
        let following = resources.iter().filter(|(name, _)| name.as_str() > after).take(limit as usize);
        Ok(following.map(|(name, found)| Resource { name: name.clone(), owner: found.owner.clone() }).collect())
    }

    async fn add_member(&self, resource: &str, user: &str) -> Result<Option<bool>, StoreError> {
        Ok(self.0.lock().get_mut(resource).map(|found| found.members.insert(user.to_owned())))
    }

    async fn remove_member(&self, resource: &str, user: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().get_mut(resource).is_some_and(|found| found.members.remove(user)))
    }

    async fn list_members(&self, resource: &str, after: &str, limit: u32) -> Result<Option<Vec<String>>, StoreError> {
        let resources = self.0.lock();
        let following = |found: &Registered| {
            found.members.iter().filter(|user| user.as_str() > after).take(limit as usize).cloned().collect()
        };
        Ok(resources.get(resource).map(following))
    }

    async fn is_member(&self, resource: &str, user: &str) -> Result<bool, StoreError> {
        Ok(self.0.lock().get(resource).is_some_and(|found| found.members.contains(user)))
    }
}

/// Messages in memory, whose authors are looked for among the given users.
pub struct MemoryMessages {
    users: Arc<MemoryUsers>,
    state: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last_id: i64,
    messages: Vec<StoredMessage>,
}

impl MemoryMessages {
    /// A store without messages.
    #[must_use]
    pub fn new(users: Arc<MemoryUsers>) -> Self {
        Self { users, state: Mutex::default() }
    }

    fn change(
        &self,
        channel: &ChannelName,
        message: MessageId,
        change: impl FnOnce(&mut Vec<Reaction>) -> Reacted,
    ) -> Reacted {
        let mut state = self.state.lock();
        let is_wanted = |stored: &&mut StoredMessage| stored.id == message && stored.message.channel == *channel;
        state.messages.iter_mut().find(is_wanted).map_or(Reacted::NoMessage, |stored| change(&mut stored.reactions))
    }
}

#[async_trait]
impl Messages for MemoryMessages {
    async fn append(&self, messages: &[NewMessage]) -> Result<Vec<Result<MessageId, AppendRefused>>, StoreError> {
        let mut known = Vec::with_capacity(messages.len());
        for message in messages {
            known.push(match message.author.user_id {
                Some(id) => self.users.find_by_id(id).await?.is_some(),
                None => true,
            });
        }
        let mut state = self.state.lock();
        let mut store = |message: &NewMessage| {
            state.last_id += 1;
            let id = MessageId(state.last_id);
            state.messages.push(StoredMessage { id, message: message.clone(), reactions: Vec::new() });
            id
        };
        let answers = messages.iter().zip(known);
        Ok(answers
            .map(|(message, known)| if known { Ok(store(message)) } else { Err(AppendRefused::UnknownAuthor) })
            .collect())
    }

    async fn history(
        &self,
        channel: &ChannelName,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let is_wanted = |stored: &&StoredMessage| {
            stored.message.channel == *channel && before.is_none_or(|before| stored.id < before)
        };
        Ok(self.state.lock().messages.iter().rev().filter(is_wanted).take(limit as usize).cloned().collect())
    }

    async fn trim(&self, channel: &ChannelName, keep: u32) -> Result<u64, StoreError> {
        let mut state = self.state.lock();
        let of_channel = state.messages.iter().rev().filter(|stored| stored.message.channel == *channel);
        let Some(newest_gone) = of_channel.map(|stored| stored.id).nth(keep as usize) else {
            return Ok(0);
        };
        let before = state.messages.len();
        state.messages.retain(|stored| stored.message.channel != *channel || stored.id > newest_gone);
        Ok((before - state.messages.len()) as u64)
    }

    async fn react(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError> {
        Ok(self.change(channel, message, |reactions| {
            if reactions.contains(reaction) {
                return Reacted::Unchanged;
            }
            if reactions.len() >= REACTIONS_MAX as usize {
                return Reacted::TooMany;
            }
            reactions.push(reaction.clone());
            Reacted::Changed
        }))
    }

    async fn unreact(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError> {
        Ok(self.change(channel, message, |reactions| match reactions.iter().position(|there| there == reaction) {
            Some(at) => {
                reactions.remove(at);
                Reacted::Changed
            }
            None => Reacted::Unchanged,
        }))
    }
}
