//! One configured endpoint, as its connections share it.

use crate::metrics::EndpointMetrics;
use crate::settings::EndpointSettings;

/// What a connection knows of where it entered.
pub struct Endpoint {
    /// What it was told.
    pub settings: EndpointSettings,
    /// Its counters.
    pub metrics: EndpointMetrics,
}
