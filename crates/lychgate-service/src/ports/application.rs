//! The application behind this server, as something that can be asked and told.

use async_trait::async_trait;
use serde_json::Value;

/// Why the application gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// No connection, no answer in time, or too many calls failed just now to try.
    #[error("the application cannot be reached")]
    Unavailable,
    /// It answered with this HTTP status, which is no success.
    #[error("the application answered with status {0}")]
    Status(u16),
    /// The answer is no JSON, or larger than its limit.
    #[error("the application's answer cannot be read")]
    Malformed,
}

impl CallFault {
    /// Its name in logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Status(_) => "status",
            Self::Malformed => "malformed",
        }
    }
}

/// Calls the application.
#[async_trait]
pub trait Application: Send + Sync {
    /// Posts `body` to the application and returns its answer; an empty answer is `null`.
    ///
    /// The call is signed, so that the application can tell that it comes from here.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    async fn call(&self, body: &Value) -> Result<Value, CallFault>;
}
