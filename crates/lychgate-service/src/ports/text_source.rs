//! Where the text of a stream comes from, piece by piece, such as a language model.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::Value;

/// The pieces of one text in order. It ends when the source has said that the text is whole;
/// a text that ends otherwise ends with a fault. Dropping it cancels the request.
pub type Pieces = BoxStream<'static, Result<String, SourceFault>>;

/// Why a text did not come, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// No connection, or none in time.
    #[error("the source cannot be reached")]
    Unreachable,
    /// It answered with this HTTP status.
    #[error("the source answered with status {0}")]
    Status(u16),
    /// Nothing came for the idle timeout.
    #[error("the source fell silent")]
    Stalled,
    /// The whole text took longer than it may.
    #[error("the source took longer than the limit")]
    Overdue,
    /// A piece or the whole text is larger than its limit.
    #[error("the source sent more than the limit")]
    TooLarge,
    /// What came is not what a source of this kind sends.
    #[error("the source sent what it should not")]
    Malformed,
    /// The connection ended before the source said that the text was whole.
    #[error("the source hung up before the end")]
    Cut,
    /// The source itself reported a failure.
    #[error("the source failed")]
    Failed,
}

impl SourceFault {
    /// Its name in logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Status(_) => "status",
            Self::Stalled => "stalled",
            Self::Overdue => "overdue",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Cut => "cut",
            Self::Failed => "failed",
        }
    }
}

/// Gives texts piece by piece.
#[async_trait]
pub trait TextSource: Send + Sync {
    /// Asks for a text with `request` as the JSON body.
    ///
    /// # Errors
    ///
    /// [`SourceFault`] when not even the beginning came.
    ///
    /// # Cancel safety
    ///
    /// A dropped call cancels the request.
    async fn open(&self, request: &Value) -> Result<Pieces, SourceFault>;
}
