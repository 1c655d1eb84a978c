//! What the server counts.
//!
//! Each metric is declared once, in [`METRICS`], with its name, help and labels; the registry and the reference page come from there.
//! Labels are bounded: an endpoint's configured name, or a word from a fixed list. Never a user, an address or a channel.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64};

use lychgate_hub::Drain;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only up. Its name on the wire ends in `_total`.
    Counter,
    /// Up and down.
    Gauge,
}

/// One metric as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its name, without the `_total` of counters.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        $(const $constant: Description =
            Description { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// Every metric that `/metrics` serves.
        pub const METRICS: &[Description] = &[$($constant),*];
    };
}

metrics! {
    CONNECTIONS = "lychgate_connections", Gauge, ["endpoint"], "WebSockets that are open";
    CONNECTS = "lychgate_connects", Counter, ["endpoint"], "WebSockets that were admitted";
    REFUSALS = "lychgate_refusals", Counter, ["endpoint", "reason"], "Connections that were refused at the gate, by the check that failed";
    CLOSES = "lychgate_closes", Counter, ["endpoint", "event"], "Admitted connections that the server closed, by event";
    ACCEPTS_REFUSED = "lychgate_accepts_refused", Counter, ["limit"], "Sockets or requests turned away before any credential was read, by limit";
    LOGINS = "lychgate_logins", Counter, ["outcome"], "Login attempts by outcome";
    MESSAGES = "lychgate_messages_received", Counter, ["endpoint"], "Data messages that clients sent";
    MESSAGES_REFUSED = "lychgate_messages_refused", Counter, ["endpoint", "reason"], "Data messages that were not taken, by reason";
    PROTOCOL_ERRORS = "lychgate_protocol_errors", Counter, ["endpoint"], "Connections closed because their bytes were no valid WebSocket frames";
    HUB_SESSIONS = "lychgate_hub_sessions", Gauge, [], "Sessions in the hub, those that are closing too";
    HUB_CHANNELS = "lychgate_hub_channels", Gauge, [], "Channels with at least one subscriber";
    HUB_SUBSCRIPTIONS = "lychgate_hub_subscriptions", Gauge, [], "Subscriptions";
    HUB_FRAMES = "lychgate_hub_frames", Counter, [], "Frames published, each counted once";
    HUB_BATCHES = "lychgate_hub_batches", Counter, [], "Batches sealed";
    HUB_SLICES = "lychgate_hub_slices", Counter, [], "Slices queued for sockets";
    HUB_BYTES = "lychgate_hub_written_bytes", Counter, [], "Bytes that sockets took";
    HUB_SLOW = "lychgate_hub_overflows", Counter, [], "Sessions whose queue reached a limit because the peer did not read";
    HUB_BLOCKED = "lychgate_hub_blocked_sessions", Gauge, [], "Sockets that wait until they can be written to";
    HUB_QUEUE_PEAK = "lychgate_hub_queue_peak_bytes", Gauge, [], "The most that ever waited for one socket, in bytes";
}

/// The label of per-endpoint metrics.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    endpoint: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    endpoint: String,
    event: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// All metrics of this process.
pub struct Metrics {
    registry: Registry,
    connections: Family<EndpointLabel, Gauge>,
    connects: Family<EndpointLabel, Counter>,
    refusals: Family<ReasonLabels, Counter>,
    closes: Family<EventLabels, Counter>,
    accepts_refused: Family<LimitLabel, Counter>,
    logins: Family<OutcomeLabel, Counter>,
    messages: Family<EndpointLabel, Counter>,
    messages_refused: Family<ReasonLabels, Counter>,
    protocol_errors: Family<EndpointLabel, Counter>,
}

/// The counters of one endpoint, found once so that a message costs one atomic addition.
#[derive(Clone)]
pub struct EndpointMetrics {
    endpoint: String,
    /// Open now.
    pub connections: Gauge<i64, AtomicI64>,
    /// Admitted.
    pub connects: Counter<u64, AtomicU64>,
    /// Data messages received.
    pub messages: Counter<u64, AtomicU64>,
    /// Ended by a protocol violation.
    pub protocol_errors: Counter<u64, AtomicU64>,
    refusals: Family<ReasonLabels, Counter>,
    closes: Family<EventLabels, Counter>,
    messages_refused: Family<ReasonLabels, Counter>,
}

impl EndpointMetrics {
    /// Counts a refusal at the gate.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&ReasonLabels { endpoint: self.endpoint.clone(), reason }).inc();
    }

    /// Counts a close by the server.
    pub fn closed(&self, event: &'static str) {
        self.closes.get_or_create(&EventLabels { endpoint: self.endpoint.clone(), event }).inc();
    }

    /// Counts a message that was not taken.
    pub fn message_refused(&self, reason: &'static str) {
        self.messages_refused.get_or_create(&ReasonLabels { endpoint: self.endpoint.clone(), reason }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        macro_rules! register {
            ($description:expr) => {{
                let family = Family::default();
                registry.register($description.name, $description.help, family.clone());
                family
            }};
        }
        Self {
            connections: register!(CONNECTIONS),
            connects: register!(CONNECTS),
            refusals: register!(REFUSALS),
            closes: register!(CLOSES),
            accepts_refused: register!(ACCEPTS_REFUSED),
            logins: register!(LOGINS),
            messages: register!(MESSAGES),
            messages_refused: register!(MESSAGES_REFUSED),
            protocol_errors: register!(PROTOCOL_ERRORS),
            registry,
        }
    }
}

impl Metrics {
    /// The counters of the endpoint called `name`.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> EndpointMetrics {
        let label = EndpointLabel { endpoint: name.to_owned() };
        EndpointMetrics {
            endpoint: name.to_owned(),
            connections: self.connections.get_or_create_owned(&label),
            connects: self.connects.get_or_create_owned(&label),
            messages: self.messages.get_or_create_owned(&label),
            protocol_errors: self.protocol_errors.get_or_create_owned(&label),
            refusals: self.refusals.clone(),
            closes: self.closes.clone(),
            messages_refused: self.messages_refused.clone(),
        }
    }

    /// Counts a socket or request that a limit turned away.
    pub fn accept_refused(&self, limit: &'static str) {
        self.accepts_refused.get_or_create(&LimitLabel { limit }).inc();
    }

    /// Counts a login attempt.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Everything in the OpenMetrics text format, with the hub's own counters as they stand.
    #[must_use]
    pub fn encode(&self, drain: &Drain) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail; an empty page would be noticed by any scraper.
        let _ = text::encode_registry(&mut out, &self.registry);
        let stats = drain.stats();
        for (description, value) in [
            (HUB_SESSIONS, stats.sessions),
            (HUB_CHANNELS, stats.channels),
            (HUB_SUBSCRIPTIONS, stats.subscriptions),
            (HUB_FRAMES, stats.frames_published),
            (HUB_BATCHES, stats.batches_sealed),
            (HUB_SLICES, stats.slices_pushed),
            (HUB_BYTES, stats.bytes_written),
            (HUB_SLOW, stats.sessions_overflowed),
            (HUB_BLOCKED, stats.sessions_blocked),
            (HUB_QUEUE_PEAK, stats.queue_bytes_high),
        ] {
            let (kind, suffix) = match description.kind {
                Kind::Counter => ("counter", "_total"),
                Kind::Gauge => ("gauge", ""),
            };
            let Description { name, help, .. } = description;
            let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{suffix} {value}\n");
        }
        let _ = text::encode_eof(&mut out);
        out
    }
}
