//! The id that joins what a client was told with what the log says.

use std::fmt;

/// 48 random bits as 12 hexadecimal digits: short enough to read out over a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

/// The header that carries it back to the client.
pub const HEADER: &str = "x-request-id";

impl RequestId {
    /// A fresh id.
    #[must_use]
    pub fn fresh() -> Self {
        Self(rand::random::<u64>() >> 16)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}
