//! What the gateway is told at start. Checked by the binary; plain values here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use ipnet::IpNet;
use lychgate_service::accounts::AccountField;
use lychgate_service::admission::Door;
use lychgate_service::conversation::Conversation;
use lychgate_service::events::Sessions;
use lychgate_service::limits::Rate;
use lychgate_service::ports::text_source::TextSource;
use lychgate_service::presence::SharedBoard;
use lychgate_service::streams::Streams;
use lychgate_service::target::Target;
use lychgate_service::template::Template;

use crate::layers::origin::Origins;
use crate::ws::channels::ChannelsSettings;
use crate::ws::fallback::FallbackSettings;
use crate::ws::profile::Profile;

/// Everything the gateway is told.
#[derive(Clone)]
pub struct Settings {
    /// Proxies whose forwarding headers are believed. Nobody by default.
    pub trusted_proxies: Vec<IpNet>,
    /// The pages that browsers may call from.
    pub origins: Origins,
    /// The login route, if there is one.
    pub login: Option<LoginRoute>,
    /// A route that hands out a token for trials. Development only.
    pub test_token: Option<TestTokenRoute>,
    /// The route that gives one-time tickets, if there is one.
    pub ticket: Option<TicketRoute>,
    /// The API that fills the registry, if there is one.
    pub api: Option<ApiRoute>,
    /// Paths with an answer that is always the same, as JSON text.
    pub fixed: Vec<(String, Bytes)>,
    /// Routes that publish or read what was kept.
    pub messages: Vec<MessageRoute>,
    /// The WebSocket endpoints.
    pub endpoints: Vec<EndpointSettings>,
    /// Where clients of their fallbacks say what they have to say.
    pub emulation: String,
    /// The limits.
    pub limits: Limits,
    /// How the server stops.
    pub drain: Drain,
    /// Whether `/metrics` and `/health` are served beside the endpoints, too.
    pub operations_on_main: bool,
}

/// `POST` of a name and a password.
#[derive(Clone, Debug)]
pub struct LoginRoute {
    /// Its path.
    pub path: String,
    /// The path where a token is revoked, where logins have sessions.
    pub revoke_path: Option<String>,
    /// The path where an e-mail address is enough. Development only.
    pub dev_path: Option<String>,
    /// The largest body it takes, in bytes.
    pub body_bytes_max: usize,
    /// How the body is written.
    pub body: LoginBody,
    /// The field of the body that holds the login; the other one is `password`.
    pub field: String,
    /// What the answer's `user` says of the account; without any there is no `user`.
    pub return_user: Vec<AccountField>,
    /// Whether the answer says how long the token is good for.
    pub return_expires_in: bool,
    /// What somebody reads who is unknown, or whose password is wrong.
    pub incorrect: String,
    /// What somebody is told whose password is right and whose account is disabled; `None`: the same as the others.
    pub disabled: Option<(StatusCode, String)>,
}

/// How a login's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginBody {
    /// As `application/x-www-form-urlencoded`.
    Form,
    /// As `application/json`.
    Json,
    /// As either, by its `Content-Type`.
    Any,
}

/// The API that fills the registry.
#[derive(Clone, Debug)]
pub struct ApiRoute {
    /// What its paths begin with; empty where they begin at the root.
    pub path: String,
    /// The largest body it takes, in bytes.
    pub body_bytes_max: usize,
    /// How often one address may show a key that is not accepted.
    pub failed_keys_per_address: Rate,
}

/// A route that gives one-time tickets.
#[derive(Clone, Debug)]
pub struct TicketRoute {
    /// Its path.
    pub path: String,
    /// Whether it is asked by `GET`, as some clients do, and not by `POST`.
    pub by_get: bool,
}

/// `GET` of a token for trials.
#[derive(Clone)]
pub struct TestTokenRoute {
    /// Its path.
    pub path: String,
    /// The token, minted at start.
    pub token: Arc<lychgate_token::Token>,
    /// Whose it is.
    pub user: String,
}

impl std::fmt::Debug for TestTokenRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestTokenRoute").field("path", &self.path).field("user", &self.user).finish_non_exhaustive()
    }
}

/// One WebSocket endpoint.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where it listens.
    pub target: Target,
    /// Where its credential may be. Nothing else counts.
    pub credentials: Vec<CredentialSource>,
    /// The subprotocols that it speaks, for clients that ask for one (RFC 6455 section 1.9).
    pub subprotocols: Vec<String>,
    /// The pages that browsers may connect from.
    pub origins: Origins,
    /// How long a client may take that shows its credential in its first message.
    pub credential_timeout: Duration,
    /// Who may enter, and where that leads.
    pub door: Door,
    /// How often a right that rests on more than the token is asked for again; never, if none.
    pub ask_again_every: Option<Duration>,
    /// How many connections one user may have here, beside the limit on all endpoints together.
    pub seats: Option<SeatLimit>,
    /// Who is told of its connections, if anybody is.
    pub events: Option<Sessions>,
    /// How it says no.
    pub profile: Arc<Profile>,
    /// What it does with a message.
    pub behaviour: Behaviour,
    /// The largest message, in bytes.
    pub message_bytes_max: usize,
    /// How often a connection may send.
    pub message_rate: Rate,
    /// The ways in for clients whose network lets no WebSocket through, if there are any.
    pub fallback: Option<Arc<FallbackSettings>>,
}

