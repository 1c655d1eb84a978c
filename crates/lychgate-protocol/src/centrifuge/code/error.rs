//! Errors that answer one command.

use std::fmt;

/// The code of an error reply.
///
/// Up to 399 they are the protocol's; an application has 400 to 1999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

/// What a client's library does when a connect or a subscribe meets the error. Every other command hands it to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorNext {
    /// It tries again, with backoff.
    Retry,
    /// It gets a new token and tries again.
    RefreshThenRetry,
    /// A subscribe starts over from a fresh position if the application can give one, and ends otherwise.
    NewPosition,
    /// It stops with this code: the connection or the subscription stays ended.
    Stop,
}

/// One row of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorEntry {
    /// The code.
    pub code: ErrorCode,
    /// Its name in configuration, logs and metrics.
    pub name: &'static str,
    /// The text in the reply.
    pub message: &'static str,
    /// Whether the reply says that the same command may succeed later.
    pub is_temporary: bool,
    /// What the client's library does next.
    pub next: ErrorNext,
    /// One sentence for people.
    pub meaning: &'static str,
}

macro_rules! errors {
    ($($constant:ident $code:literal $name:literal $message:literal $lasts:ident $next:ident $meaning:literal;)*) => {
        impl ErrorCode {
            $(#[doc = $meaning] pub const $constant: Self = Self($code);)*
        }

        /// Every error of the protocol, in ascending order.
        pub const ERRORS: &[ErrorEntry] = &[$(ErrorEntry {
            code: ErrorCode::$constant,
            name: $name,
            message: $message,
            is_temporary: errors!(@ $lasts),
            next: ErrorNext::$next,
            meaning: $meaning,
        },)*];
    };
    (@ temporary) => { true };
    (@ lasting) => { false };
}

errors! {
    INTERNAL 100 "internal" "internal server error" temporary Retry "The server met an error that it did not expect.";
    UNAUTHORIZED 101 "unauthorized" "unauthorized" lasting Stop "The client has not said who it is.";
    UNKNOWN_CHANNEL 102 "unknown_channel" "unknown channel" lasting Stop "There is no such channel, nor a namespace for it.";
    PERMISSION_DENIED 103 "permission_denied" "permission denied" lasting Stop "The client may not do this here.";
    METHOD_NOT_FOUND 104 "method_not_found" "method not found" lasting Stop "Nobody answers this call.";
    ALREADY_SUBSCRIBED 105 "already_subscribed" "already subscribed" lasting Stop "The connection hears this channel already.";
    LIMIT_EXCEEDED 106 "limit_exceeded" "limit exceeded" lasting Stop "The connection has as many channels as it may have.";
    BAD_REQUEST 107 "bad_request" "bad request" lasting Stop "A field of the command is missing or has a value that cannot be.";
    NOT_AVAILABLE 108 "not_available" "not available" lasting Stop "What the command asks for is switched off here.";
    TOKEN_EXPIRED 109 "token_expired" "token expired" lasting RefreshThenRetry "The token has expired, or is not valid yet.";
    EXPIRED 110 "expired" "expired" lasting Stop "What was asked for would be over before it began.";
    TOO_MANY_REQUESTS 111 "too_many_requests" "too many requests" temporary Retry "The client sends more than its rate allows.";
    UNRECOVERABLE_POSITION 112 "unrecoverable_position" "unrecoverable position" lasting NewPosition "The stream no longer holds the position, or never did.";
    CONCURRENT_PAGINATION 113 "concurrent_pagination" "concurrent pagination" temporary Retry "Another page of the same state is being read.";
}

impl ErrorCode {
    /// The row of the table, if this code has one.
    pub fn entry(self) -> Option<&'static ErrorEntry> {
        ERRORS.iter().find(|entry| entry.code == self)
    }

    /// The text in the reply; `error` for a code of the application's.
    pub fn message(self) -> &'static str {
        self.entry().map_or("error", |entry| entry.message)
    }

    /// Whether the reply says that the same command may succeed later.
    pub fn is_temporary(self) -> bool {
        self.entry().is_some_and(|entry| entry.is_temporary)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => write!(f, "{} {}", self.0, entry.name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
