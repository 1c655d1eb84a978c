//! Rates: how often something may happen, for one connection or for each of many keys.
//!
//! Both kinds are the generic cell rate algorithm: one number per key, the time at which its bucket is full again.
//! Time is an argument, in milliseconds of any monotonic clock.
//!
//! **Invariant:** a [`KeyedRate`] never holds more than `keys_max` keys.
//! An attacker who invents keys shares one bucket with the other newcomers and cannot push anybody else's key out.

use std::hash::Hash;

use hashbrown::HashMap;
use parking_lot::Mutex;

/// So many events in so much time, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What one event costs, in microseconds.
    cost_us: u64,
    /// What a full bucket holds, in microseconds.
    depth_us: u64,
}

/// Microseconds in a millisecond: inside, a rate above one a millisecond must stay exact.
const US_PER_MS: u64 = 1_000;

impl Rate {
    /// `events` per `window_ms`, of which `burst` may come at once. Zeroes count as one.
    #[must_use]
    pub fn new(events: u32, window_ms: u64, burst: u32) -> Self {
        let cost = (window_ms * US_PER_MS / u64::from(events.max(1))).max(1);
        Self { cost_us: cost, depth_us: cost * u64::from(burst.max(1)) }
    }
}

/// How long to wait before the next try can succeed, in milliseconds, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Milliseconds.
    pub millis: u64,
}

/// One bucket: 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// When the bucket is full again, in microseconds.
    full_at: u64,
}

