//! Rights that are asked once for several who want to know the same, and remembered for a while.
//!
//! **Invariant:** an answer is never older than the time to live or than one question under way, whichever is longer.
//! Whoever stops waiting takes nothing from the others. Errors are shared and never remembered.
//!
//! **Absent on purpose:** a task. Those who wait drive the question between them, so it ends with the last of them.

mod memory;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use lychgate_service::ports::rights::{Answer, Question, Rights, RightsError};
use parking_lot::Mutex;
use tokio::time::Instant;

use memory::Memory;

/// How long and how much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// From the moment of asking; zero remembers nothing.
    pub ttl: Duration,
    /// Answers at a time, the oldest goes first; also how many different questions are shared at a time.
    pub entries_max: usize,
    /// What they may weigh together, roughly.
    pub bytes_max: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { ttl: Duration::ZERO, entries_max: 10_000, bytes_max: 32 * 1024 * 1024 }
    }
}

/// Asks other rights for several at once, and remembers what they said.
pub struct Remembered {
    rights: Arc<dyn Rights>,
    entries_max: usize,
    state: Arc<Mutex<State>>,
}

struct State {
    memory: Memory,
    /// Questions under way. Those who wait hold them; this only finds them.
    under_way: HashMap<Question, WeakShared<Asking>>,
}

type Asking = BoxFuture<'static, Result<Answer, Arc<RightsError>>>;

impl Remembered {
    /// Remembers what `rights` say.
    #[must_use]
    pub fn new(rights: Arc<dyn Rights>, limits: MemoryLimits) -> Self {
        let state = State { memory: Memory::new(limits), under_way: HashMap::new() };
        Self { rights, entries_max: limits.entries_max, state: Arc::new(Mutex::new(state)) }
    }

    /// What is remembered, or a place among those who wait for the answer; nothing when there are too many questions.
    fn found(&self, question: &Question) -> Option<Result<Answer, Waiting>> {
        let mut state = self.state.lock();
        if let Some(answer) = state.memory.recall(question, Instant::now()) {
            return Some(Ok(answer));
        }
        let under_way = state.under_way.get(question).and_then(WeakShared::upgrade);
        let asking = match under_way {
            Some(asking) => asking,
            None if state.under_way.len() >= self.entries_max => return None,
            None => {
                let asking = self.asking(question.clone()).shared();
                state.under_way.extend(asking.downgrade().map(|weak| (question.clone(), weak)));
                asking
            }
        };
        let leaving = Leaving { question: question.clone(), state: Arc::clone(&self.state) };
        Some(Err(Waiting { asking, _leaving: leaving }))
    }

    fn asking(&self, question: Question) -> Asking {
        let (rights, state) = (Arc::clone(&self.rights), Arc::clone(&self.state));
        async move {
            let asked_at = Instant::now();
            let answer = rights.ask(&question).await;
            let mut state = state.lock();
            state.under_way.remove(&question);
            if let Ok(answer) = &answer {
                state.memory.remember(question, answer, asked_at, Instant::now());
            }
            answer.map_err(Arc::new)
        }
        .boxed()
    }
}

#[async_trait]
impl Rights for Remembered {
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        match self.found(question) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(waiting)) => waiting.answer().await,
            None => self.rights.ask(question).await,
        }
    }
}

/// One of those who wait for an answer. The fields go in their order.
struct Waiting {
    asking: Shared<Asking>,
    _leaving: Leaving,
}

impl Waiting {
    async fn answer(self) -> Result<Answer, RightsError> {
        let Self { asking, _leaving } = self;
        asking.await.map_err(|error| match *error {
            RightsError::Unavailable(_) => RightsError::Unavailable(Box::new(SharedCause(error))),
            RightsError::Broken(_) => RightsError::Broken(Box::new(SharedCause(error))),
        })
    }
}

/// Clears up behind the last one who leaves: nobody drives the question any more.
struct Leaving {
    question: Question,
    state: Arc<Mutex<State>>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        let others = state.under_way.get(&self.question).map(WeakShared::upgrade);
        if let Some(None) = others {
            state.under_way.remove(&self.question);
        }
        // What `others` holds may be the last of it by now, and then needs the lock itself.
        drop(state);
    }
}

/// The cause of an error that several got.
#[derive(Debug)]
struct SharedCause(Arc<RightsError>);

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (RightsError::Unavailable(cause) | RightsError::Broken(cause)) = &*self.0;
        cause.fmt(f)
    }
}

impl std::error::Error for SharedCause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (RightsError::Unavailable(cause) | RightsError::Broken(cause)) = &*self.0;
        cause.source()
    }
}
