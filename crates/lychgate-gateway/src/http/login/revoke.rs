//! Revoking a token: a refresh token with its session, or an access token alone (RFC 7009).
//!
//! **Invariant:** 200 is answered once the revocation is on disk, is asked for at the door, and the sockets are closed;
//! or where there is nothing to be revoked. What cannot be done is never answered so.
//!
//! **Absent on purpose:** a client's credentials. Whoever holds a token may end it.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use lychgate_service::ports::revocations::Revoked;
use lychgate_service::revocations::NotRevoked;
use lychgate_service::session_office::RefreshToken;
use lychgate_token::Token;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Caller, Login, body, identified};
use crate::accept::Peer;
use crate::error::HttpError;

/// The issuer whose tokens are ours to revoke.
const OWN_ISSUER: &str = "own";

/// Revokes the token in the body.
pub async fn revoke(State(login): State<Arc<Login>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let caller = login.caller(peer, request.headers());
    let done = match body::token(request).await {
        Ok(token) => login.revoke(token, caller).await,
        Err(error) => Err(error),
    };
    let response = match done {
        Ok(outcome) => {
            login.metrics.revocation(outcome);
            (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response()
        }
        Err(error) => {
            login.metrics.revocation(error.code());
            error.into_response()
        }
    };
    identified(response, caller)
}

impl Login {
    async fn revoke(&self, token: SecretString, caller: Caller) -> Result<&'static str, HttpError> {
        let Caller { address, request_id } = caller;
        self.may_show_a_token(caller)?;
        let refresh = RefreshToken::new(token.clone());
        if let (true, Some(sessions)) = (refresh.is_well_formed(), &self.sessions) {
            return match sessions.log_out(&refresh).await.map_err(|cause| not_revoked(&cause, caller))? {
                Some(session) => {
                    tracing::info!(%address, %request_id, session = session.sid, "logout");
                    Ok("session")
                }
                None => Ok(self.unknown(caller)),
            };
        }
        let token = Token::from(token.expose_secret());
        let now_s = self.issuer.now_s();
        let claims = self.verifier.verify(&token, now_s).ok().filter(|claims| &*claims.issuer_profile == OWN_ISSUER);
        let Some((claims, jti)) = claims.and_then(|claims| claims.jti.clone().map(|jti| (claims, jti))) else {
            return Ok(self.unknown(caller));
        };
        let ends_at_s = self.revocations.ends_at_s(claims.exp);
        let revoked = self.revocations.revoke(Revoked::Token(jti), ends_at_s).await;
        revoked.map_err(|cause| not_revoked(&cause, caller))?;
        tracing::info!(%address, %request_id, user = claims.sub, "token revoked");
        Ok("token")
    }

    /// There is nothing to be revoked, which is answered like what is (RFC 7009 section 2.2).
    fn unknown(&self, Caller { address, request_id }: Caller) -> &'static str {
        self.throttle.failed(address, self.ticker.now_ms());
        tracing::info!(%address, %request_id, reason = "unknown", "nothing to revoke");
        "unknown"
    }
}

fn not_revoked(cause: &NotRevoked, Caller { address, request_id }: Caller) -> HttpError {
    tracing::error!(%address, %request_id, %cause, "not revoked");
    HttpError::unavailable("unavailable", "The token could not be revoked. Try again.")
        .retry_after(std::time::Duration::from_secs(1))
}
