//! Going on with a session by a refresh token (RFC 6749 section 6).
//!
//! **Invariant:** whatever is wrong with a token, the client is told one thing: it is not good. The log says more.
//!
//! **Absent on purpose:** a look at the access token. It may be over, and often is.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use lychgate_service::session_office::{Invalid, NotGranted, RefreshToken};
use secrecy::SecretString;

use super::{Caller, Login, answer, identified, not_granted, unavailable};
use crate::error::HttpError;

impl Login {
    pub(super) async fn refresh(&self, token: SecretString, caller: Caller) -> Response {
        let Caller { address, request_id } = caller;
        // Without a session behind it the body is never read as a refresh.
        let Some(sessions) = &self.sessions else { return identified(unavailable().into_response(), caller) };
        if let Err(error) = self.may_show_a_token(caller) {
            self.metrics.refresh(error.code());
            return identified(error.into_response(), caller);
        }
        let answered = sessions.refresh(&RefreshToken::new(token)).await;
        let response = match answered.as_ref() {
            Ok(session) => {
                self.metrics.refresh("ok");
                tracing::info!(%address, %request_id, user = session.user.name, session = session.sid, "refresh");
                answer::of_session(session, &self.route)
            }
            Err(NotGranted::Invalid(why)) => {
                self.metrics.refresh(why.code());
                // A repetition that came too often is an honest client's, whose network loses answers.
                if *why != Invalid::RepeatedBefore {
                    self.throttle.failed(address, self.ticker.now_ms());
                }
                tracing::warn!(%address, %request_id, reason = why.code(), "refresh failed");
                HttpError::bad_request("invalid_grant", "The refresh token is not good. Log in again.")
                    .with_error("invalid_grant")
                    .into_response()
            }
            Err(cause) => {
                let error = not_granted(cause, "", caller);
                self.metrics.refresh(error.code());
                error.into_response()
            }
        };
        identified(response, caller)
    }

    /// Whether an address may show another token that could be bad.
    pub(super) fn may_show_a_token(&self, Caller { address, request_id }: Caller) -> Result<(), HttpError> {
        self.throttle.may_fail(address, self.ticker.now_ms()).map_err(|wait| {
            tracing::warn!(%address, %request_id, retry_after_ms = wait.millis, "refresh throttled");
            HttpError::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many bad tokens. Try again later.")
                .retry_after(Duration::from_millis(wait.millis))
        })
    }
}
