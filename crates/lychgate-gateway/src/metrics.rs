//! What the server counts.
//!
//! Each metric is declared once, in [`METRICS`], with its name, help and labels; the registry and the reference page come from there.
//! Labels are bounded: an endpoint's configured name, or a word from a fixed list. Never a user, an address or a channel.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use lychgate_hub::Drain;
use lychgate_service::conversation::Answers;
use lychgate_service::events::{EventFigures, Outbox};
use lychgate_service::local_broker::LocalBroker;
use lychgate_service::presence::SharedBoard;
use lychgate_service::revocations::Revocations;
use lychgate_service::streams::Streams;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;

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
    FALLBACKS = "lychgate_fallback_connections", Gauge, ["endpoint", "transport"], "Connections among all that came by `sse` or `http_stream`, admitted or not yet";
    FALLBACKS_BEGUN = "lychgate_fallback_connects", Counter, ["endpoint", "transport"], "Connections that began by `sse` or `http_stream`, before they were admitted or refused";
    EMULATED = "lychgate_emulation_requests", Counter, ["outcome"], "Requests of such clients to say something, by outcome: `ok` or why not";
    CREDENTIALS = "lychgate_credentials", Counter, ["endpoint", "kind"], "Credentials that came with a connection, by the kind of place they were in; `application` where it said who connects";
    REFUSALS = "lychgate_refusals", Counter, ["endpoint", "reason"], "Connections that were refused at the gate, by the check that failed";
    CLOSES = "lychgate_closes", Counter, ["endpoint", "event"], "Admitted connections that the server closed, by event";
    ACCEPTS_REFUSED = "lychgate_accepts_refused", Counter, ["limit"], "Sockets or requests turned away before any credential was read, by limit";
    LOGINS = "lychgate_logins", Counter, ["outcome"], "Login attempts by outcome";
    REFRESHES = "lychgate_refreshes", Counter, ["outcome"], "Refresh tokens that were shown, by outcome: `ok`, or why not";
    REVOCATIONS_ASKED = "lychgate_revocations", Counter, ["outcome"], "Tokens that clients wanted revoked, by outcome: `session`, `token`, `unknown`, `throttled` or `unavailable`";
    REVOCATIONS_KEPT = "lychgate_revocations_kept", Gauge, [], "Revocations in memory that may still concern a token";
    TICKETS = "lychgate_tickets", Counter, ["outcome"], "One-time tickets asked for, by outcome";
    API_REQUESTS = "lychgate_api_requests", Counter, ["route", "status"], "Requests to the API, by what was asked for and the status of the answer";
    MESSAGES = "lychgate_messages_received", Counter, ["endpoint"], "Data messages that clients sent";
    MESSAGES_REFUSED = "lychgate_messages_refused", Counter, ["endpoint", "reason"], "Data messages that were not taken, by reason";
    PROTOCOL_ERRORS = "lychgate_protocol_errors", Counter, ["endpoint"], "Connections closed because their bytes were no valid WebSocket frames";
    STREAM_RUNS = "lychgate_stream_runs", Gauge, ["endpoint"], "Texts that are being streamed, or kept for those who come late";
    STREAMS = "lychgate_streams", Counter, ["endpoint", "end"], "Texts that were streamed, by their end: `completed`, `failed` or `cancelled`";
    ANSWER_RUNS = "lychgate_answer_runs", Gauge, ["endpoint"], "Answers that a source of text is giving to one connection (`act = \"ask\"`)";
    ANSWERS = "lychgate_answers", Counter, ["endpoint", "end"], "Such answers by their end: `completed`, `failed`, or `cancelled` since the one who asked was gone";
    BOARD_USERS = "lychgate_board_users", Gauge, ["board"], "Users who are on a board";
    BOARD_DEVICES = "lychgate_board_devices", Gauge, ["board"], "Devices that count on a board";
    MIRROR_WRITES = "lychgate_mirror_writes", Counter, ["board", "outcome"], "States written to the copy of a board, by outcome: `ok`, `failed` (and tried again), `refused` or `dropped`";
    MIRROR_WAITING = "lychgate_mirror_waiting", Gauge, ["board"], "Users whose newest state is not in the copy yet";
    CHANNELS_KEPT = "lychgate_channels_kept", Gauge, [], "Channels of namespaces whose place is remembered";
    CHANNELS_KEPT_BYTES = "lychgate_channels_kept_bytes", Gauge, [], "Bytes that they keep for clients that come back";
    EVENTS = "lychgate_events", Counter, ["source", "outcome"], "Events for the application: `written` (stored), `delivered` (taken by it) or `dropped` (lost for want of room, and told as a number)";
    EVENT_CALLS = "lychgate_event_calls", Counter, ["source", "outcome"], "Calls that told the application events, by outcome: `ok`, or `failed` and tried again";
    EVENTS_WAITING = "lychgate_events_waiting", Gauge, ["source"], "Stored events that the application has not taken yet";
    EVENTS_OLDEST = "lychgate_events_oldest_seconds", Gauge, ["source"], "How long the oldest of them has waited, in seconds";
    TASKS = "lychgate_tasks", Gauge, ["kind"], "Tasks that have not ended: one for each connection, of HTTP and of a WebSocket (`connection`), and what runs beside them, such as texts and the answer to this request (`background`)";
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
struct KindLabels {
    endpoint: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TransportLabels {
    endpoint: String,
    transport: &'static str,
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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    status: u16,
}

/// All metrics of this process.
pub struct Metrics {
    registry: Registry,
    connections: Family<EndpointLabel, Gauge>,
    connects: Family<EndpointLabel, Counter>,
    fallbacks: Family<TransportLabels, Gauge>,
    fallbacks_begun: Family<TransportLabels, Counter>,
    emulated: Family<OutcomeLabel, Counter>,
    credentials: Family<KindLabels, Counter>,
    refusals: Family<ReasonLabels, Counter>,
    closes: Family<EventLabels, Counter>,
    accepts_refused: Family<LimitLabel, Counter>,
    logins: Family<OutcomeLabel, Counter>,
    refreshes: Family<OutcomeLabel, Counter>,
    revocations_asked: Family<OutcomeLabel, Counter>,
    tickets: Family<OutcomeLabel, Counter>,
    api_requests: Family<RouteLabels, Counter>,
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
    credentials: Family<KindLabels, Counter>,
    refusals: Family<ReasonLabels, Counter>,
    closes: Family<EventLabels, Counter>,
    messages_refused: Family<ReasonLabels, Counter>,
}

impl EndpointMetrics {
    /// Counts a credential by the kind of place it was in.
    pub fn credential(&self, kind: &'static str) {
        self.credentials.get_or_create(&KindLabels { endpoint: self.endpoint.clone(), kind }).inc();
    }

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
            fallbacks: register!(FALLBACKS),
            fallbacks_begun: register!(FALLBACKS_BEGUN),
            emulated: register!(EMULATED),
            credentials: register!(CREDENTIALS),
            refusals: register!(REFUSALS),
            closes: register!(CLOSES),
            accepts_refused: register!(ACCEPTS_REFUSED),
            logins: register!(LOGINS),
            refreshes: register!(REFRESHES),
            revocations_asked: register!(REVOCATIONS_ASKED),
            tickets: register!(TICKETS),
            api_requests: register!(API_REQUESTS),
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
            credentials: self.credentials.clone(),
            refusals: self.refusals.clone(),
            closes: self.closes.clone(),
            messages_refused: self.messages_refused.clone(),
        }
    }

    /// Counts a socket or request that a limit turned away.
    pub fn accept_refused(&self, limit: &'static str) {
        self.accepts_refused.get_or_create(&LimitLabel { limit }).inc();
    }

    /// Counts a connection that is no WebSocket, among those that are open too; the caller takes it out of these again.
    #[must_use]
    pub fn fallback(&self, endpoint: &str, transport: &'static str) -> Gauge<i64, AtomicI64> {
        let labels = TransportLabels { endpoint: endpoint.to_owned(), transport };
        self.fallbacks_begun.get_or_create(&labels).inc();
        let open = self.fallbacks.get_or_create_owned(&labels);
        open.inc();
        open
    }

    /// Counts a request of such a client to say something.
    pub fn emulated(&self, outcome: &'static str) {
        self.emulated.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a login attempt.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a refresh token that was shown.
    pub fn refresh(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a token that a client wanted revoked.
    pub fn revocation(&self, outcome: &'static str) {
        self.revocations_asked.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a ticket that was asked for.
    pub fn ticket(&self, outcome: &'static str) {
        self.tickets.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a request to the API.
    pub fn api_request(&self, route: &'static str, status: u16) {
        self.api_requests.get_or_create(&RouteLabels { route, status }).inc();
    }

    /// Everything in the OpenMetrics text format, with the counters of the hub, the streams and the boards as they stand.
    #[must_use]
    pub fn encode(&self, drain: &Drain, live: &Live) -> String {
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
            write_family(&mut out, &description, &[(String::new(), value)]);
        }
        live.write(&mut out);
        let _ = text::encode_eof(&mut out);
        out
    }
}

/// What keeps count of itself: the streams and the answers of each endpoint, each board, and tasks.
#[derive(Default)]
pub struct Live {
    /// By the endpoint's name.
    pub streams: Vec<(String, Streams)>,
    /// By the endpoint's name.
    pub answers: Vec<(String, Arc<Answers>)>,
    /// By the board's name.
    pub boards: Vec<(String, Arc<SharedBoard>)>,
    /// What channels of namespaces keep, where they keep anything.
    pub kept: Option<Arc<LocalBroker>>,
    /// What the application is told, where it is told anything.
    pub events: Option<Outbox>,
    /// What is revoked.
    pub revocations: Option<Arc<Revocations>>,
    /// By what kind of tasks they are the parent of.
    pub tasks: Vec<(&'static str, TaskTracker)>,
}

impl Live {
    fn write(&self, out: &mut String) {
        let label = |key: &str, name: &str| format!("{key}=\"{name}\"");
        let runs = self.streams.iter().map(|(name, streams)| (label("endpoint", name), streams.runs() as u64));
        write_family(out, &STREAM_RUNS, &runs.collect::<Vec<_>>());
        let ends = self.streams.iter().flat_map(|(name, streams)| {
            let counts = streams.counts();
            let ends = [("completed", counts.completed), ("failed", counts.failed), ("cancelled", counts.cancelled)];
            ends.map(|(end, count)| (format!("{},{}", label("endpoint", name), label("end", end)), count))
        });
        write_family(out, &STREAMS, &ends.collect::<Vec<_>>());
        let answers: Vec<_> =
            self.answers.iter().map(|(name, answers)| (label("endpoint", name), answers.counts())).collect();
        let runs = answers.iter().map(|(label, counts)| (label.clone(), counts.running));
        write_family(out, &ANSWER_RUNS, &runs.collect::<Vec<_>>());
        let ends = answers.iter().flat_map(|(endpoint, counts)| {
            let ends = [("completed", counts.completed), ("failed", counts.failed), ("cancelled", counts.cancelled)];
            ends.map(|(end, count)| (format!("{endpoint},{}", label("end", end)), count))
        });
        write_family(out, &ANSWERS, &ends.collect::<Vec<_>>());
        if let Some(kept) = self.kept.as_ref().map(|broker| broker.figures()) {
            write_family(out, &CHANNELS_KEPT, &[(String::new(), kept.channels as u64)]);
            write_family(out, &CHANNELS_KEPT_BYTES, &[(String::new(), kept.bytes as u64)]);
        }
        self.events.iter().for_each(|outbox| write_events(out, &outbox.figures()));
        if let Some(revocations) = &self.revocations {
            write_family(out, &REVOCATIONS_KEPT, &[(String::new(), revocations.entries() as u64)]);
        }
        let tasks = self.tasks.iter().map(|(kind, tracker)| (label("kind", kind), tracker.len() as u64));
        write_family(out, &TASKS, &tasks.collect::<Vec<_>>());
        let figures: Vec<_> = self.boards.iter().map(|(name, board)| (label("board", name), board.figures())).collect();
        let of = |pick: fn((usize, usize)) -> usize| -> Vec<(String, u64)> {
            figures.iter().map(|(label, both)| (label.clone(), pick(*both) as u64)).collect()
        };
        write_family(out, &BOARD_USERS, &of(|(users, _)| users));
        write_family(out, &BOARD_DEVICES, &of(|(_, devices)| devices));
        let mirrors: Vec<_> =
            self.boards.iter().filter_map(|(name, board)| Some((name, board.mirror_figures()?))).collect();
        let writes = mirrors.iter().flat_map(|(name, figures)| {
            let outcomes = [
                ("ok", figures.written),
                ("failed", figures.failed),
                ("refused", figures.refused),
                ("dropped", figures.dropped),
            ];
            outcomes.map(|(outcome, count)| (format!("{},{}", label("board", name), label("outcome", outcome)), count))
        });
        write_family(out, &MIRROR_WRITES, &writes.collect::<Vec<_>>());
        let waiting = mirrors.iter().map(|(name, figures)| (label("board", name), figures.waiting as u64));
        write_family(out, &MIRROR_WAITING, &waiting.collect::<Vec<_>>());
    }
}

fn write_events(out: &mut String, figures: &[EventFigures]) {
    let label = |figures: &EventFigures| format!("source=\"{}\"", figures.source);
    let outcome = |figures: &EventFigures, outcome: &str| format!("{},outcome=\"{outcome}\"", label(figures));
    let events = figures.iter().flat_map(|all| {
        let outcomes = [("written", all.written), ("delivered", all.delivered), ("dropped", all.dropped)];
        outcomes.map(|(name, count)| (outcome(all, name), count))
    });
    write_family(out, &EVENTS, &events.collect::<Vec<_>>());
    let calls = figures.iter().flat_map(|all| {
        [("ok", all.calls_ok), ("failed", all.calls_failed)].map(|(name, count)| (outcome(all, name), count))
    });
    write_family(out, &EVENT_CALLS, &calls.collect::<Vec<_>>());
    let waiting = figures.iter().map(|all| (label(all), all.waiting));
    write_family(out, &EVENTS_WAITING, &waiting.collect::<Vec<_>>());
    let oldest = figures.iter().map(|all| (label(all), all.oldest.as_secs()));
    write_family(out, &EVENTS_OLDEST, &oldest.collect::<Vec<_>>());
}

/// One metric with a value for each set of labels. Names in labels are configured words, which need no escape.
fn write_family(out: &mut String, description: &Description, values: &[(String, u64)]) {
    if values.is_empty() {
        return;
    }
    let (kind, suffix) = match description.kind {
        Kind::Counter => ("counter", "_total"),
        Kind::Gauge => ("gauge", ""),
    };
    let Description { name, help, .. } = description;
    // Writing into a String cannot fail.
    let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    for (labels, value) in values {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}{suffix}{labels} {value}");
    }
}
