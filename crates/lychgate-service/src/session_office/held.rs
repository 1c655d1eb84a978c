//! Refresh tokens that were given out a moment ago, by the token they were given for: their answer may have been lost.
//!
//! **Invariant:** none is held for longer than a lost answer may be asked for again, and never more than [`HELD_MAX`].
//! Who finds none here gets a new one, and the one before is dead: that costs a client nothing.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;
use tokio::time::Instant;

use super::refresh_token::RefreshToken;
use crate::ports::sessions::RefreshHash;

/// The most that are held; with one more the oldest goes.
const HELD_MAX: usize = 10_000;

pub(super) struct Held {
    within: Duration,
    by_hash: HashMap<RefreshHash, (RefreshToken, u64)>,
    order: VecDeque<(Instant, RefreshHash)>,
}

impl Held {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, by_hash: HashMap::new(), order: VecDeque::new() }
    }

    /// Keeps what was given for the token of this hash.
    pub(super) fn keep(&mut self, hash: RefreshHash, heir: RefreshToken, idle_ends_at_s: u64, now: Instant) {
        self.forget(now, HELD_MAX - 1);
        self.by_hash.insert(hash, (heir, idle_ends_at_s));
        self.order.push_back((now, hash));
    }

    /// What was given for the token of this hash, and when that ends.
    pub(super) fn heir_of(&mut self, hash: &RefreshHash, now: Instant) -> Option<(RefreshToken, u64)> {
        self.forget(now, HELD_MAX);
        self.by_hash.get(hash).cloned()
    }

    fn forget(&mut self, now: Instant, most: usize) {
        while let Some((at, hash)) = self.order.front()
            && (self.order.len() > most || now.duration_since(*at) > self.within)
        {
            self.by_hash.remove(hash);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_held_for_its_time_and_within_the_limit() {
        let (within, start) = (Duration::from_secs(10), Instant::now());
        let hash = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            hash
        };
        let mut held = Held::new(within);
        for n in 0..=HELD_MAX {
            let (token, _) = RefreshToken::fresh().unwrap();
            held.keep(hash(n), token, 7, start);
        }
        assert!(held.heir_of(&hash(0), start).is_none(), "the oldest made room");
        assert_eq!(held.by_hash.len(), HELD_MAX);
        assert!(held.heir_of(&hash(1), start + within).is_some());
        assert!(held.heir_of(&hash(1), start + within + Duration::from_millis(1)).is_none());
        assert!(held.by_hash.is_empty() && held.order.is_empty());
    }
}
