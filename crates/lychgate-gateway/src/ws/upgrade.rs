//! From an HTTP request to a WebSocket, or to a refusal.
//!
//! The cheap checks come first: what costs a signature or a look-up is done last, and only for a request that is whole.
//! Nothing here writes the request's target anywhere: it may hold a token.

use std::borrow::Cow;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lychgate_hub::OutboxLimits;
use lychgate_protocol::centrifuge::Encoding;
use lychgate_protocol::ws::handshake::{self, AcceptKey};
use lychgate_protocol::ws::{Decoder, DecoderLimits, Role};
use lychgate_service::login_throttle::AddressKey;
use lychgate_service::policy::Parameters;
use lychgate_service::target::BadParameter;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::settings::Behaviour;
use crate::ticks::{Ticks, ticks};
use crate::ws::admit::{self, Caller, Outcome};
use crate::ws::channels::{Client, Known, OnConnect};
use crate::ws::connection::Connection;
use crate::ws::credential;
use crate::ws::endpoint::Endpoint;
use crate::ws::gate::Gate;
use crate::ws::profile::RefuseBy;
use crate::ws::socket::Socket;
use crate::ws::speaker::Speaker;
use crate::ws::table::Entry;
use crate::ws::writer::Writer;

/// An endpoint at its path.
#[derive(Clone)]
pub struct Route {
    /// What all endpoints share.
    pub gate: Arc<Gate>,
    /// Which endpoint this is.
    pub endpoint: Arc<Endpoint>,
}

/// Answers a request for a WebSocket.
pub async fn upgrade(
    State(route): State<Route>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request<axum::body::Body>,
) -> Response {
    let (mut parts, _body) = request.into_parts();
    let Some(peer) = parts.extensions.remove::<Peer>() else {
        return HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error").into_response();
    };
    let client = address::client(peer.address, &parts.headers, &route.gate.trusted_proxies);
    match answer(&route, &mut parts, path.ok().as_ref(), peer, client).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(endpoint = route.endpoint.settings.name, address = %client, code = error.code(), "upgrade refused");
            error.into_response()
        }
    }
}

async fn answer(
    route: &Route,
    parts: &mut Parts,
    path: Option<&RawPathParams>,
    peer: Peer,
    client: IpAddr,
) -> Result<Response, HttpError> {
    let Route { gate, endpoint } = route;
    let settings = &endpoint.settings;
    let accept_key = check_request(parts)?;
    may_begin(route, parts, client)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(not_a_websocket)?;
    let outcome = decide(route, parts, path, client).await?;
    let spoken = credential::subprotocol(&parts.headers, &settings.subprotocols, &settings.credentials);
    let response = switching_protocols(&accept_key, spoken);
    let encoding = encoding_of(spoken, parts);
    gate.tracker.spawn(live(Box::new(Start { route: route.clone(), peer, upgrade, outcome, encoding })));
    Ok(response)
}

/// What is looked at before anything of a request is read, whichever way it wants to connect.
///
/// # Errors
///
/// The refusal: the server stops, the page may not, or the address comes too often.
pub(super) fn may_begin(route: &Route, parts: &Parts, client: IpAddr) -> Result<(), HttpError> {
    let Route { gate, endpoint } = route;
    if gate.stopping.is_cancelled() {
        return Err(HttpError::unavailable("restart", "The server is stopping. Connect again in a moment.")
            .retry_after(Duration::from_secs(1)));
    }
    if !endpoint.settings.origins.allow_upgrade(&parts.headers) {
        return Err(wrong_origin(gate));
    }
    gate.connect_rate.take(AddressKey::from(client), gate.ticker.now_ms()).map_err(|wait| {
        gate.metrics.accept_refused("connect_rate_per_address");
        HttpError::unavailable("connect_rate", "Too many new connections from this address. Connect again later.")
            .retry_after(Duration::from_millis(wait.millis))
    })
}

