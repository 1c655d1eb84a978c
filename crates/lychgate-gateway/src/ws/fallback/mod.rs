//! Channels for clients whose network lets no WebSocket through: what the server says is one answer that does not end,
//! and what the client says comes by requests of its own.
//!
//! | file | its part |
//! |---|---|
//! | [`begin`] | the request that becomes a connection: checks, answer, task |
//! | [`emulation`] | what the client says afterwards |
//! | [`outlet`] | the writing side: a small buffer between the hub and the answer's body |
//! | [`inbox`] | the reading side: what was said and not acted on yet |
//! | [`sessions`] | which connection a request means |
//! | [`cors`] | which pages may call, and what browsers ask before they do |
//! | `unwrap` | frames become lines, messages or events |
//!
//! **Invariant:** behind the socket nothing knows of it: the same queue, the same frames, the same deadlines, the same
//! end. The frames are unwrapped at the last step, whole ones only.
//!
//! **Absent on purpose:** long polling, and one-way connections that only listen.

pub mod begin;
pub mod cors;
pub mod emulation;
pub mod inbox;
pub mod outlet;
pub mod sessions;
mod unwrap;

use http::Method;
use lychgate_protocol::centrifuge::Encoding;
use lychgate_service::limits::Rate;

/// How a client is reached that has no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Server-sent events (WHATWG HTML, section 9.2).
    Sse,
    /// An answer to a `POST` that goes on and on.
    HttpStream,
}

impl Transport {
    /// Its name in the configuration, in metrics, and for the application.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::HttpStream => "http_stream",
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Sse => Method::GET,
            Self::HttpStream => Method::POST,
        }
    }

    /// What the answer holds.
    const fn content_type(self, encoding: Encoding) -> &'static str {
        match (self, encoding) {
            (Self::Sse, _) => "text/event-stream",
            (Self::HttpStream, Encoding::Json) => "application/x-ndjson",
            (Self::HttpStream, Encoding::Protobuf) => "application/octet-stream",
        }
    }
}

/// What an endpoint offers beside its WebSocket.
#[derive(Clone, Debug)]
pub struct FallbackSettings {
    /// At which paths, each once.
    pub routes: Vec<(Transport, String)>,
    /// How many requests one client may make to say something.
    pub request_rate: Rate,
}