/// A place where a credential may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// A token in the query parameter of this name.
    Query(String),
    /// A token in `Authorization: Bearer` (RFC 6750 section 2.1).
    Header,
    /// A token as the subprotocol behind the one of this name, which is the one that is answered.
    Subprotocol(String),
    /// A token in base64url behind this name and a dot, among the subprotocols that the client offers.
    SubprotocolBase64(String),
    /// A token in the cookie of this name. Browsers send it whoever asks, so an explicit credential goes before it.
    Cookie(String),
    /// A one-time ticket in the query parameter of this name.
    Ticket(String),
    /// A token in the first message, a JSON object of this type, under `token`.
    Message(String),
}

impl CredentialSource {
    /// Its kind in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Query(_) => "query",
            Self::Header => "header",
            Self::Subprotocol(_) | Self::SubprotocolBase64(_) => "subprotocol",
            Self::Cookie(_) => "cookie",
            Self::Ticket(_) => "ticket",
            Self::Message(_) => "message",
        }
    }
}

/// How many connections one user may have at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatLimit {
    /// This many.
    pub per_user_max: usize,
    /// What happens to the next one.
    pub when_full: WhenFull,
}

/// What happens when a user has all the connections that an endpoint allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The new one is refused.
    Refuse,
    /// The oldest one is closed.
    CloseOldest,
    /// The one whose parameter of this name is the same is closed, else the new one is refused.
    /// It is closed even before the limit is reached: a device has one connection.
    ReplaceSame(String),
}

/// What an endpoint does with a message.
#[derive(Clone)]
pub enum Behaviour {
    /// What its codec says.
    Converse(Converse),
    /// Many channels, by the Centrifuge client protocol.
    Channels(Arc<ChannelsSettings>),
    /// Text and binary come back as they are. For conformance tools.
    Echo,
    /// Nothing: whoever comes is told that the endpoint is no longer here, whatever they bring.
    Gone,
}

/// Connections that hear each other.
#[derive(Clone)]
pub struct Converse {
    /// What follows from what they say.
    pub conversation: Arc<Conversation>,
    /// The board that shows who is there, if there is one.
    pub board: Option<Arc<SharedBoard>>,
    /// How many kept messages a newcomer is told.
    pub history_on_join: u32,
    /// The text that comes piece by piece, where that is what the channel is for.
    pub stream: Option<Arc<Streaming>>,
}

/// Where the text of an endpoint comes from.
pub struct Streaming {
    /// All runs of this endpoint.
    pub streams: Streams,
    /// Who is asked.
    pub source: Arc<dyn TextSource>,
    /// What they are asked.
    pub request: Template,
    /// The longest request, in bytes.
    pub request_bytes_max: usize,
}

/// A route that publishes or reads what was kept, by the rules of an endpoint.
#[derive(Clone)]
pub struct MessageRoute {
    /// Its name in logs.
    pub name: String,
    /// Its path.
    pub target: Target,
    /// Who may.
    pub door: Door,
    /// What is done there.
    pub conversation: Arc<Conversation>,
    /// What it is for.
    pub does: MessageRouteDoes,
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
}

/// What a route is for.
#[derive(Clone)]
pub enum MessageRouteDoes {
    /// It publishes what is posted: through a template, or as it is.
    Publish(Option<Arc<Template>>),
    /// It gives what was kept.
    History,
}

/// Limits of everything that a stranger can make grow.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open sockets in all.
    pub connections_max: usize,
    /// Open sockets of one address.
    pub connections_per_address_max: usize,
    /// Open WebSockets of one user.
    pub connections_per_user_max: usize,
    /// New WebSockets of one address.
    pub connect_rate_per_address: Rate,
    /// From accept to authenticated.
    pub handshake_timeout: Duration,
    /// The head of a request, in bytes.
    pub request_head_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// The target of a request, in bytes.
    pub request_target_bytes_max: usize,
    /// Fragments of one message.
    pub fragments_max: u32,
    /// Pings taken from one connection.
    pub ping_rate: Rate,
    /// How long a peer may be silent before it is asked for a sign of life.
    pub ping_interval: Duration,
    /// How long it may take to give one.
    pub pong_timeout: Duration,
    /// How long a closing handshake may take.
    pub close_timeout: Duration,
    /// Bytes that may wait for one socket.
    pub queue_bytes_max: usize,
    /// Slices that may wait for one socket.
    pub queue_slices_max: usize,
    /// How long a socket with something to write may take nothing.
    pub no_progress_timeout: Duration,
}

/// How the server stops.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Not ready, but still accepting: balancers notice.
    pub not_ready: Duration,
    /// Sockets are closed one by one over this time.
    pub spread: Duration,
    /// After this, in all, what is left is cut.
    pub total: Duration,
}
