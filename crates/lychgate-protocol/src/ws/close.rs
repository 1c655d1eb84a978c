//! Close codes: what each means, who may send it, and what a client does next.
//!
//! Owns the table from which the reference page is generated, and the ranges that rule a code outside it.
//!
//! | range | on the wire | a client |
//! |---|---|---|
//! | 1000-2999 | only what RFC 6455 and the IANA registry define | as the table says |
//! | 3000-3499 | ours | reconnects |
//! | 3500-3999 | ours | stops |
//! | 4000-4499 | the application's | reconnects |
//! | 4500-4999 | the application's | stops |
//!
//! **Invariant:** the table is sorted by code, and an entry outside its range's rule says why.

use std::fmt;

/// A close code (RFC 6455 §7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Connect again, with backoff and jitter.
    Reconnect,
    /// Get a new token, then connect again; if the new token meets the same code, stop.
    RefreshThenReconnect,
    /// Do not connect again: the answer would be the same.
    Stop,
}

/// One row of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCodeEntry {
    /// The code.
    pub code: CloseCode,
    /// Its name in configuration, logs and metrics.
    pub name: &'static str,
    /// One sentence for people.
    pub meaning: &'static str,
    /// What a client does next.
    pub retry: Retry,
    /// Whether a close frame may carry it; the others exist only in an API (RFC 6455 §7.4.1).
    pub is_sent: bool,
}

macro_rules! close_codes {
    ($($constant:ident $code:literal $name:literal $retry:ident $sent:ident $meaning:literal;)*) => {
        impl CloseCode {
            $(#[doc = $meaning] pub const $constant: Self = Self($code);)*
        }

        /// Every code that has a meaning here, in ascending order.
        pub const CLOSE_CODES: &[CloseCodeEntry] = &[$(CloseCodeEntry {
            code: CloseCode::$constant,
            name: $name,
            meaning: $meaning,
            retry: Retry::$retry,
            is_sent: close_codes!(@ $sent),
        },)*];
    };
    (@ sent) => { true };
    (@ local) => { false };
}

close_codes! {
    NORMAL 1000 "normal" Stop sent "The purpose of the connection is fulfilled.";
    GOING_AWAY 1001 "going_away" Reconnect sent "The peer goes away: a page was left or a server stops.";
    PROTOCOL_ERROR 1002 "protocol_error" Stop sent "The peer broke the WebSocket protocol.";
    UNSUPPORTED_DATA 1003 "unsupported_data" Stop sent "The peer sent a type of data that is not accepted here.";
    NO_STATUS 1005 "no_status" Reconnect local "The close frame carried no code.";
    ABNORMAL 1006 "abnormal" Reconnect local "The connection ended without a close frame.";
    INVALID_PAYLOAD 1007 "invalid_payload" Stop sent "The peer sent data that does not fit its type, such as text that is not UTF-8.";
    POLICY 1008 "policy" RefreshThenReconnect sent "The peer may not do this: authentication, a right or a limit.";
    TOO_BIG 1009 "too_big" Stop sent "The peer sent a message that is longer than accepted here.";
    EXTENSION_REQUIRED 1010 "extension_required" Stop sent "The client needs an extension that the server did not offer.";
    INTERNAL 1011 "internal" Reconnect sent "The server met an error that it did not expect.";
    RESTART 1012 "restart" Reconnect sent "The server restarts.";
    TRY_AGAIN 1013 "try_again" Reconnect sent "The server is overloaded: try again later.";
    BAD_GATEWAY 1014 "bad_gateway" Reconnect sent "A server behind this one gave an answer that cannot be used.";
    TLS_HANDSHAKE 1015 "tls_handshake" Stop local "The TLS handshake failed.";
    SHUTDOWN 3001 "shutdown" Reconnect sent "The server shuts down.";
    INTERNAL_SERVER_ERROR 3004 "internal_server_error" Reconnect sent "The server met an error that it did not expect.";
    EXPIRED 3005 "expired" RefreshThenReconnect sent "The connection's token has expired.";
    SUBSCRIPTION_EXPIRED 3006 "subscription_expired" RefreshThenReconnect sent "A subscription's token has expired.";
    SLOW 3008 "slow" Reconnect sent "The peer read too slowly and its queue was full.";
    WRITE_ERROR 3009 "write_error" Reconnect sent "Writing to the peer failed.";
    INSUFFICIENT_STATE 3010 "insufficient_state" Reconnect sent "The server has lost its place in a channel's stream.";
    FORCE_RECONNECT 3011 "force_reconnect" Reconnect sent "An operator asks the client to connect again.";
    NO_PONG 3012 "no_pong" Reconnect sent "The peer did not answer a ping in time.";
    TOO_MANY_REQUESTS 3013 "too_many_requests" Reconnect sent "The peer sent more than its rate allows.";
    STATE_INVALIDATED 3014 "state_invalidated" RefreshThenReconnect sent "Tokens and state are no longer valid: drop both.";
    INVALID_TOKEN 3500 "invalid_token" Stop sent "The token is not accepted.";
    BAD_REQUEST 3501 "bad_request" Stop sent "The peer sent a command that is not understood.";
    STALE 3502 "stale" Stop sent "The peer did not authenticate in time.";
    FORCE_DISCONNECT 3503 "force_disconnect" Stop sent "An operator or the application ended the connection.";
    CONNECTION_LIMIT 3504 "connection_limit" Stop sent "The peer has too many connections.";
    CHANNEL_LIMIT 3505 "channel_limit" Stop sent "The peer has too many channels.";
    INAPPROPRIATE_PROTOCOL 3506 "inappropriate_protocol" Stop sent "The peer speaks a protocol that this endpoint does not.";
    PERMISSION_DENIED 3507 "permission_denied" Stop sent "The peer may not connect here.";
    NOT_AVAILABLE 3508 "not_available" Stop sent "What the peer asked for is switched off.";
    TOO_MANY_ERRORS 3509 "too_many_errors" Stop sent "The peer made too many errors.";
}

impl CloseCode {
    /// Whether a close frame may carry this code (RFC 6455 §7.4.2 and the IANA registry).
    ///
    /// 1004, 1005, 1006 and 1015 must not travel, 1016-2999 are not assigned, and nothing is defined below 1000 or
    /// above 4999.
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The row of the table, if this code has one.
    pub fn entry(self) -> Option<&'static CloseCodeEntry> {
        CLOSE_CODES.iter().find(|entry| entry.code == self)
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        match (self.entry(), self.0) {
            (Some(entry), _) => entry.meaning,
            (None, 3000..=3999) => "A code of this server's range without a meaning of its own.",
            (None, 4000..=4999) => "A code that the application defines.",
            (None, _) => "A code that nobody has defined.",
        }
    }

    /// What a client does after a close with this code.
    pub fn retry(self) -> Retry {
        match (self.entry(), self.0) {
            (Some(entry), _) => entry.retry,
            (None, 3500..=3999 | 4500..=4999) => Retry::Stop,
            (None, _) => Retry::Reconnect,
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => write!(f, "{} {}", self.0, entry.name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
