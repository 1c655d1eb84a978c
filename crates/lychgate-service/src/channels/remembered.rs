//! Publications that are known by a key, so that the same request twice is one publication.
//!
//! **Absent on purpose:** the disk. After a restart no key is known any more.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use hashbrown::HashMap;
use lychgate_protocol::channel::ChannelName;
use tokio::time::Instant;

use super::operator::NotDone;
use crate::ports::broker::Published;

/// How long a publication is remembered by its key.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// How many are remembered; with more, the oldest are forgotten sooner.
const REMEMBERED_MAX: usize = 65_536;

/// A channel, and what the publisher calls the publication.
pub(super) type Key = (ChannelName, Box<str>);

type Publishing = BoxFuture<'static, Result<Published, NotDone>>;

/// Publications by their keys, oldest first, done or under way.
#[derive(Default)]
pub(super) struct Remembered {
    by_key: HashMap<Key, (u64, Shared<Publishing>)>,
    order: VecDeque<(Instant, u64, Key)>,
    last_id: u64,
}

impl Remembered {
    /// The publication under `key`, begun by `publish` if there is none. Whoever comes meanwhile waits for the same one.
    pub(super) fn once(
        &mut self,
        key: Key,
        now: Instant,
        publish: impl FnOnce() -> Publishing,
    ) -> (u64, Shared<Publishing>) {
        while let Some((at, id, _)) = self.order.front()
            && (now.duration_since(*at) >= REMEMBERED_FOR || self.order.len() >= REMEMBERED_MAX)
        {
            let id = *id;
            if let Some((_, _, key)) = self.order.pop_front() {
                self.forget(&key, id);
            }
        }
        if let Some(found) = self.by_key.get(&key) {
            return found.clone();
        }
        self.last_id += 1;
        let begun = (self.last_id, publish().shared());
        self.by_key.insert(key.clone(), begun.clone());
        self.order.push_back((now, self.last_id, key));
        begun
    }

    /// Forgets that publication under `key`, and no later one.
    pub(super) fn forget(&mut self, key: &Key, id: u64) {
        if self.by_key.get(key).is_some_and(|(found, _)| *found == id) {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{pending, ready};

    use super::*;

    fn key(key: &str) -> Key {
        ("news".parse().unwrap(), key.into())
    }

    fn published(offset: u64) -> Result<Published, NotDone> {
        Ok(Published { offset, epoch: None, sessions: 0 })
    }

    #[tokio::test]
    async fn the_same_key_is_one_publication_until_it_is_forgotten() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut once = async |name: &str, seconds, came_to| {
            let (id, publishing) = remembered.once(key(name), at(seconds), || Box::pin(ready(came_to)));
            let published = publishing.await;
            if published.is_err() {
                remembered.forget(&key(name), id);
            }
            published
        };
        assert_eq!(once("a", 0, published(1)).await, published(1));
        assert_eq!(once("a", 299, published(2)).await, published(1));
        assert_eq!(once("b", 299, published(2)).await, published(2));
        assert_eq!(once("c", 299, Err(NotDone::Busy)).await, Err(NotDone::Busy));
        assert_eq!(once("c", 299, published(3)).await, published(3), "what failed is not remembered");
        assert_eq!(once("a", 300, published(4)).await, published(4));
    }

    #[tokio::test]
    async fn who_comes_while_it_is_under_way_begins_no_second_one() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        let (first, _) = remembered.once(key("a"), now, || Box::pin(pending()));
        let (second, _) = remembered.once(key("a"), now, || panic!("it is under way"));
        assert_eq!(first, second);
        // One that failed and was begun again is not forgotten with the first.
        remembered.forget(&key("a"), first);
        let (third, _) = remembered.once(key("a"), now, || Box::pin(ready(published(1))));
        remembered.forget(&key("a"), first);
        let (fourth, publishing) = remembered.once(key("a"), now, || panic!("it was begun"));
        assert_eq!((third, publishing.await), (fourth, published(1)));
    }
}
