//! What is still to be copied.
//!
//! **Invariants:** a key is held once, with its newest state; there are never more than `keys_max` keys.
//! A key is held until its newest state was written, and while it is being written it is not handed out again, so that
//! two writes of one key never race.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::ports::presence_mirror::Copied;

pub(super) struct MirrorQueue {
    by_key: HashMap<Arc<str>, Waiting>,
    /// Keys that are not being written, the longest waiting first.
    order: VecDeque<Arc<str>>,
    keys_max: usize,
}

struct Waiting {
    copied: Copied,
    /// It was handed out.
    is_writing: bool,
    /// A state came since it was handed out.
    is_newer: bool,
}

/// One write to be done.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) key: Arc<str>,
    pub(super) copied: Copied,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is done, or will never be.
    Settled,
    /// It is to be tried again.
    Failed,
}

impl MirrorQueue {
    pub(super) fn new(keys_max: usize) -> Self {
        Self { by_key: HashMap::new(), order: VecDeque::new(), keys_max }
    }

    /// Queues a state in place of an older one; `false` if there is no place for another key.
    pub(super) fn push(&mut self, key: &str, copied: Copied) -> bool {
        if let Some(waiting) = self.by_key.get_mut(key) {
            waiting.copied = copied;
            waiting.is_newer = true;
            return true;
        }
        if self.by_key.len() >= self.keys_max {
            return false;
        }
        let key: Arc<str> = key.into();
        self.by_key.insert(key.clone(), Waiting { copied, is_writing: false, is_newer: false });
        self.order.push_back(key);
        true
    }

    /// Hands out the longest waiting writes, `count` at most, no two of one key.
    pub(super) fn take(&mut self, count: usize) -> Vec<Write> {
        let keys = self.order.drain(..count.min(self.order.len()));
        let begin = |key: Arc<str>| {
            let waiting = self.by_key.get_mut(&key)?;
            waiting.is_newer = false;
            waiting.is_writing = true;
            Some(Write { copied: waiting.copied.clone(), key })
        };
        keys.filter_map(begin).collect()
    }

    /// Says what became of a write that was handed out.
    pub(super) fn finish(&mut self, key: &Arc<str>, written: Written) {
        let Some(waiting) = self.by_key.get_mut(key) else { return };
        if !std::mem::take(&mut waiting.is_writing) {
            return;
        }
        if waiting.is_newer || written == Written::Failed {
            // Behind the others: what fails again and again keeps nobody waiting.
            self.order.push_back(key.clone());
        } else {
            self.by_key.remove(key);
        }
    }

    /// Takes back every write that was handed out and of which nothing was said.
    pub(super) fn take_back(&mut self) {
        for (key, waiting) in &mut self.by_key {
            if std::mem::take(&mut waiting.is_writing) {
                self.order.push_back(key.clone());
            }
        }
    }

    /// Whether there is something to hand out.
    pub(super) fn has_next(&self) -> bool {
        !self.order.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}
