//! Reasons for which a connection is closed, as close codes of the WebSocket.
//!
//! The numbers are those of [`CloseCode`]; here stands the text that clients of this protocol get with each, and what
//! their libraries do next.

use crate::ws::CloseCode;

/// What a client's library does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectNext {
    /// It connects again, with backoff.
    Reconnect,
    /// It drops its tokens and positions, and connects again.
    Restart,
    /// It stays disconnected.
    Stop,
}

/// One row of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisconnectEntry {
    /// The close code.
    pub code: CloseCode,
    /// The reason in the close frame.
    pub reason: &'static str,
    /// Whether a close frame ever carries it.
    pub is_sent: bool,
    /// What the client's library does next.
    pub next: DisconnectNext,
    /// When it is sent.
    pub meaning: &'static str,
}

macro_rules! disconnects {
    ($($code:literal $reason:literal $sent:ident $next:ident $meaning:literal;)*) => {
        /// Every reason of the protocol's, in ascending order.
        pub const DISCONNECTS: &[DisconnectEntry] = &[$(DisconnectEntry {
            code: CloseCode($code),
            reason: $reason,
            is_sent: disconnects!(@ $sent),
            next: DisconnectNext::$next,
            meaning: $meaning,
        },)*];
    };
    (@ sent) => { true };
    (@ local) => { false };
}

disconnects! {
    3000 "connection closed" local Reconnect "The connection ended by itself.";
    3001 "shutdown" sent Reconnect "The server shuts down.";
    3004 "internal server error" sent Reconnect "The server met an error that it did not expect.";
    3005 "connection expired" sent Reconnect "The connection's token has expired and was not refreshed.";
    3006 "subscription expired" sent Reconnect "The token of a server-side subscription has expired and was not refreshed.";
    3008 "slow" sent Reconnect "The client read too slowly and its queue was full.";
    3009 "write error" sent Reconnect "Writing to the client failed.";
    3010 "insufficient state" sent Reconnect "The server has lost its place in a channel's stream.";
    3011 "force reconnect" sent Reconnect "An operator or the application asks the client to connect again.";
    3012 "no pong" sent Reconnect "The client did not answer a ping in time.";
    3013 "too many requests" sent Reconnect "The client sent more than its rate allows.";
    3014 "state invalidated" sent Restart "Tokens and positions are no longer valid.";
    3500 "invalid token" sent Stop "A token is not accepted.";
    3501 "bad request" sent Stop "The client sent what is no command of the protocol, or not at this time.";
    3502 "stale" sent Stop "The client did not open its session in time.";
    3503 "force disconnect" sent Stop "An operator or the application ended the connection.";
    3504 "connection limit" sent Stop "The user has too many connections.";
    3505 "channel limit" sent Stop "The connection would have too many channels.";
    3506 "inappropriate protocol" sent Stop "The client speaks a protocol that this endpoint does not.";
    3507 "permission denied" sent Stop "The client may not connect here.";
    3508 "not available" sent Stop "What the client asked for is switched off.";
    3509 "too many errors" sent Stop "The client made too many errors.";
}

/// The reason to send with `code`; empty for a code that is not of this protocol.
pub fn disconnect_reason(code: CloseCode) -> &'static str {
    DISCONNECTS.iter().find(|entry| entry.code == code).map_or("", |entry| entry.reason)
}

impl DisconnectEntry {
    /// Whether clients' libraries connect again after it.
    pub const fn reconnects(&self) -> bool {
        !matches!(self.next, DisconnectNext::Stop)
    }
}
