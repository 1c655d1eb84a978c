//! What a client has said by requests of its own, until its connection acts on it.
//!
//! **Invariant:** it holds at most [`MESSAGES_MAX`] messages, and no more bytes than two of the longest.

use std::collections::VecDeque;

use lychgate_service::limits::{Bucket, Rate, RetryAfter};
use parking_lot::Mutex;

/// Messages of one client that may wait for their turn.
const MESSAGES_MAX: usize = 64;

/// Messages in the order in which they came.
pub struct Inbox {
    bytes_max: usize,
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    requests: Bucket,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// As many wait as may.
    Full,
    /// Too many requests came.
    TooOften(RetryAfter),
    /// The connection is over.
    Over,
}

impl Inbox {
    /// Nothing but the `first` message.
    #[must_use]
    pub fn new(first: Vec<u8>, message_bytes_max: usize, rate: Rate) -> Self {
        let state = State { bytes: first.len(), messages: VecDeque::from([first]), requests: Bucket::default() };
        Self { bytes_max: message_bytes_max.saturating_mul(2), rate, state: Mutex::new(state) }
    }

    /// Adds a message behind those that wait.
    ///
    /// # Errors
    ///
    /// [`NotTaken`] when there are too many, or they come too often; the message is lost.
    pub fn push(&self, message: Vec<u8>, now_ms: u64) -> Result<(), NotTaken> {
        let mut state = self.state.lock();
        state.requests.take(self.rate, now_ms).map_err(NotTaken::TooOften)?;
        if state.messages.len() >= MESSAGES_MAX || state.bytes + message.len() > self.bytes_max {
            return Err(NotTaken::Full);
        }
        state.bytes += message.len();
        state.messages.push_back(message);
        Ok(())
    }

    /// The one that has waited longest.
    pub fn pop(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        let message = state.messages.pop_front()?;
        state.bytes -= message.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_order_and_its_limits() {
        let inbox = Inbox::new(vec![0], 100, Rate::new(1_000, 1_000, 1_000));
        for n in 1..MESSAGES_MAX {
            assert_eq!(inbox.push(vec![n as u8], 0), Ok(()));
        }
        assert_eq!(inbox.push(vec![99], 0), Err(NotTaken::Full), "by number");
        for n in 0..MESSAGES_MAX {
            assert_eq!(inbox.pop(), Some(vec![n as u8]));
        }
        assert_eq!(inbox.pop(), None);
        assert_eq!(inbox.push(vec![0; 100], 0), Ok(()));
        assert_eq!(inbox.push(vec![0; 101], 0), Err(NotTaken::Full), "by bytes");
        assert_eq!(inbox.push(vec![0; 100], 0), Ok(()));
        let slow = Inbox::new(Vec::new(), 100, Rate::new(1, 1_000, 2));
        assert_eq!((slow.push(vec![1], 0), slow.push(vec![1], 0)), (Ok(()), Ok(())));
        assert_eq!(slow.push(vec![1], 0), Err(NotTaken::TooOften(RetryAfter { millis: 1_000 })));
        assert_eq!(slow.push(vec![1], 1_000), Ok(()), "later");
    }
}
