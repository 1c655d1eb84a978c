//! The wall clock, as an argument.
//!
//! Use cases ask a [`Clock`] instead of the system, so that a test decides what time it is.
//! Durations and deadlines of sockets are measured by the gateway's monotonic clock, never by this one:
//! a wall clock that jumps back must not revive a token.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMicros(pub u64);

impl UnixMicros {
    /// Whole seconds since the Unix epoch, rounded down; the unit of `exp`, `nbf` and `iat` (RFC 7519 section 2).
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Microseconds into the current second.
    #[must_use]
    pub const fn subsecond_micros(self) -> u32 {
        (self.0 % 1_000_000) as u32
    }
}

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock. It may jump in both directions.
    fn now(&self) -> UnixMicros;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMicros {
        // A clock set before 1970 reads as 1970: every token is then "not yet valid", which fails closed.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMicros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }
}
