//! One configured endpoint, as its connections share it.

use std::sync::Arc;

use lychgate_service::limits::Rate;
use lychgate_service::policy::Policy;

use crate::metrics::EndpointMetrics;
use crate::settings::{Behaviour, CredentialSource};
use crate::ws::profile::Profile;

/// What a connection knows of where it entered.
pub struct Endpoint {
    /// Its name in logs.
    pub name: String,
    /// Where its token may be.
    pub credentials: Vec<CredentialSource>,
    /// Who may enter, and where that leads.
    pub policy: Policy,
    /// How it says no.
    pub profile: Arc<Profile>,
    /// What it does with a message.
    pub behaviour: Behaviour,
    /// The largest message, in bytes.
    pub message_bytes_max: usize,
    /// How often a connection may send.
    pub message_rate: Rate,
    /// Its counters.
    pub metrics: EndpointMetrics,
}
