//! Channels, from the application's side: `POST {path}/{method}` with a JSON object.
//!
//! The shapes are those of Centrifugo's HTTP API, so that libraries for it work: an answer is `{"result": …}` or
//! `{"error": {"code", "message"}}`. An error has a status of its own as well.
//!
//! **Absent on purpose:** Centrifugo's map and shared-poll methods, and rpc.

mod calls;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode};
use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_service::api_key_office::Scope;
use lychgate_service::channels::{NotDone, Operator};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::HttpError;
use crate::http::api::caller::Caller;
use crate::http::api::names::read;
use crate::http::api::{Api, Call};
use crate::ws::channels::Clients;

/// The header by which a client asks for the bare error object, as Centrifugo has it.
static ERROR_MODE: HeaderName = HeaderName::from_static("x-centrifugo-error-mode");

/// The most commands of one batch.
const BATCH_MAX: usize = 1_000;

/// What the methods are done with.
#[derive(Clone)]
pub struct ChannelsApi {
    /// Who does what concerns channels.
    pub operator: Arc<Operator>,
    /// Who is there.
    pub clients: Arc<Clients>,
    /// Publications that one answer may hold.
    pub publications_max: usize,
    /// What this process calls itself.
    pub node: Box<str>,
    /// When it started.
    pub started: Instant,
}

/// The names of all methods, which are the last parts of their paths.
pub fn method_names() -> impl Iterator<Item = &'static str> {
    Method::ALL.into_iter().map(Method::name)
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Publish,
    Broadcast,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Refresh,
    Presence,
    PresenceStats,
    History,
    HistoryRemove,
    Channels,
    Info,
    Batch,
}

impl Method {
    pub(super) const ALL: [Self; 13] = [
        Self::Publish,
        Self::Broadcast,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Disconnect,
        Self::Refresh,
        Self::Presence,
        Self::PresenceStats,
        Self::History,
        Self::HistoryRemove,
        Self::Channels,
        Self::Info,
        Self::Batch,
    ];

    /// Its name in paths, logs and metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Broadcast => "broadcast",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Disconnect => "disconnect",
            Self::Refresh => "refresh",
            Self::Presence => "presence",
            Self::PresenceStats => "presence_stats",
            Self::History => "history",
            Self::HistoryRemove => "history_remove",
            Self::Channels => "channels",
            Self::Info => "info",
            Self::Batch => "batch",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name && *method != Self::Batch)
    }

    /// What a key has to be good for; a batch, as its commands have it.
    pub(super) const fn scope(self) -> Scope {
        match self {
            Self::Publish | Self::Broadcast | Self::Batch => Scope::ChannelsPublish,
            Self::Presence | Self::PresenceStats | Self::History | Self::Channels | Self::Info => Scope::ChannelsRead,
            Self::Subscribe | Self::Unsubscribe | Self::Disconnect | Self::Refresh | Self::HistoryRemove => {
                Scope::ChannelsManage
            }
        }
    }
}

/// Why a method did nothing.
pub(super) struct Failed {
    code: ErrorCode,
    message: String,
}

impl Failed {
    fn bad(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::BAD_REQUEST, message: message.into() }
    }

    fn shown(&self) -> Value {
        json!({ "code": self.code.0, "message": self.message })
    }

    fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::UNKNOWN_CHANNEL | ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
            ErrorCode::BAD_REQUEST | ErrorCode::NOT_AVAILABLE => StatusCode::BAD_REQUEST,
            ErrorCode::PERMISSION_DENIED => StatusCode::FORBIDDEN,
            ErrorCode::UNRECOVERABLE_POSITION => StatusCode::RANGE_NOT_SATISFIABLE,
            ErrorCode::TOO_MANY_REQUESTS => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<NotDone> for Failed {
    fn from(not_done: NotDone) -> Self {
        let code = match not_done {
            NotDone::Unknown => ErrorCode::UNKNOWN_CHANNEL,
            NotDone::BadName => ErrorCode::BAD_REQUEST,
            NotDone::NotKept => ErrorCode::NOT_AVAILABLE,
            NotDone::OtherEpoch => ErrorCode::UNRECOVERABLE_POSITION,
            NotDone::Busy => ErrorCode::TOO_MANY_REQUESTS,
            NotDone::NotStored => ErrorCode::INTERNAL,
        };
        Self { code, message: not_done.to_string() }
    }
}

#[derive(Deserialize)]
struct Batch {
    commands: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// What came of one command of a batch.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Done(BTreeMap<String, Box<RawValue>>),
    Failed { error: Value },
}

impl Api {
    /// Does what a method asks for.
    pub(super) async fn channels(
        &self,
        caller: &Caller,
        method: Method,
        headers: &HeaderMap,
        call: Call,
    ) -> Result<Response, HttpError> {
        let Some(channels) = self.parts.channels.clone() else {
            return Err(HttpError::new(StatusCode::NOT_FOUND, "not_found", "There are no channels here."));
        };
        let body = read(call.request).await?;
        if method == Method::Batch {
            return self.batch(caller, &channels, headers, &body).await;
        }
        match channels.perform(method, &body).await {
            Ok(result) => Ok(Json(BTreeMap::from([("result", result)])).into_response()),
            Err(failed) => {
                let is_bare = headers.get(&ERROR_MODE).is_some_and(|mode| mode == "transport");
                let body = if is_bare { failed.shown() } else { json!({ "error": failed.shown() }) };
                Ok((failed.status(), Json(body)).into_response())
            }
        }
    }

    /// Does several commands in their order, each with an answer of its own.
    async fn batch(
        &self,
        caller: &Caller,
        channels: &ChannelsApi,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response, HttpError> {
        let form = r#"Send {"commands": [{"publish": {…}}, …]}, each with one method."#;
        let batch: Batch = serde_json::from_slice(body).map_err(|_| HttpError::bad_request("bad_json", form))?;
        if batch.commands.len() > BATCH_MAX {
            return Err(HttpError::bad_request("too_many", format!("A batch has at most {BATCH_MAX} commands.")));
        }
        let mut commands = Vec::with_capacity(batch.commands.len());
        let mut scopes = Vec::new();
        for command in batch.commands {
            let mut entries = command.into_iter();
            let (Some((name, request)), None) = (entries.next(), entries.next()) else {
                return Err(HttpError::bad_request("bad_json", form));
            };
            let method = Method::named(&name);
            scopes.extend(method.map(Method::scope).filter(|scope| !scopes.contains(scope)));
            commands.push((name, method, request));
        }
        // Before the first command is done, so that a batch is refused as a whole.
        for scope in scopes {
            self.key_for(caller, headers, scope, &[]).await?;
        }
        let mut replies = Vec::with_capacity(commands.len());
        for (name, method, request) in commands {
            let done = match method {
                Some(method) => channels.perform(method, request.get().as_bytes()).await,
                None => Err(Failed {
                    code: ErrorCode::METHOD_NOT_FOUND,
                    message: format!("there is no method {name} in a batch"),
                }),
            };
            replies.push(match done {
                Ok(result) => Answer::Done(BTreeMap::from([(name, result)])),
                Err(failed) => Answer::Failed { error: failed.shown() },
            });
        }
        Ok(Json(BTreeMap::from([("replies", replies)])).into_response())
    }
}