/// Who it is and where they may go, by what the request holds.
///
/// # Errors
///
/// The refusal, where the endpoint's profile gives it as the answer to the request.
pub(super) async fn decide(
    route: &Route,
    parts: &Parts,
    path: Option<&RawPathParams>,
    client: IpAddr,
) -> Result<Outcome, HttpError> {
    let Route { gate, endpoint } = route;
    let settings = &endpoint.settings;
    let found = credential::find(parts, &settings.credentials);
    // A page of somebody else's could make a browser send the cookie; it cannot make it send a listed origin.
    if matches!(&found, Ok(Some(found)) if found.kind == "cookie") && !parts.headers.contains_key(header::ORIGIN) {
        return Err(wrong_origin(gate));
    }
    let headers = match (&found, OnConnect::of(&settings.behaviour)) {
        (Ok(None), Some(on_connect)) if on_connect.takes_cookie_of_nobody(&parts.headers) => {
            return Err(wrong_origin(gate));
        }
        (Ok(None), Some(on_connect)) => on_connect.taken_from(&parts.headers),
        _ => Box::default(),
    };
    let caller = Caller { address: client, parameters: read_parameters(endpoint, parts, path), headers };
    let outcome = admit::decide(gate, endpoint, found, caller).await;
    if let (Outcome::Refuse(event), RefuseBy::Http) = (&outcome, settings.profile.refuse_by) {
        return Err(settings.profile.http_error(*event));
    }
    Ok(outcome)
}

pub(super) fn wrong_origin(gate: &Gate) -> HttpError {
    gate.metrics.accept_refused("origin");
    HttpError::new(StatusCode::FORBIDDEN, "origin", "Pages of this origin may not connect here.")
}

/// What the target's slots hold. A query parameter that stands twice is none: two readers could choose differently.
fn read_parameters(
    endpoint: &Endpoint,
    parts: &Parts,
    path: Option<&RawPathParams>,
) -> Result<Parameters, BadParameter> {
    let target = &endpoint.settings.target;
    if target.slots().is_empty() {
        return Ok(Parameters::default());
    }
    let in_path = |name: &str| {
        let found = path.into_iter().flatten().find(|(key, _)| *key == name);
        found.map(|(_, value)| Cow::Owned(value.to_owned()))
    };
    let query = parts.uri.query().unwrap_or("");
    let in_query = |name: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value);
        if values.next().is_some() { Some(Cow::Borrowed("")) } else { first }
    };
    target.read(&in_path, &in_query)
}

/// What a connection begins with. It is boxed, so that the task does not keep the room for it while it lives.
struct Start {
    route: Route,
    peer: Peer,
    upgrade: OnUpgrade,
    outcome: Outcome,
    encoding: Encoding,
}

/// The task of one connection, from the answer to its request until it ends.
async fn live(mut start: Box<Start>) {
    // An error means that the client went away before the answer reached it.
    let Ok(upgraded) = (&mut start.upgrade).await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is no TCP socket");
        return;
    };
    let (mut connection, peer) = begin(start, parts);
    poll_fn(|cx| connection.poll_life(cx)).await;
    // Held until here: the counts of open sockets follow it.
    drop(peer);
}

/// The connection, with what the client sent right behind its request acted on. What the request was read into goes here:
/// even an empty part of it keeps all of it alive. And so does the box, which lives as long as whoever holds it.
#[expect(clippy::boxed_local, reason = "the box is to go here, and not with the connection's task")]
fn begin(start: Box<Start>, parts: hyper::upgrade::Parts<TokioIo<TcpStream>>) -> (Connection, Peer) {
    let Start { route, peer, outcome, encoding, .. } = *start;
    let mut connection = over_tcp(&route, parts.io.into_inner(), outcome, encoding);
    connection.begin(&parts.read_buf);
    (connection, peer)
}

/// Not a part of the task, which would hold both halves for as long as it lives.
fn over_tcp(route: &Route, tcp: TcpStream, outcome: Outcome, encoding: Encoding) -> Connection {
    let (reader, writer) = tcp.into_split();
    open(route, Some(reader), Writer::Tcp(writer), outcome, encoding)
}

