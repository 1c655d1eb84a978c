//! From an HTTP request to a connection without frames, or to a refusal.
//!
//! The checks are those of a WebSocket, in the same order. The first commands come with the request, so a request
//! without any is refused: its client could never learn how to go on.
//! Nothing here writes the request's target anywhere: it may hold a token.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use lychgate_protocol::centrifuge::Encoding;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::timeout;

use super::inbox::Inbox;
use super::outlet::{Outlet, StreamBody};
use super::sessions::SessionPlace;
use super::{FallbackSettings, Transport, cors};
use crate::accept::{Held, Line, Peer};
use crate::error::HttpError;
use crate::layers::address;
use crate::ws::connection::Connection;
use crate::ws::gate::Gate;
use crate::ws::socket::Socket;
use crate::ws::upgrade::{self, Route};
use crate::ws::writer::Writer;

/// The query parameter with the first commands of a client that can only `GET`.
const FIRST_COMMANDS: &str = "cf_connect";

/// One way into an endpoint.
#[derive(Clone)]
pub struct Fallback {
    /// The endpoint.
    pub route: Route,
    /// Which way.
    pub transport: Transport,
    /// What it offers.
    pub settings: Arc<FallbackSettings>,
}

/// Answers a request for a connection without frames.
pub async fn begin(State(fallback): State<Fallback>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let endpoint = &fallback.route.endpoint;
    let mut response = match answer(&fallback, &mut parts, body).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(endpoint = endpoint.settings.name, code = error.code(), "connection refused");
            error.into_response()
        }
    };
    cors::allow([&endpoint.settings.origins], &parts.headers, &mut response);
    response
}

async fn answer(fallback: &Fallback, parts: &mut Parts, body: Body) -> Result<Response, HttpError> {
    let Fallback { route, transport, settings } = fallback;
    let Route { gate, endpoint } = route;
    let own = transport.method();
    if parts.method == Method::OPTIONS {
        return match endpoint.settings.origins.allow_upgrade(&parts.headers) {
            true => Ok(cors::preflight(if own == Method::GET { "GET, OPTIONS" } else { "POST, OPTIONS" })),
            false => Err(upgrade::wrong_origin(gate)),
        };
    }
    if parts.method != own {
        return Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method", format!("Connect by {own}."))
            .with(header::ALLOW, HeaderValue::from_static(if own == Method::GET { "GET" } else { "POST" })));
    }
    let (Some(peer), Some(line)) = (parts.extensions.remove::<Peer>(), parts.extensions.remove::<Line>()) else {
        return Err(HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error"));
    };
    let client: IpAddr = address::client(peer.address, &parts.headers, &gate.trusted_proxies);
    upgrade::may_begin(route, parts, client)?;
    let bytes_max = endpoint.settings.message_bytes_max;
    let first = match transport {
        Transport::Sse => in_query(parts).filter(|first| !first.is_empty()),
        Transport::HttpStream => Some(read(gate, body, bytes_max).await?).filter(|first| !first.is_empty()),
    };
    let Some(first) = first else {
        return Err(HttpError::bad_request("commands", "The request holds no command. The first one is connect."));
    };
    if first.len() > bytes_max {
        return Err(too_large());
    }
    let outcome = upgrade::decide(route, parts, None, client).await?;
    let encoding = encoding_of(*transport, parts);
    let outlet = Outlet::new(*transport, encoding, Inbox::new(first, bytes_max, settings.request_rate));
    let key = outlet.key;
    let connection = upgrade::open(route, None, Writer::Body(Box::new(outlet)), outcome, encoding);
    let socket = connection.socket();
    let open = gate.metrics.fallback(&endpoint.settings.name, transport.name());
    let ending = Ending { socket: Arc::clone(&socket), held: line.hold(), open };
    let place = gate.sessions.enter(key, &socket);
    gate.tracker.spawn(live(connection, place, ending));
    Ok(endless(transport.content_type(encoding), StreamBody::of(socket)))
}

/// The task of one connection, from its request until it ends.
async fn live(mut connection: Connection, place: SessionPlace, ending: Ending) {
    connection.begin(b"");
    poll_fn(|cx| connection.poll_life(cx)).await;
    // First of all nobody speaks for it any more.
    drop(place);
    drop(connection);
    drop(ending);
}

/// Ends the answer with the connection: behind the goodbye, or at once where nothing was said.
struct Ending {
    socket: Arc<Socket>,
    held: Held,
    open: Gauge<i64, AtomicI64>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.open.dec();
        if let Some(outlet) = self.socket.outlet()
            && !outlet.has_said_goodbye()
        {
            outlet.cut();
            self.held.cut();
        }
    }
}

fn endless(content_type: &'static str, body: StreamBody) -> Response {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        // Whatever stands in between passes on each piece as it comes.
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn in_query(parts: &Parts) -> Option<Vec<u8>> {
    let query = parts.uri.query().unwrap_or("").as_bytes();
    let mut found = form_urlencoded::parse(query).filter(|(name, _)| name == FIRST_COMMANDS);
    let (_, first) = found.next()?;
    // Two readers could choose differently.
    found.next().is_none().then(|| first.into_owned().into_bytes())
}

/// Reads a whole body.
pub(super) async fn read(gate: &Gate, body: Body, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    let reading = axum::body::to_bytes(body, bytes_max);
    match timeout(gate.limits.handshake_timeout, reading).await {
        Ok(Ok(body)) => Ok(body.to_vec()),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large()),
        Ok(Err(_)) => Err(HttpError::bad_request("body", "The body did not arrive whole.")),
        Err(_) => Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body took too long to arrive.")),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>())
}

pub(super) fn too_large() -> HttpError {
    HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The message is larger than this server takes.")
}

/// How a client wants to be spoken to: by what it sends, else by its query. Events are text.
fn encoding_of(transport: Transport, parts: &Parts) -> Encoding {
    match transport {
        Transport::Sse => Encoding::Json,
        Transport::HttpStream if is_binary(parts) => Encoding::Protobuf,
        Transport::HttpStream => upgrade::encoding_in_query(parts).unwrap_or_default(),
    }
}

/// Whether the body says that it is Protobuf.
pub(super) fn is_binary(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/octet-stream")
}
