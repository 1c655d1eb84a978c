//! Coarse monotonic time for deadlines: tenths of a second since the process began, in four bytes.
//!
//! One sweep looks at every connection, so a connection needs no timer of its own.

use std::time::{Duration, Instant};

/// A point in time, or a length of time, in tenths of a second. Good for 13 years.
pub type Ticks = u32;

/// Stands for "never".
pub const NEVER: Ticks = Ticks::MAX;

/// Tells the time since it was made. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Ticker(Instant);

impl Ticker {
    /// Starts at tick 1, so that 0 can mean "not set".
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self(now.checked_sub(Duration::from_millis(100)).unwrap_or(now))
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> Ticks {
        ticks_of(self.now_ms())
    }

    /// Milliseconds since the start, for rates.
    #[must_use]
    pub fn now_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The tick that `ms` milliseconds since the start are in.
#[must_use]
pub fn ticks_of(ms: u64) -> Ticks {
    Ticks::try_from(ms / 100).unwrap_or(NEVER - 1)
}

/// `duration` in ticks, rounded up.
#[must_use]
pub fn ticks(duration: Duration) -> Ticks {
    Ticks::try_from(duration.as_millis().div_ceil(100)).unwrap_or(NEVER - 1)
}
