//! A copy of who is there, outside of this process, for programs that look it up themselves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreCause;

/// Why a state was not copied.
///
/// The cause is for the log, and holds no password.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The copy cannot be reached, or did not answer in time; the same call may succeed later.
    #[error("the copy of presence is not available")]
    Unavailable(#[source] StoreCause),
    /// It answers and does not take this one; trying again does not help.
    #[error("the copy of presence refuses a state")]
    Refused(#[source] StoreCause),
}

/// What is copied of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What is kept.
    pub value: Arc<str>,
    /// What those are told who listen to the copy, where somebody does; without it what is kept.
    pub message: Option<Arc<str>>,
}

impl From<&str> for Copied {
    fn from(value: &str) -> Self {
        Self { value: value.into(), message: None }
    }
}

/// Keeps one user's state under a key of its own until it runs out.
#[async_trait]
pub trait PresenceMirror: Send + Sync {
    /// Writes `copied` under `key` and lets it run out after `ttl`. A later write of one key wins.
    ///
    /// # Cancel safety
    ///
    /// A dropped call wrote the state or not.
    async fn set(&self, key: &str, copied: &Copied, ttl: Duration) -> Result<(), MirrorError>;
}
