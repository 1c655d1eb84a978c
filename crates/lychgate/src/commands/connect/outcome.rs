//! How a connection ended, what that means, and which exit code says so.

use http::StatusCode;
use lychgate_protocol::ws::{CloseCode, Retry};

/// Refused, or closed for a reason that stays.
pub(super) const REFUSED: u8 = 3;
/// Cannot connect, or the connection was lost.
pub(in crate::commands) const CANNOT_CONNECT: u8 = 4;
/// The login failed.
pub(super) const LOGIN_FAILED: u8 = 5;
/// No answer in time.
pub(super) const NO_ANSWER: u8 = 6;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// We closed, and the server answered.
    Done,
    /// We closed after an answer failed to come.
    Unanswered {
        /// Messages without an answer.
        messages: usize,
    },
    /// The server closed.
    Closed {
        /// With this code; 1005 when the frame had none.
        code: u16,
        /// And this reason.
        reason: String,
    },
    /// The upgrade was answered with an HTTP status.
    Http(StatusCode),
    /// There never was a connection, or it broke.
    Lost(String),
}

impl End {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unanswered { .. } => NO_ANSWER,
            Self::Closed { code, .. } => match CloseCode(*code) {
                CloseCode::NORMAL | CloseCode::NO_STATUS => 0,
                code if is_the_servers_trouble(code) => CANNOT_CONNECT,
                _ => REFUSED,
            },
            Self::Http(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) => REFUSED,
            Self::Http(_) | Self::Lost(_) => CANNOT_CONNECT,
        }
    }
}

/// Codes that say something about the server and nothing about the client: the same connection may work again later.
fn is_the_servers_trouble(code: CloseCode) -> bool {
    matches!(
        code,
        CloseCode::GOING_AWAY
            | CloseCode::ABNORMAL
            | CloseCode::INTERNAL
            | CloseCode::RESTART
            | CloseCode::TRY_AGAIN
            | CloseCode::BAD_GATEWAY
            | CloseCode::SHUTDOWN
            | CloseCode::INTERNAL_SERVER_ERROR
            | CloseCode::WRITE_ERROR
    )
}

/// What to do after a close with this code.
pub(super) fn advice(code: u16) -> &'static str {
    if CloseCode(code) == CloseCode::NORMAL {
        return "Nothing to do.";
    }
    if (4000..=4999).contains(&code) {
        return "The code is the application's own, and so is what to do: its reason says more, and its documentation.";
    }
    match CloseCode(code).retry() {
        Retry::Reconnect => "Connect again, after a moment.",
        Retry::RefreshThenReconnect => {
            "Get a new token and connect again; if the new one meets the same answer, the account lacks the right."
        }
        Retry::Stop => "Connecting again in the same way meets the same answer.",
    }
}

/// What an HTTP answer to the upgrade means and what to do.
pub(super) fn explain_http(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => {
            "The token is missing or not accepted. Get a new one: lychgate connect … --user NAME."
        }
        StatusCode::FORBIDDEN => "The token is accepted, and may not do this.",
        StatusCode::NOT_FOUND => "There is no endpoint at this path.",
        StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => {
            "The server does not take this as a WebSocket request."
        }
        StatusCode::TOO_MANY_REQUESTS => "Too many connections from here. Try again later.",
        StatusCode::SERVICE_UNAVAILABLE => "The server is full or stopping. Try again in a moment.",
        _ => "This is not the answer of a WebSocket endpoint.",
    }
}
