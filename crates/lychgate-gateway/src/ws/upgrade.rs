//! From an HTTP request to a WebSocket, or to a refusal.
//!
//! The cheap checks come first: what costs a signature or a look-up is done last, and only for a request that is whole.
//! Nothing here writes the request's target anywhere: it may hold a token.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lychgate_hub::OutboxLimits;
use lychgate_protocol::ws::handshake::{self, AcceptKey};
use lychgate_protocol::ws::{Decoder, DecoderLimits, Role};
use lychgate_service::admission::Admitted;
use lychgate_service::local_broker::CLASS_TEXT;
use lychgate_service::login_throttle::AddressKey;
use tokio::net::TcpStream;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::request_id::RequestId;
use crate::settings::Behaviour;
use crate::ticks::{NEVER, Ticker, Ticks, ticks};
use crate::ws::connection::{Connection, Standing};
use crate::ws::credential;
use crate::ws::endpoint::Endpoint;
use crate::ws::gate::Gate;
use crate::ws::profile::{Event, RefuseBy};
use crate::ws::socket::Socket;
use crate::ws::sweep;
use crate::ws::table::Entry;
use crate::ws::users::UserPlace;

/// An endpoint at its path.
#[derive(Clone)]
pub struct Route {
    /// What all endpoints share.
    pub gate: Arc<Gate>,
    /// Which endpoint this is.
    pub endpoint: Arc<Endpoint>,
}

/// What becomes of a connection after the upgrade.
enum Outcome {
    Enter { admitted: Admitted, user: UserPlace },
    Refuse(Event),
}

/// Answers a request for a WebSocket.
pub async fn upgrade(State(route): State<Route>, request: Request<axum::body::Body>) -> Response {
    let (mut parts, _body) = request.into_parts();
    let Some(peer) = parts.extensions.remove::<Peer>() else {
        return HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error").into_response();
    };
    let client = address::client(peer.address, &parts.headers, &route.gate.trusted_proxies);
    match answer(&route, &mut parts, peer, client) {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(endpoint = route.endpoint.settings.name, address = %client, code = error.code(), "upgrade refused");
            error.into_response()
        }
    }
}

fn answer(route: &Route, parts: &mut Parts, peer: Peer, client: IpAddr) -> Result<Response, HttpError> {
    let Route { gate, endpoint } = route;
    let accept_key = check_request(parts)?;
    if gate.stopping.is_cancelled() {
        return Err(HttpError::unavailable("restart", "The server is stopping. Connect again in a moment.")
            .retry_after(Duration::from_secs(1)));
    }
    if !gate.origins.allow_upgrade(&parts.headers) {
        gate.metrics.accept_refused("origin");
        return Err(HttpError::new(StatusCode::FORBIDDEN, "origin", "Pages of this origin may not connect here."));
    }
    gate.connect_rate.take(AddressKey::from(client), gate.ticker.now_ms()).map_err(|wait| {
        gate.metrics.accept_refused("connect_rate_per_address");
        HttpError::unavailable("connect_rate", "Too many new connections from this address. Connect again later.")
            .retry_after(Duration::from_millis(wait.millis))
    })?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(not_a_websocket)?;

    let outcome = admit(route, parts, client);
    if let (Outcome::Refuse(event), RefuseBy::Http) = (&outcome, endpoint.settings.profile.refuse_by) {
        return Err(endpoint.settings.profile.http_error(*event));
    }
    gate.tracker.spawn(live(route.clone(), peer, upgrade, outcome));
    Ok(switching_protocols(&accept_key))
}

/// The task of one connection, from the answer to its request until it ends.
async fn live(route: Route, peer: Peer, upgrade: OnUpgrade, outcome: Outcome) {
    // An error means that the client went away before the answer reached it.
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is no TCP socket");
        return;
    };
    let mut connection = open(&route, parts.io.into_inner(), outcome);
    connection.take_early(&parts.read_buf);
    // Even an empty part of it keeps the whole buffer alive that the request was read into.
    drop(parts.read_buf);
    drop(route);
    poll_fn(|cx| connection.poll_life(cx)).await;
    // Held until here: the counts of open sockets follow it.
    drop(peer);
}

