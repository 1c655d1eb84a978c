//! Events in memory, with commits that a test can hold back or have fail.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::memory::Fault;
use crate::ports::StoreError;
use crate::ports::events::{Change, Events, NewEvent, Open, StoredEvent, Waiting};

/// Events in memory.
pub struct MemoryEvents {
    sources: Mutex<BTreeMap<String, Source>>,
    fault: Mutex<Option<Fault>>,
    leave: Semaphore,
}

#[derive(Default)]
struct Source {
    last: u64,
    lost: u64,
    waiting: BTreeMap<u64, StoredEvent>,
    open: BTreeMap<Box<str>, Box<str>>,
}

impl Default for MemoryEvents {
    fn default() -> Self {
        Self::with_leave(Semaphore::MAX_PERMITS)
    }
}

impl MemoryEvents {
    /// A store that takes nothing until it is [given leave](Self::give_leave).
    #[must_use]
    pub fn held_back() -> Self {
        Self::with_leave(0)
    }

    fn with_leave(commits: usize) -> Self {
        Self { sources: Mutex::default(), fault: Mutex::default(), leave: Semaphore::new(commits) }
    }

    /// Lets so many commits happen.
    pub fn give_leave(&self, commits: usize) {
        self.leave.add_permits(commits);
    }

    /// Makes every write fail from now on, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        *self.fault.lock() = fault;
    }

    fn change<R>(&self, source: &str, change: impl FnOnce(&mut Source) -> R) -> Result<R, StoreError> {
        self.works()?;
        Ok(change(self.sources.lock().entry(source.to_owned()).or_default()))
    }

    fn works(&self) -> Result<(), StoreError> {
        match *self.fault.lock() {
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("as the test wants it".into())),
            Some(Fault::Full) => Err(StoreError::Full("as the test wants it".into())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Events for MemoryEvents {
    async fn append(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        let leave = self.leave.acquire().await.map_err(|closed| StoreError::Unavailable(closed.into()))?;
        leave.forget();
        self.works()?;
        let mut sources = self.sources.lock();
        for event in events {
            sources.entry(event.source.to_string()).or_default().append(event);
        }
        Ok(())
    }

    async fn waiting(&self, source: &str) -> Result<Waiting, StoreError> {
        let sources = self.sources.lock();
        let of = |source: &Source| Waiting { events: source.waiting.len() as u64, lost: source.lost };
        Ok(sources.get(source).map(of).unwrap_or_default())
    }

    async fn oldest(&self, source: &str, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let sources = self.sources.lock();
        let waiting = sources.get(source).into_iter().flat_map(|source| source.waiting.values());
        Ok(waiting.take(limit as usize).cloned().collect())
    }

    async fn remove(&self, source: &str, through: u64) -> Result<u64, StoreError> {
        self.change(source, |source| {
            let before = source.waiting.len();
            source.waiting.retain(|number, _| *number > through);
            (before - source.waiting.len()) as u64
        })
    }

    async fn open(&self, source: &str, limit: u32) -> Result<Vec<Open>, StoreError> {
        let sources = self.sources.lock();
        let open = sources.get(source).into_iter().flat_map(|source| &source.open);
        Ok(open.take(limit as usize).map(|(key, body)| Open { key: key.clone(), body: body.clone() }).collect())
    }

    async fn note_lost(&self, source: &str, count: u64) -> Result<(), StoreError> {
        self.change(source, |source| source.lost += count)
    }
}

impl Source {
    fn append(&mut self, event: &NewEvent) {
        self.last += 1;
        let stored = StoredEvent { number: self.last, body: event.body.clone(), at: event.at };
        self.waiting.insert(self.last, stored);
        match &event.change {
            Change::Opens(key) => {
                self.open.entry(key.clone()).or_insert_with(|| event.body.clone());
            }
            Change::Closes(key) => drop(self.open.remove(key)),
            Change::Forgets => {
                self.open.clear();
                self.lost = 0;
            }
        }
    }
}
