//! Reasons for which the server ends a subscription.

use std::fmt;

/// The code of an unsubscribe push.
///
/// Below 2500 the subscription stays ended, from 2500 on the client subscribes again.
/// 2100 to 2499 and 2600 to 2999 are an application's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnsubscribeCode(pub u32);

/// What a client's library does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsubscribeNext {
    /// The subscription stays ended.
    Stop,
    /// It subscribes again, and recovers if it can.
    Resubscribe,
    /// It drops the token and the position, and subscribes again.
    Restart,
}

/// One row of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeEntry {
    /// The code.
    pub code: UnsubscribeCode,
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// The text in the push.
    pub reason: &'static str,
    /// What the client's library does next.
    pub next: UnsubscribeNext,
    /// One sentence for people.
    pub meaning: &'static str,
}

macro_rules! unsubscribes {
    ($($constant:ident $code:literal $name:literal $reason:literal $next:ident $meaning:literal;)*) => {
        impl UnsubscribeCode {
            $(#[doc = $meaning] pub const $constant: Self = Self($code);)*
        }

        /// Every reason of the protocol's, in ascending order.
        pub const UNSUBSCRIBES: &[UnsubscribeEntry] = &[$(UnsubscribeEntry {
            code: UnsubscribeCode::$constant,
            name: $name,
            reason: $reason,
            next: UnsubscribeNext::$next,
            meaning: $meaning,
        },)*];
    };
}

unsubscribes! {
    SERVER 2000 "server" "server unsubscribe" Stop "The application or an operator ended the subscription.";
    INSUFFICIENT_STATE 2500 "insufficient_state" "insufficient state" Resubscribe "The server has lost the client's place in the stream.";
    EXPIRED 2501 "expired" "subscription expired" Resubscribe "The subscription's token has expired and was not refreshed.";
    STATE_INVALIDATED 2502 "state_invalidated" "state invalidated" Restart "The token and the position are no longer valid.";
}

impl UnsubscribeCode {
    /// The row of the table, if this code has one.
    pub fn entry(self) -> Option<&'static UnsubscribeEntry> {
        UNSUBSCRIBES.iter().find(|entry| entry.code == self)
    }

    /// The text in the push; empty for a code of an application's.
    pub fn reason(self) -> &'static str {
        self.entry().map_or("", |entry| entry.reason)
    }

    /// What the client's library does next.
    pub fn next(self) -> UnsubscribeNext {
        match self.entry() {
            Some(entry) => entry.next,
            None if self.0 < 2500 => UnsubscribeNext::Stop,
            None => UnsubscribeNext::Resubscribe,
        }
    }
}

impl fmt::Debug for UnsubscribeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => write!(f, "{} {}", self.0, entry.name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for UnsubscribeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