/// Identity and policy, with a line in the log for each refusal.
fn admit(route: &Route, parts: &Parts, client: IpAddr) -> Outcome {
    let Route { gate, endpoint } = route;
    let token = credential::find(parts, &endpoint.settings.credentials);
    let admitted = token.and_then(|token| gate.admission.admit(token.as_ref(), &endpoint.settings.policy));
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            endpoint.metrics.refused(refusal.code());
            tracing::info!(
                endpoint = endpoint.settings.name,
                address = %client,
                request_id = %RequestId::fresh(),
                reason = refusal.code(),
                "refused: {refusal}"
            );
            return Outcome::Refuse(Event::of(&refusal));
        }
    };
    let subject = admitted.permit.principal().subject();
    match gate.users.take_place(subject) {
        Some(user) => Outcome::Enter { admitted, user },
        None => {
            endpoint.metrics.refused("connections_per_user");
            tracing::info!(
                endpoint = endpoint.settings.name,
                address = %client,
                user = subject,
                reason = "connections_per_user",
                "refused: the user has as many connections as limits.connections_per_user allows"
            );
            Outcome::Refuse(Event::OverLimit)
        }
    }
}

/// Opens the session, enters the channel or queues the refusal.
fn open(route: &Route, tcp: TcpStream, outcome: Outcome) -> Connection {
    let Route { gate, endpoint } = route;
    let expires_at = match &outcome {
        Outcome::Enter { admitted, .. } => expiry(gate.ticker, admitted.ends_in),
        Outcome::Refuse(_) => NEVER,
    };
    let (reader, writer) = tcp.into_split();
    let socket = Arc::new(Socket::new(writer, Arc::clone(endpoint), gate.ticker, expires_at));
    let session = gate.drain.open(outbox_limits(gate, endpoint), Arc::clone(&socket) as _);
    let entry = Entry { socket, session };
    let place = gate.table.insert(entry.clone());
    let limits = DecoderLimits {
        message_bytes_max: endpoint.settings.message_bytes_max,
        fragments_max: gate.limits.fragments_max,
    };
    let decoder = Decoder::new(Role::Server, limits);
    let standing = match outcome {
        Outcome::Enter { admitted, user } => enter(route, &entry, admitted, user),
        Outcome::Refuse(event) => {
            entry.socket.closing();
            gate.drain.finish(&entry.session, Bytes::from(endpoint.settings.profile.close_frame(event)));
            None
        }
    };
    Connection::new(Arc::clone(gate), reader, entry, standing, decoder, place)
}

fn enter(route: &Route, entry: &Entry, admitted: Admitted, user: UserPlace) -> Option<Standing> {
    let Route { gate, endpoint } = route;
    let permit = admitted.permit;
    let subscription = match endpoint.settings.behaviour {
        Behaviour::Echo => None,
        Behaviour::Broadcast { .. } => match gate.subscriptions.enter(permit.clone(), &entry.session, CLASS_TEXT) {
            Ok(subscription) => Some(subscription),
            Err(cause) => {
                tracing::error!(endpoint = endpoint.settings.name, %cause, "an admitted connection could not enter its channel");
                sweep::close(&gate.drain, entry, Event::Error);
                None
            }
        },
    };
    endpoint.metrics.connects.inc();
    endpoint.metrics.connections.inc();
    tracing::debug!(endpoint = endpoint.settings.name, user = permit.principal().subject(), "connected");
    Some(Standing { subscription, permit, user })
}

fn expiry(ticker: Ticker, ends_in: Option<Duration>) -> Ticks {
    // One more, since `now` is rounded down: a token is good until its last moment.
    ends_in.map_or(NEVER, |left| ticker.now().saturating_add(ticks(left)).saturating_add(1))
}

/// An echo endpoint queues whole messages, so its queue must hold two of the largest.
fn outbox_limits(gate: &Gate, endpoint: &Endpoint) -> OutboxLimits {
    let bytes_max = match endpoint.settings.behaviour {
        Behaviour::Echo => gate.limits.queue_bytes_max.max(2 * endpoint.settings.message_bytes_max + 64 * 1024),
        Behaviour::Broadcast { .. } => gate.limits.queue_bytes_max,
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

fn switching_protocols(accept_key: &AcceptKey) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(accept_key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::live;

    fn size_of_task<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Ten thousand idle sockets are ten thousand of these.
    #[test]
    fn the_task_of_a_connection_stays_small() {
        let bytes = size_of_task(live);
        assert!(bytes <= 768, "the task of a connection takes {bytes} bytes");
    }
}