impl Bucket {
    /// Takes one event, or says when to come back.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`] when the bucket is empty; nothing was taken.
    pub fn take(&mut self, rate: Rate, now_ms: u64) -> Result<(), RetryAfter> {
        let now = now_ms * US_PER_MS;
        let full_at = self.full_at.max(now) + rate.cost_us;
        let over = full_at.saturating_sub(now + rate.depth_us);
        if over > 0 {
            return Err(RetryAfter { millis: over.div_ceil(US_PER_MS) });
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Gives one event back.
    pub fn give_back(&mut self, rate: Rate) {
        self.full_at = self.full_at.saturating_sub(rate.cost_us);
    }

    const fn is_full(self, now_ms: u64) -> bool {
        self.full_at <= now_ms * US_PER_MS
    }
}

/// A bucket for each key.
pub struct KeyedRate<K> {
    rate: Rate,
    keys_max: usize,
    buckets: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    by_key: HashMap<K, Bucket>,
    /// When full buckets were last looked for, in milliseconds.
    swept_at_ms: Option<u64>,
    /// Shared by the keys that found no place.
    newcomers: Bucket,
}

impl<K: Hash + Eq> KeyedRate<K> {
    /// Buckets of `rate` for at most `keys_max` keys at a time.
    #[must_use]
    pub fn new(rate: Rate, keys_max: usize) -> Self {
        let buckets = Buckets { by_key: HashMap::new(), swept_at_ms: None, newcomers: Bucket::default() };
        Self { rate, keys_max: keys_max.max(1), buckets: Mutex::new(buckets) }
    }

    /// Takes one event of `key`, or says when to come back.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`] when the key's bucket is empty; nothing was taken.
    pub fn take(&self, key: K, now_ms: u64) -> Result<(), RetryAfter> {
        let mut buckets = self.buckets.lock();
        if buckets.by_key.len() >= self.keys_max && !buckets.by_key.contains_key(&key) {
            buckets.sweep(now_ms);
            if buckets.by_key.len() >= self.keys_max {
                return buckets.newcomers.take(self.rate, now_ms);
            }
        }
        buckets.by_key.entry(key).or_default().take(self.rate, now_ms)
    }

    /// Says whether an event of `key` would be refused now, and takes none: where only failures count.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`] when the key's bucket is empty.
    pub fn check(&self, key: &K, now_ms: u64) -> Result<(), RetryAfter> {
        let buckets = self.buckets.lock();
        let is_newcomer = !buckets.by_key.contains_key(key) && buckets.by_key.len() >= self.keys_max;
        let mut bucket =
            if is_newcomer { buckets.newcomers } else { buckets.by_key.get(key).copied().unwrap_or_default() };
        bucket.take(self.rate, now_ms)
    }

    /// Gives one event of `key` back, as after a login that succeeded.
    pub fn give_back(&self, key: &K) {
        if let Some(bucket) = self.buckets.lock().by_key.get_mut(key) {
            bucket.give_back(self.rate);
        }
    }

    /// How many keys are held.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.buckets.lock().by_key.len()
    }
}

/// The least time between two looks at all buckets: a flood of new keys must not make each of them cost one.
const SWEEP_EVERY_MS: u64 = 1_000;

impl<K: Hash + Eq> Buckets<K> {
    /// Forgets full buckets, which say no more than absent ones.
    fn sweep(&mut self, now_ms: u64) {
        if self.swept_at_ms.is_none_or(|swept_at_ms| now_ms >= swept_at_ms + SWEEP_EVERY_MS) {
            self.by_key.retain(|_, bucket| !bucket.is_full(now_ms));
            self.swept_at_ms = Some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_waits_for_its_share() {
        let rate = Rate::new(5, 1_000, 10);
        let mut bucket = Bucket::default();
        for _ in 0..10 {
            assert_eq!(bucket.take(rate, 50_000), Ok(()));
        }
        assert_eq!(bucket.take(rate, 50_000), Err(RetryAfter { millis: 200 }));
        assert_eq!(bucket.take(rate, 50_199), Err(RetryAfter { millis: 1 }));
        assert_eq!(bucket.take(rate, 50_200), Ok(()));
        assert_eq!(bucket.take(rate, 50_200), Err(RetryAfter { millis: 200 }));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rate = Rate::new(1, 60_000, 1);
        let keyed = KeyedRate::new(rate, 4);
        assert_eq!(keyed.take("a", 0), Ok(()));
        assert!(keyed.take("a", 0).is_err());
        keyed.give_back(&"a");
        assert_eq!(keyed.take("a", 0), Ok(()));
    }

    #[test]
    fn a_check_takes_nothing_and_says_what_a_take_would() {
        let keyed = KeyedRate::new(Rate::new(1, 1_000, 1), 1);
        for _ in 0..3 {
            assert_eq!(keyed.check(&"a", 0), Ok(()));
        }
        assert_eq!(keyed.keys(), 0, "nobody is remembered for having asked");
        assert_eq!(keyed.take("a", 0), Ok(()));
        assert_eq!(keyed.check(&"a", 0), Err(RetryAfter { millis: 1_000 }));
        assert_eq!(keyed.check(&"a", 1_000), Ok(()));
        assert_eq!(keyed.check(&"b", 0), Ok(()), "a newcomer's bucket is its own as long as there is room");
        assert_eq!(keyed.take("b", 0), Ok(()), "and the newcomers' when there is none");
        assert!(keyed.check(&"c", 0).is_err());
    }

    #[test]
    fn invented_keys_share_a_bucket_and_evict_nobody() {
        let keyed = KeyedRate::new(Rate::new(1, 1_000, 2), 3);
        for key in 0..3 {
            assert_eq!(keyed.take(key, 0), Ok(()));
        }
        assert_eq!(keyed.take(100, 0), Ok(()), "the newcomers' bucket holds two");
        assert_eq!(keyed.take(101, 0), Ok(()));
        assert!(keyed.take(102, 0).is_err(), "and is shared by all of them");
        assert_eq!(keyed.take(0, 0), Ok(()), "an old key keeps its own bucket");
        assert!(keyed.take(0, 0).is_err());
        assert_eq!(keyed.keys(), 3);
        assert_eq!(keyed.take(102, 5_000), Ok(()), "full buckets make room");
        assert_eq!(keyed.keys(), 1);
    }
}
