//! Publications in memory, with commits that a test can hold back or have fail.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::memory::Fault;
use crate::ports::StoreError;
use crate::ports::broker::Position;
use crate::ports::clock::UnixMicros;
use crate::ports::publications::{Addition, Publications, ReadLimit, StoredPosition, StoredPublication};

/// Publications in memory.
pub struct MemoryPublications {
    state: Mutex<State>,
    leave: Semaphore,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<String, StoredPosition>,
    publications: BTreeMap<(String, u64), StoredPublication>,
    commits: Vec<usize>,
    fault: Option<Fault>,
}

impl Default for MemoryPublications {
    fn default() -> Self {
        Self { state: Mutex::default(), leave: Semaphore::new(Semaphore::MAX_PERMITS) }
    }
}

impl MemoryPublications {
    /// A store that commits nothing until it is [given leave](Self::give_leave).
    #[must_use]
    pub fn held_back() -> Self {
        Self { state: Mutex::default(), leave: Semaphore::new(0) }
    }

    /// Lets so many commits happen.
    pub fn give_leave(&self, commits: usize) {
        self.leave.add_permits(commits);
    }

    /// Makes every write fail from now on, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    /// How many publications each commit held.
    #[must_use]
    pub fn commits(&self) -> Vec<usize> {
        self.state.lock().commits.clone()
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> Result<R, StoreError> {
        let mut state = self.state.lock();
        match state.fault {
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("as the test wants it".into())),
            Some(Fault::Full) => Err(StoreError::Full("as the test wants it".into())),
            None => Ok(change(&mut state)),
        }
    }
}

#[async_trait]
impl Publications for MemoryPublications {
    async fn append(&self, additions: &[Addition]) -> Result<(), StoreError> {
        let leave = self.leave.acquire().await.map_err(|closed| StoreError::Unavailable(closed.into()))?;
        leave.forget();
        self.change(|state| {
            state.commits.push(additions.iter().map(|addition| addition.publications.len()).sum());
            additions.iter().for_each(|addition| state.add(addition));
        })
    }

    async fn positions(&self, now: UnixMicros, limit: usize) -> Result<Vec<StoredPosition>, StoreError> {
        let all = self.state.lock().channels.values().cloned().collect::<Vec<_>>();
        let mut there: Vec<_> = all.into_iter().filter(|stored| stored.expires_at > now).collect();
        there.sort_by_key(|stored| std::cmp::Reverse(stored.expires_at));
        there.truncate(limit);
        Ok(there)
    }

    async fn newest(
        &self,
        channel: &ChannelName,
        now: UnixMicros,
        limit: ReadLimit,
    ) -> Result<Vec<StoredPublication>, StoreError> {
        let state = self.state.lock();
        let of_channel = state.publications.iter().rev().filter(|((name, _), _)| name == channel.as_str());
        let there = of_channel.map(|(_, stored)| stored).filter(|stored| stored.expires_at > now);
        let mut bytes = 0;
        let fits = |stored: &&StoredPublication| {
            bytes += stored.kept.payload.len();
            bytes <= limit.bytes
        };
        let mut newest: Vec<_> = there.take(limit.publications).take_while(fits).cloned().collect();
        newest.reverse();
        Ok(newest)
    }

    async fn forget(&self, channel: &ChannelName) -> Result<(), StoreError> {
        self.change(|state| state.publications.retain(|(name, _), _| name != channel.as_str()))
    }

    async fn purge(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreError> {
        self.change(|state| {
            let limit = limit as usize;
            let old = state.publications.iter().filter(|(_, stored)| stored.expires_at <= now);
            let old: Vec<_> = old.map(|(key, _)| key.clone()).take(limit).collect();
            let over = state.channels.iter().filter(|(_, stored)| stored.expires_at <= now);
            let over: Vec<_> = over.map(|(name, _)| name.clone()).take(limit).collect();
            old.iter().for_each(|key| drop(state.publications.remove(key)));
            over.iter().for_each(|name| drop(state.channels.remove(name)));
            (old.len() + over.len()) as u64
        })
    }
}

impl State {
    fn add(&mut self, addition: &Addition) {
        let Addition { channel, epoch, publications, version, keep, expires_at } = addition;
        let Some(last) = publications.last() else { return };
        let (name, offset) = (channel.to_string(), last.kept.offset);
        if self.channels.get(&name).is_none_or(|stored| stored.position.epoch != *epoch) {
            self.publications.retain(|(other, _), _| *other != name);
        }
        for publication in publications {
            self.publications.insert((name.clone(), publication.kept.offset), publication.clone());
        }
        let gone = offset.saturating_sub(*keep as u64);
        self.publications.retain(|(other, number), _| *other != name || *number > gone);
        let position = Position { epoch: *epoch, offset };
        let stored =
            StoredPosition { channel: channel.clone(), position, version: version.clone(), expires_at: *expires_at };
        self.channels.insert(name, stored);
    }
}
