//! Everything for which a client's message is refused.
//!
//! **Absent on purpose:** the offending bytes.
//! A fault is logged, and what a client sent is not ours to print.

use crate::ws::CloseCode;

/// Why a message holds no further command; the connection is closed with [`Malformed::close_code`].
///
/// `at` is an offset in the message. The commands before it were whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// The message has no bytes.
    #[error("the message is empty")]
    Empty,
    /// There is nothing between two newlines.
    #[error("a line is blank at byte {at}")]
    BlankLine {
        /// Where the line begins.
        at: usize,
    },
    /// The message is not UTF-8.
    #[error("the message is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// A line is no JSON object, a field has another type or is out of range, or a name occurs twice.
    #[error("a command is not a JSON object of the protocol at byte {at}")]
    NotACommand {
        /// Where reading stopped.
        at: usize,
    },
    /// A command nests deeper than [`DEPTH_MAX`](crate::json::DEPTH_MAX).
    #[error("a command at byte {at} is nested too deep")]
    TooDeep {
        /// Where the command begins.
        at: usize,
    },
    /// The bytes are no Protobuf message of the protocol: cut short, a field of another type or out of range, or a
    /// field twice.
    #[error("a command is not a Protobuf message of the protocol at byte {at}")]
    NotAMessage {
        /// Where the command begins.
        at: usize,
    },
}

impl Malformed {
    /// The code to close with.
    pub const fn close_code(self) -> CloseCode {
        CloseCode::BAD_REQUEST
    }

    /// A stable label for logs and metrics; one of a fixed set.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::BlankLine { .. } => "blank_line",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotACommand { .. } => "not_a_command",
            Self::TooDeep { .. } => "too_deep",
            Self::NotAMessage { .. } => "not_a_message",
        }
    }
}