/// Opens the session, enters the channel or queues the refusal.
pub(super) fn open(
    route: &Route,
    reader: Option<OwnedReadHalf>,
    writer: Writer,
    outcome: Outcome,
    encoding: Encoding,
) -> Connection {
    let Route { gate, endpoint } = route;
    let socket = Arc::new(Socket::new(writer, Arc::clone(endpoint), gate.ticker));
    let session = gate.drain.open(outbox_limits(gate, endpoint), Arc::clone(&socket) as _);
    let entry = Entry { socket, session };
    let place = gate.table.insert(entry.clone());
    let limits = DecoderLimits {
        message_bytes_max: endpoint.settings.message_bytes_max,
        fragments_max: gate.limits.fragments_max,
    };
    let decoder = Decoder::new(Role::Server, limits);
    let holds_channels = matches!(endpoint.settings.behaviour, Behaviour::Channels(_));
    let (mut caller, mut known) = (None, None);
    let standing = match outcome {
        Outcome::Enter { admitted, user, seen } => {
            known = holds_channels.then(|| Box::new(Known::of(&admitted, gate.ticker)));
            let standing = admit::stand(gate, endpoint, &entry, admitted, user, seen);
            if holds_channels {
                // It has shown who it is, and has still to open its session.
                entry.socket.awaits_until(session_deadline(gate, endpoint));
            }
            standing
        }
        Outcome::Await(waiting) => {
            entry.socket.awaits_until(session_deadline(gate, endpoint));
            caller = Some(waiting);
            None
        }
        Outcome::Refuse(event) => {
            entry.socket.closing();
            gate.drain.finish(&entry.session, Bytes::from(endpoint.settings.profile.close_frame(event)));
            None
        }
    };
    let speaker = if holds_channels && (standing.is_some() || caller.is_some()) {
        let client = Client::new(Arc::clone(gate), entry.clone(), encoding, caller, known);
        Speaker::new(Arc::clone(gate), entry, standing, None).with_channels(Box::new(client))
    } else {
        Speaker::new(Arc::clone(gate), entry, standing, caller)
    };
    Connection::new(reader, decoder, speaker, place)
}

/// Until when a client may take to show its credential, or to open its session.
fn session_deadline(gate: &Gate, endpoint: &Endpoint) -> Ticks {
    gate.ticker.now().saturating_add(ticks(endpoint.settings.credential_timeout))
}

/// How a client of channels wants to be spoken to: by its subprotocol, else by its query.
fn encoding_of(spoken: Option<&str>, parts: &Parts) -> Encoding {
    spoken.and_then(Encoding::from_subprotocol).or_else(|| encoding_in_query(parts)).unwrap_or_default()
}

/// How a client of channels wants to be spoken to, where its query says so.
pub(super) fn encoding_in_query(parts: &Parts) -> Option<Encoding> {
    let query = parts.uri.query().unwrap_or("").as_bytes();
    form_urlencoded::parse(query).find_map(|(name, value)| Encoding::from_query(&name, &value))
}

/// An echo endpoint queues whole messages, so its queue must hold two of the largest.
fn outbox_limits(gate: &Gate, endpoint: &Endpoint) -> OutboxLimits {
    let bytes_max = match endpoint.settings.behaviour {
        Behaviour::Echo => gate.limits.queue_bytes_max.max(2 * endpoint.settings.message_bytes_max + 64 * 1024),
        Behaviour::Converse(_) | Behaviour::Channels(_) | Behaviour::Gone => gate.limits.queue_bytes_max,
    };
    OutboxLimits { bytes_max, slices_max: gate.limits.queue_slices_max }
}

/// The opening handshake of RFC 6455 section 4.2.1.
fn check_request(parts: &Parts) -> Result<AcceptKey, HttpError> {
    if parts.method != Method::GET {
        return Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "A WebSocket begins with a GET request.")
            .with(header::ALLOW, HeaderValue::from_static("GET")));
    }
    let headers = &parts.headers;
    if !has_word(headers, header::CONNECTION, "upgrade") || !has_word(headers, header::UPGRADE, "websocket") {
        return Err(not_a_websocket());
    }
    if headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(HttpError::bad_request("body", "A request for a WebSocket has no body."));
    }
    if one(headers, header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(HttpError::new(
            StatusCode::UPGRADE_REQUIRED,
            "version",
            "This server speaks WebSocket version 13.",
        )
        .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    one(headers, header::SEC_WEBSOCKET_KEY)
        .and_then(|key| handshake::accept_key(key).ok())
        .ok_or_else(|| HttpError::bad_request("key", "Sec-WebSocket-Key must be 16 bytes in base64, once."))
}

fn not_a_websocket() -> HttpError {
    HttpError::new(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade",
        "This is a WebSocket endpoint: connect with ws:// or wss://.",
    )
    .with(header::UPGRADE, HeaderValue::from_static("websocket"))
    .with(header::CONNECTION, HeaderValue::from_static("Upgrade"))
}

/// The value of a header that must stand once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}

fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn switching_protocols(accept_key: &AcceptKey, spoken: Option<&str>) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(accept_key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    if let Some(Ok(value)) = spoken.map(HeaderValue::from_str) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::live;

    fn size_of_task<A, F>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle sockets are ten thousand of these.
    #[test]
    fn the_task_of_a_connection_stays_small() {
        let bytes = size_of_task(live);
        assert!(bytes <= 416, "the task of a connection takes {bytes} bytes");
    }
}
