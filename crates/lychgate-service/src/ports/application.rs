//! The application behind this server, as something that can be asked and told.

use std::fmt;

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

/// What a call is, beside its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner<'a> {
    /// Whether it asks something and does nothing, so that asking twice is as good as asking once.
    pub is_question: bool,
    /// Headers that go with it; they are the client's, and no fault of theirs keeps the call from being made.
    pub headers: &'a [Header],
}

/// One header of a call, by its name in lower case.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: Box<[u8]>,
}

impl fmt::Debug for Header {
    /// Prints no value: it may be somebody's secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Manner<'_> {
    /// A question without headers.
    pub const QUESTION: Self = Self { is_question: true, headers: &[] };
}

/// Calls the application.
#[async_trait]
pub trait Application: Send + Sync {
    /// Posts `body` to the application and returns its answer; an empty answer is `null`.
    ///
    /// The call is signed, so that the application can tell that it comes from here. What is tried again, by the rules of
    /// the adapter, has the same id each time.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    async fn call_as(&self, body: &Value, manner: Manner<'_>) -> Result<Value, CallFault>;

    /// The same for a call that does something.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    async fn call(&self, body: &Value) -> Result<Value, CallFault> {
        self.call_as(body, Manner::default()).await
    }
}
