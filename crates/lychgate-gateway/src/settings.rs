//! What the gateway is told at start. Checked by the binary; plain values here.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use lychgate_service::limits::Rate;
use lychgate_service::policy::Policy;
use lychgate_service::publish::{Audience, StampField};

use crate::layers::origin::Origins;
use crate::ws::profile::Profile;

/// Everything the gateway is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Proxies whose forwarding headers are believed. Nobody by default.
    pub trusted_proxies: Vec<IpNet>,
    /// The pages that browsers may call from.
    pub origins: Origins,
    /// The login route, if there is one.
    pub login: Option<LoginRoute>,
    /// A route that hands out a token for trials. Development only.
    pub test_token: Option<TestTokenRoute>,
    /// The WebSocket endpoints.
    pub endpoints: Vec<EndpointSettings>,
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
    /// The largest body it takes, in bytes.
    pub body_bytes_max: usize,
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
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// Its name in logs and metrics.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Where its token may be. Nothing else counts.
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
}

/// A place where a token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// A query parameter of this name.
    Query(String),
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    Header,
}

/// What an endpoint does with a message.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// A JSON object is stamped and published to the channel.
    Broadcast {
        /// The fields that the server writes.
        stamps: Vec<StampField>,
        /// Who receives it.
        audience: Audience,
        /// What happens with a frame that is no JSON object.
        bad_frame: BadFrame,
        /// Whether `{"type":"ping"}` is answered by a `pong` instead of being published.
        answer_ping: bool,
    },
    /// Text and binary come back as they are. For conformance tools.
    Echo,
}

/// What happens with a frame that the endpoint cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFrame {
    /// The sender gets an error frame.
    Error,
    /// Nothing.
    Ignore,
    /// The connection is closed.
    Close,
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
