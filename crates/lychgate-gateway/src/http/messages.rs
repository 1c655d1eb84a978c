//! Publishing and reading what was kept by HTTP, by the rules of an endpoint.
//!
//! The caller shows a token as `Authorization: Bearer` and goes through the same door as a WebSocket would.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, RawPathParamsRejection};
use axum::extract::{DefaultBodyLimit, Extension, RawPathParams, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, StatusCode, Uri, header};
use lychgate_service::admission::{Credential, Refused};
use lychgate_service::conversation::{HISTORY_MAX, HistoryRefused, PostRefused};
use lychgate_service::policy::Permit;
use lychgate_service::ports::messages::MessageId;
use lychgate_token::Token;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::bearer::bearer;
use crate::layers::request_id::RequestId;
use crate::settings::{MessageRoute, MessageRouteDoes};
use crate::ws::gate::Gate;
use crate::ws::profile::Event;

/// How many messages a page has when nobody asks for more or fewer.
const PAGE: u32 = 50;

/// One route with what it stands on.
pub struct Messages {
    route: MessageRoute,
    gate: Arc<Gate>,
}

/// How `route` answers.
pub fn method(route: &MessageRoute, gate: &Arc<Gate>) -> MethodRouter {
    let state = Arc::new(Messages { route: route.clone(), gate: Arc::clone(gate) });
    let limit = DefaultBodyLimit::max(route.body_bytes_max);
    match route.does {
        MessageRouteDoes::Publish(_) => post(publish).layer(limit).with_state(state),
        MessageRouteDoes::History => get(history).with_state(state),
    }
}

async fn publish(
    State(messages): State<Arc<Messages>>,
    Extension(peer): Extension<Peer>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let published = async {
        let permit = messages.admit(&peer, path.ok().as_ref(), &uri, &headers).await?;
        let body = body.map_err(|_| {
            HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request's body is too large.")
        })?;
        let text = std::str::from_utf8(&body)
            .map_err(|_| HttpError::bad_request("bad_json", "The body is one JSON object in UTF-8."))?;
        let MessageRouteDoes::Publish(send) = &messages.route.does else { return Err(internal()) };
        messages.route.conversation.post(&permit, text, send.as_deref()).map_err(|refused| match refused {
            PostRefused::NotAllowed => HttpError::new(StatusCode::FORBIDDEN, "not_allowed", refused.to_string()),
            PostRefused::NotAnObject(_) => HttpError::bad_request("bad_json", refused.to_string()),
            PostRefused::BadShape(_) => HttpError::bad_request("bad_shape", refused.to_string()),
            PostRefused::NotDelivered => HttpError::unavailable("not_delivered", "Try again in a moment."),
        })
    };
    match published.await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => error.into_response(),
    }
}

#[derive(Serialize)]
struct Page {
    messages: Vec<Box<RawValue>>,
    /// What to ask for as `before` to see what is older.
    next: Option<i64>,
}

async fn history(
    State(messages): State<Arc<Messages>>,
    Extension(peer): Extension<Peer>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let permit = messages.admit(&peer, path.ok().as_ref(), &uri, &headers).await?;
        let number = |name: &str| {
            let found = in_query(&uri, name).map(|value| value.parse::<i64>().ok().filter(|number| *number > 0));
            found.map(|number| {
                number.ok_or_else(|| HttpError::bad_request("query", format!("{name} is a whole number from 1.")))
            })
        };
        let limit = number("limit").transpose()?.map_or(PAGE, |limit| u32::try_from(limit).unwrap_or(HISTORY_MAX));
        let before = number("before").transpose()?.map(MessageId);
        let kept =
            messages.route.conversation.history(&permit, before, limit).await.map_err(|refused| match refused {
                HistoryRefused::NothingKept => {
                    HttpError::new(StatusCode::NOT_FOUND, "not_kept", "Nothing is kept here.")
                }
                HistoryRefused::Store(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::error!(cause, "a history cannot be read");
                    HttpError::unavailable("unavailable", "The history cannot be read now. Try again.")
                }
            })?;
        let messages = kept.messages.into_iter().filter_map(|text| RawValue::from_string(text).ok()).collect();
        Ok::<_, HttpError>(Page { messages, next: kept.next.map(|id| id.0) })
    };
    match page.await {
        Ok(page) => ([(header::CACHE_CONTROL, "no-store")], Json(page)).into_response(),
        Err(error) => error.into_response(),
    }
}

impl Messages {
    async fn admit(
        &self,
        peer: &Peer,
        path: Option<&RawPathParams>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Permit, HttpError> {
        let in_path = |name: &str| {
            let found = path.into_iter().flatten().find(|(key, _)| *key == name);
            found.map(|(_, value)| Cow::Owned(value.to_owned()))
        };
        let parameters = self.route.target.read(&in_path, &|name| in_query(uri, name));
        let admitted = match bearer(headers) {
            Ok(token) => {
                let credential = token.map(|token| Credential::Token(Token::from(token)));
                self.gate.admission.admit(credential.as_ref(), &self.route.door, parameters).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        admitted.map(|admitted| admitted.permit).map_err(|refused| {
            let client = address::client(peer.address, headers, &self.gate.trusted_proxies);
            refusal(&self.route.name, client, &refused)
        })
    }
}

fn refusal(route: &str, client: std::net::IpAddr, refused: &Refused) -> HttpError {
    let request_id = RequestId::fresh();
    let event = Event::of(refused);
    if matches!(event, Event::Error | Event::Lookup) {
        tracing::error!(route, address = %client, %request_id, reason = refused.code(), "refused: {refused}");
        return HttpError::unavailable("unavailable", "Whether you may could not be found out. Try again.");
    }
    tracing::info!(route, address = %client, %request_id, reason = refused.code(), "refused: {refused}");
    match event.status() {
        StatusCode::UNAUTHORIZED => HttpError::unauthorized(event.name(), event.meaning()),
        status => HttpError::new(status, event.name(), event.meaning()),
    }
}

fn in_query<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let mut values = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).filter(|(key, _)| key == name);
    let first = values.next().map(|(_, value)| value);
    // Two values are none: two readers could choose differently.
    if values.next().is_some() { Some(Cow::Borrowed("")) } else { first }
}

fn internal() -> HttpError {
    HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error")
}
