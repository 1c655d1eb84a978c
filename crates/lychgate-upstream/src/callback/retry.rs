//! Which failures of a call are worth another try, and when.
//!
//! **Invariant:** what may have been done is not asked for again, unless the settings say that the application takes the
//! same id for the same call.
//!
//! **Absent on purpose:** time. All tries share the timeout of one call, which is the caller's.

use std::sync::Arc;
use std::time::Duration;

use lychgate_service::ports::application::CallFault;
use uuid::Uuid;

/// The longest pause before the first second try; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// What is tried again. By default nothing is.
#[derive(Clone, Debug, Default)]
pub struct RetryRules {
    /// Tries after the first one.
    pub retries_max: u32,
    /// Statuses that say that the application could not take the call now.
    pub statuses: Arc<[u16]>,
    /// Whether calls that do something are tried again wherever questions are.
    pub acts: bool,
}

/// Why one try gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There was no connection, so nothing was sent.
    NotSent,
    /// The connection ended before the answer was whole.
    Broken,
    /// It answered with this status, which is no success.
    Status(u16),
    /// The answer cannot be read, or is too large.
    Malformed,
}

impl From<Failure> for CallFault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent | Failure::Broken => Self::Unavailable,
            Failure::Status(status) => Self::Status(status),
            Failure::Malformed => Self::Malformed,
        }
    }
}

impl RetryRules {
    /// How long to wait before the next try, behind so many further ones; `None` if there is none.
    pub(super) fn pause_before_next(&self, tries: u32, failure: Failure, is_question: bool) -> Option<Duration> {
        let may_be_asked_twice = is_question || self.acts;
        let is_worth_it = match failure {
            Failure::NotSent => true,
            Failure::Broken => may_be_asked_twice,
            Failure::Status(status) => may_be_asked_twice && self.statuses.contains(&status),
            Failure::Malformed => false,
        };
        if tries >= self.retries_max || !is_worth_it {
            return None;
        }
        let longest = PAUSE.saturating_mul(1 << tries.min(8));
        // Between half and the whole, so that those who failed together do not come again together.
        let random = u32::from(Uuid::new_v4().as_bytes()[0]);
        Some(longest / 2 + longest / 2 * random / 255)
    }
}
