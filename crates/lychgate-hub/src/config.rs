//! The hub's limits, each with its name and default.

/// The size of a hub and of its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubConfig {
    /// Number of flushers that share the sessions among them; 0 counts as 1.
    pub shards: usize,
    /// Bytes at which a batch is sealed even before its tick ends; a single longer frame is a batch of its own.
    pub batch_bytes_max: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { shards: 1, batch_bytes_max: 65_536 }
    }
}

/// How much may wait for one socket before its session is closed as slow.
///
/// The last frame of a session (its close frame) is let in beyond both limits, so that a full queue can still say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Bytes that may wait; more than `u32::MAX` counts as `u32::MAX`.
    pub bytes_max: usize,
    /// Slices that may wait: each keeps its whole batch in memory, however short it is itself.
    pub slices_max: usize,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { bytes_max: 1_048_576, slices_max: 1_024 }
    }
}
