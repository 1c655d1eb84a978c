//! How channels share the room for what is kept, so that none is kept out by another.
//!
//! **Bytes.** A channel that finds no room drops its own oldest publication. So that it does find some, the largest are cut
//! back, time and again, to a level at which all fit with some room to spare. No channel below that level loses anything.
//!
//! **Places.** A channel too many takes the place of one that nobody is in: rather of one that keeps nothing, and rather of
//! one that was not used for long. That one begins anew, and says so to who comes back.

use hashbrown::HashMap;
use lychgate_protocol::channel::ChannelName;

use super::log::Log;
use super::{Count, LocalBroker};

/// Room is made when more than so much of it is taken.
const TIGHT: (usize, usize) = (7, 8);

/// And then so much of it may be taken.
const EASY: (usize, usize) = (3, 4);

impl LocalBroker {
    /// Cuts the largest channels back if room is tight.
    pub(super) fn level(&self) {
        let bytes_max = self.keeping.as_ref().map_or(0, |keeping| keeping.bytes_max);
        if self.figures().bytes <= part(bytes_max, TIGHT) {
            return;
        }
        let mut sizes = Vec::new();
        for stripe in &self.stripes {
            sizes.extend(stripe.lock().values().filter_map(|count| match count {
                Count::Logged(log) if log.bytes() > 0 => Some(log.bytes()),
                _ => None,
            }));
        }
        let level = level_of(sizes, part(bytes_max, EASY));
        let mut dropped = 0_usize;
        for stripe in &self.stripes {
            for count in stripe.lock().values_mut() {
                let Count::Logged(log) = count else { continue };
                self.weigh(log, |log| {
                    while log.bytes() > level && log.drop_oldest() {
                        dropped += 1;
                    }
                });
            }
        }
        tracing::warn!(
            dropped,
            "limits.history_bytes_max is nearly reached: the channels that keep most have dropped their oldest publications"
        );
    }

    /// Makes a place for another channel, whose stripe's lock is held; false if somebody is in each, or they are durable.
    pub(super) fn make_place(&self, counts: &mut HashMap<ChannelName, Count>) -> bool {
        // The other locks are not waited for: somebody may hold one of them and wait for this one.
        self.evict(counts)
            || self.stripes.iter().any(|other| other.try_lock().is_some_and(|mut it| self.evict(&mut it)))
    }

    /// Drops the channel of `counts` that is missed least, if there is one that nobody is in.
    fn evict(&self, counts: &mut HashMap<ChannelName, Count>) -> bool {
        let candidates = counts.iter().filter_map(|(channel, count)| match count {
            Count::Logged(log) if !log.is_durable() => Some(((log.bytes() > 0, log.touched()), channel)),
            _ => None,
        });
        let unused = candidates.filter(|(_, channel)| self.registrar.members(channel) == 0).min_by_key(|(key, _)| *key);
        let Some(channel) = unused.map(|(_, channel)| channel.clone()) else { return false };
        if let Some(Count::Logged(mut log)) = counts.remove(&channel) {
            self.weigh(&mut log, Log::clear);
        }
        true
    }
}

const fn part(whole: usize, (numerator, denominator): (usize, usize)) -> usize {
    whole / denominator * numerator
}

/// The level to which the largest of `sizes` have to be cut, so that all together are no more than `sum_max`.
fn level_of(mut sizes: Vec<usize>, sum_max: usize) -> usize {
    sizes.sort_unstable();
    let (mut left, mut many) = (sum_max, sizes.len());
    for size in sizes {
        let share = left / many;
        if size > share {
            return share;
        }
        left -= size;
        many -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::level_of;

    #[test]
    fn only_what_is_above_its_share_is_cut() {
        for (sizes, sum_max, level) in [
            (vec![], 10, usize::MAX),
            (vec![3, 3, 3], 10, usize::MAX),
            (vec![1, 1, 100], 12, 10),
            (vec![50, 1, 50], 21, 10),
            (vec![7, 7, 7], 9, 3),
            (vec![5], 0, 0),
        ] {
            let cut: usize = sizes.iter().map(|size| *size.min(&level)).sum();
            assert_eq!(level_of(sizes.clone(), sum_max), level, "{sizes:?} in {sum_max}");
            assert!(cut <= sum_max, "{sizes:?} in {sum_max}");
        }
    }
}
