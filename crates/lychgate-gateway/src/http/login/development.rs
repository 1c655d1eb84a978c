//! A login by e-mail address alone, for a development server.
//!
//! **Invariant:** it makes no account, and no page of elsewhere can ask for it: JSON needs a preflight in a browser,
//! and a page whose name was made to lead to this machine still says in `Origin` where it is from.
//!
//! **Absent on purpose:** a throttle. There is no password to guess.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use lychgate_service::accounts::LoginField;

use super::{Caller, Granted, Login, body, store_failed};
use crate::accept::Peer;
use crate::error::HttpError;

/// Logs somebody in who only says who they are.
pub async fn log_in_without_password(
    State(login): State<Arc<Login>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let caller = login.caller(peer, request.headers());
    let answered = login.believe(request, caller).await;
    login.respond(answered, caller)
}

impl Login {
    async fn believe(&self, request: Request, caller: Caller) -> Result<Granted, HttpError> {
        let Caller { address, request_id } = caller;
        if !self.is_from_here(request.headers()) {
            tracing::warn!(%address, %request_id, reason = "origin", "login failed");
            return Err(HttpError::new(StatusCode::FORBIDDEN, "origin", "This page may not log anybody in."));
        }
        let email = body::email(request).await?;
        let found = self.accounts.find(&email, &[LoginField::Email]).await;
        let Some(user) = found.map_err(|cause| store_failed(&cause, caller))? else {
            tracing::warn!(%address, %request_id, reason = "no_account", "login failed");
            let text = "There is no account with this e-mail address.";
            return Err(HttpError::new(StatusCode::NOT_FOUND, "no_account", text));
        };
        if !user.active {
            return Err(self.disabled(caller));
        }
        let name = user.name.clone();
        let granted = self.grant(user, caller).await?;
        tracing::info!(%address, %request_id, user = name, "login without a password");
        Ok(granted)
    }

    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.origins.allow(origin))
    }
}
