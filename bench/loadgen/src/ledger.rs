//! What each receiver has had of one publisher, and so what was lost, sent twice or out of order.
//!
//! **Invariant:** `next[r]` is one more than the highest sequence number that receiver `r` has seen,
//! and `missing` holds exactly the numbers below it that it has not.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use serde::Serialize;

/// Holes that are remembered one by one; beyond them a late frame counts as a duplicate.
const MISSING_MAX: usize = 4_000_000;

/// What one arrival meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next in order.
    InOrder,
    /// A later one: these in between have not come.
    Skipped(Range<u64>),
    /// One that had been skipped.
    Late,
    /// One that had come before.
    Again,
}

/// The books of one publisher's messages over all receivers.
pub struct Ledger {
    next: Vec<u64>,
    missing: HashMap<usize, BTreeSet<u64>>,
    missing_count: usize,
    tally: Tally,
}

/// The outcome of a run: all but `delivered` must be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Frames that came, each one counted.
    pub delivered: u64,
    /// Frames that never came, the tail included.
    pub lost: u64,
    /// Frames that came more than once.
    pub duplicated: u64,
    /// Frames that came after a later one.
    pub reordered: u64,
}

impl Ledger {
    /// Opens the books for `receivers` receivers.
    pub fn new(receivers: usize) -> Self {
        Self { next: vec![0; receivers], missing: HashMap::new(), missing_count: 0, tally: Tally::default() }
    }

    /// Books one arrival.
    pub fn record(&mut self, receiver: usize, sequence: u64) -> Arrival {
        let next = &mut self.next[receiver];
        self.tally.delivered += 1;
        if sequence == *next {
            *next += 1;
            return Arrival::InOrder;
        }
        if sequence > *next {
            let skipped = *next..sequence;
            *next = sequence + 1;
            let holes = self.missing.entry(receiver).or_default();
            for hole in skipped.clone() {
                if self.missing_count == MISSING_MAX {
                    self.tally.lost += 1;
                    continue;
                }
                holes.insert(hole);
                self.missing_count += 1;
            }
            return Arrival::Skipped(skipped);
        }
        if self.missing.get_mut(&receiver).is_some_and(|holes| holes.remove(&sequence)) {
            self.missing_count -= 1;
            self.tally.reordered += 1;
            return Arrival::Late;
        }
        self.tally.duplicated += 1;
        Arrival::Again
    }

    /// Frames that came so far.
    pub fn delivered(&self) -> u64 {
        self.tally.delivered
    }

    /// Says whether every receiver has seen the last of `sent` messages.
    pub fn all_reached(&self, sent: u64) -> bool {
        self.next.iter().all(|next| *next >= sent)
    }

    /// Closes the books after `sent` messages to everybody.
    pub fn finish(&self, sent: u64) -> Tally {
        self.finish_each(|_| sent)
    }

    /// Closes the books after `sent(receiver)` messages to each receiver.
    pub fn finish_each(&self, sent: impl Fn(usize) -> u64) -> Tally {
        let tails = self.next.iter().enumerate().map(|(receiver, next)| sent(receiver).saturating_sub(*next));
        let tail: u64 = tails.sum();
        Tally { lost: self.tally.lost + self.missing_count as u64 + tail, ..self.tally }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_is_told_from_the_others() {
        // (arrivals of one receiver, sent, lost, duplicated, reordered)
        let cases: [(&[u64], u64, u64, u64, u64); 8] = [
            (&[0, 1, 2, 3], 4, 0, 0, 0),
            (&[0, 1, 3], 4, 1, 0, 0),
            (&[0, 1], 4, 2, 0, 0),
            (&[], 4, 4, 0, 0),
            (&[1, 2, 3], 4, 1, 0, 0),
            (&[0, 1, 1, 2, 3], 4, 0, 1, 0),
            (&[0, 2, 1, 3], 4, 0, 0, 1),
            (&[0, 3, 1, 1, 3], 4, 1, 2, 1),
        ];
        for (arrivals, sent, lost, duplicated, reordered) in cases {
            let mut ledger = Ledger::new(1);
            for sequence in arrivals {
                ledger.record(0, *sequence);
            }
            let tally = ledger.finish(sent);
            assert_eq!((tally.lost, tally.duplicated, tally.reordered), (lost, duplicated, reordered), "{arrivals:?}");
            assert_eq!(tally.delivered, arrivals.len() as u64);
        }
    }

    #[test]
    fn receivers_are_kept_apart() {
        let mut ledger = Ledger::new(2);
        assert_eq!(ledger.record(0, 0), Arrival::InOrder);
        assert_eq!(ledger.record(0, 2), Arrival::Skipped(1..2));
        assert_eq!(ledger.record(1, 0), Arrival::InOrder);
        assert!(!ledger.all_reached(3));
        assert_eq!(ledger.record(1, 1), Arrival::InOrder);
        assert_eq!(ledger.record(1, 2), Arrival::InOrder);
        assert!(ledger.all_reached(3));
        assert_eq!(ledger.record(0, 1), Arrival::Late);
        assert_eq!(ledger.finish(3), Tally { delivered: 6, lost: 0, duplicated: 0, reordered: 1 });
    }
}
