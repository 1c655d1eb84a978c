//! What a client says that hears the server over an answer: one request for each message, answered before it is acted on.
//!
//! A request names its session, which is a secret of its client, so nothing else is asked for.
//! What is said in it is done in the connection's own turn, and told in the connection's own answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use lychgate_protocol::centrifuge::{EmulationRequest, Encoding};

use super::begin::{is_binary, read, too_large};
use super::cors;
use super::inbox::NotTaken;
use crate::error::HttpError;
use crate::layers::origin::Origins;
use crate::ws::gate::Gate;
use crate::ws::upgrade;

/// What a body may have beside the message in it.
const ENVELOPE_BYTES: usize = 1024;

/// What this route needs.
pub struct Emulation {
    /// What all endpoints share.
    pub gate: Arc<Gate>,
    /// The pages that may connect to one of the endpoints with such clients.
    pub origins: Vec<Origins>,
    /// The longest message of any of them, in bytes.
    pub message_bytes_max: usize,
}

/// Takes a message.
pub async fn hear(State(emulation): State<Arc<Emulation>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = emulation.hear(&parts, body).await;
    let word = outcome.as_ref().map_or_else(HttpError::code, |_| "ok");
    if parts.method != Method::OPTIONS {
        emulation.gate.metrics.emulated(word);
    }
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    cors::allow(&emulation.origins, &parts.headers, &mut response);
    response
}

impl Emulation {
    async fn hear(&self, parts: &Parts, body: Body) -> Result<Response, HttpError> {
        let gate = &*self.gate;
        if !self.origins.iter().any(|origins| origins.allow_upgrade(&parts.headers)) {
            return Err(upgrade::wrong_origin(gate));
        }
        if parts.method == Method::OPTIONS {
            return Ok(cors::preflight("POST, OPTIONS"));
        }
        if parts.method != Method::POST {
            return Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Messages come by POST.")
                .with(header::ALLOW, HeaderValue::from_static("POST")));
        }
        // A string in JSON is longer than what it says: each quotation mark in it has a backslash.
        let body = read(gate, body, self.message_bytes_max * 2 + ENVELOPE_BYTES).await?;
        let encoding = if is_binary(parts) { Encoding::Protobuf } else { Encoding::Json };
        let request = EmulationRequest::read(encoding, &body)
            .map_err(|_| HttpError::bad_request("body", "The body is no request with session, node and data."))?;
        if request.data.is_empty() {
            return Err(HttpError::bad_request("data", "The request says nothing: data is empty."));
        }
        if *request.node != *gate.node {
            return Err(HttpError::new(
                StatusCode::NOT_FOUND,
                "node",
                "No server of this name is here. Connect again.",
            ));
        }
        // A session that is over is nobody's fault: the request and the end have crossed.
        let Some(socket) = request.session.parse().ok().and_then(|key| gate.sessions.find(key)) else {
            return Ok(StatusCode::NO_CONTENT.into_response());
        };
        let endpoint = socket.endpoint();
        if !endpoint.settings.origins.allow_upgrade(&parts.headers) {
            return Err(upgrade::wrong_origin(gate));
        }
        if request.data.len() > endpoint.settings.message_bytes_max {
            return Err(too_large());
        }
        match socket.hear(request.data.into_owned(), gate.ticker.now_ms()) {
            Ok(()) | Err(NotTaken::Over) => Ok(StatusCode::NO_CONTENT.into_response()),
            Err(NotTaken::Full) => {
                endpoint.metrics.message_refused("inbox");
                Err(too_many("inbox", "As much waits for this connection as may.", Duration::from_secs(1)))
            }
            Err(NotTaken::TooOften(wait)) => {
                endpoint.metrics.message_refused("rate");
                Err(too_many("rate", "Too many requests for this connection.", Duration::from_millis(wait.millis)))
            }
        }
    }
}

/// It is this client's own doing, and no other one feels it.
fn too_many(code: &'static str, detail: &str, wait: Duration) -> HttpError {
    HttpError::new(StatusCode::TOO_MANY_REQUESTS, code, format!("{detail} This message was not taken."))
        .retry_after(wait)
}
