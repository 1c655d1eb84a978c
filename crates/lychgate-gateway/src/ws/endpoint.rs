//! One configured endpoint, as its connections share it.

use std::sync::Arc;

use crate::metrics::EndpointMetrics;
use crate::settings::EndpointSettings;
use crate::ws::seats::Seats;

/// What a connection knows of where it entered.
pub struct Endpoint {
    /// What it was told.
    pub settings: EndpointSettings,
    /// Its counters.
    pub metrics: EndpointMetrics,
    /// Its seats, if it counts them.
    pub seats: Option<Arc<Seats>>,
}
