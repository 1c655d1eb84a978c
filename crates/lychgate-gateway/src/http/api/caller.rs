//! Who calls, and whether their key is good for it.
//!
//! **Invariant:** no answer and no log line holds a key. To whoever shows a bad one, every kind of bad looks the same.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};
use ipnet::IpNet;
use lychgate_service::api_key_office::{ApiKey, ApiKeyRefused, Scope};
use lychgate_service::login_throttle::AddressKey;
use lychgate_service::ports::StoreError;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::http::api::{Api, Operation};
use crate::layers::address;
use crate::layers::bearer::{bearer, by_scheme};
use crate::layers::request_id::RequestId;

/// The header of a key, for programs that need `Authorization` for something else.
static API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks for what, as far as logs go.
pub(super) struct Caller {
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) operation: Operation,
}

impl Caller {
    pub(super) fn of(peer: Option<&Peer>, headers: &HeaderMap, trusted: &[IpNet], operation: Operation) -> Self {
        let address = peer.map(|peer| address::client(peer.address, headers, trusted));
        Self { address, request_id: RequestId::fresh(), operation }
    }

    /// 503 where the same may succeed later, else 500; the cause is logged.
    pub(super) fn store_failed(&self, error: &StoreError) -> HttpError {
        let (request_id, route) = (self.request_id, self.operation.name());
        let cause: &dyn std::error::Error = error;
        tracing::error!(%request_id, route, cause, "the API could not do what it was asked for");
        match error {
            StoreError::Unavailable(_) | StoreError::Full(_) => {
                HttpError::unavailable("unavailable", "This cannot be done at the moment. Try again later.")
                    .retry_after(Duration::from_secs(5))
            }
            StoreError::Broken(_) => internal(),
        }
    }
}

pub(super) fn internal() -> HttpError {
    HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error")
}

impl Api {
    /// The name of the key that was shown, if it is good for what is asked for.
    pub(super) async fn key_of(&self, caller: &Caller, headers: &HeaderMap) -> Result<String, HttpError> {
        self.key_for(caller, headers, caller.operation.scope(), caller.operation.other_scopes()).await
    }

    /// The name of the key that was shown, if it is good for `scope` or one of the `others`.
    pub(super) async fn key_for(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        scope: Scope,
        others: &[Scope],
    ) -> Result<String, HttpError> {
        let key = shown(headers)?
            .ok_or_else(|| HttpError::unauthorized("missing", "Send an API key as Authorization: Bearer."))?;
        let address = AddressKey::from(caller.address.ok_or_else(internal)?);
        let now_ms = self.gate.ticker.now_ms();
        self.failed_keys.check(&address, now_ms).map_err(|wait| {
            let text = "Too many keys that are not accepted. Try again later.";
            HttpError::new(StatusCode::TOO_MANY_REQUESTS, "throttled", text)
                .retry_after(Duration::from_millis(wait.millis))
        })?;
        self.parts.office.check_any(&key, scope, others).await.map_err(|refused| {
            if matches!(refused, ApiKeyRefused::Malformed | ApiKeyRefused::Unknown | ApiKeyRefused::Revoked { .. }) {
                // If there is no room any more, others were quicker: this one still gets its own answer.
                let _ = self.failed_keys.take(address, now_ms);
            }
            refusal(caller, &refused)
        })
    }
}

/// The scheme by which older libraries for Centrifugo's API show a key in `Authorization`.
const API_KEY_SCHEME: &str = "apikey";

/// The key of a request, `None` if it shows none.
fn shown(headers: &HeaderMap) -> Result<Option<ApiKey>, HttpError> {
    let mut own = headers.get_all(&API_KEY_HEADER).iter();
    // Two ways at once are refused (RFC 6750 section 3.1): two readers could choose differently.
    let both = || HttpError::bad_request("two_keys", "Send one API key, in one header.");
    let authorization = match bearer(headers).map_err(|_| both())? {
        None => by_scheme(headers, API_KEY_SCHEME).map_err(|_| both())?,
        bearer => bearer,
    };
    match (authorization, own.next(), own.next()) {
        (Some(_), Some(_), _) | (None, Some(_), Some(_)) => Err(both()),
        (Some(bearer), None, _) => Ok(Some(ApiKey::new(&bearer))),
        // What is no text is no key either.
        (None, Some(value), None) => Ok(Some(ApiKey::new(value.to_str().unwrap_or_default()))),
        (None, None, _) => Ok(None),
    }
}

fn refusal(caller: &Caller, refused: &ApiKeyRefused) -> HttpError {
    let Caller { request_id, operation, .. } = caller;
    let (address, route, reason) = (caller.address.map(tracing::field::display), operation.name(), refused.code());
    match refused {
        ApiKeyRefused::Store(error) => caller.store_failed(error),
        ApiKeyRefused::Lacks { scope, .. } => {
            tracing::warn!(address, %request_id, route, reason, "refused: {refused}");
            let text = format!("This API key lacks the scope {scope}.");
            HttpError::new(StatusCode::FORBIDDEN, "missing_scope", text)
        }
        ApiKeyRefused::Malformed | ApiKeyRefused::Unknown | ApiKeyRefused::Revoked { .. } => {
            tracing::warn!(address, %request_id, route, reason, "refused: {refused}");
            HttpError::unauthorized("invalid", "The API key is not accepted.")
        }
    }
}
