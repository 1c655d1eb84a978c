//! Logging in: what a client sends of itself for an access token.
//!
//! What the fields are called, what the answer holds and how a refusal reads is configured; the way is always the same.
//!
//! **Invariant:** no answer and no log line holds a password, and nothing here sets a cookie:
//! a token is explicit, so a foreign page that posts a form gains nothing.

mod answer;
mod body;
mod development;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use ipnet::IpNet;
use lychgate_service::accounts::{Accounts, LoginField, LoginRefused, LoginRequest};
use lychgate_service::issue::{IssueRefused, Issued, Issuer};
use lychgate_service::login_throttle::LoginThrottle;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::users::User;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::origin::Origins;
use crate::layers::request_id::{self, RequestId};
use crate::metrics::Metrics;
use crate::settings::LoginRoute;
use crate::ticks::Ticker;

pub use development::log_in_without_password;

/// What these routes need.
pub struct Login {
    /// Who there is.
    pub accounts: Arc<Accounts>,
    /// What a login may be.
    pub fields: Vec<LoginField>,
    /// Who signs.
    pub issuer: Arc<Issuer>,
    /// How often somebody may fail.
    pub throttle: LoginThrottle,
    /// What is sent and answered.
    pub route: LoginRoute,
    /// The clock of the throttle.
    pub ticker: Ticker,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The pages that may ask for what needs no password.
    pub origins: Origins,
}

/// Who asks, as far as logs go.
#[derive(Clone, Copy)]
struct Caller {
    address: IpAddr,
    request_id: RequestId,
}

/// Somebody who is in, with the token for it.
struct Granted {
    user: User,
    issued: Issued,
}

/// Logs somebody in.
pub async fn log_in(State(login): State<Arc<Login>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let caller = login.caller(peer, request.headers());
    let answered = match body::credentials(request, &login.route).await {
        Ok(credentials) => login.check(credentials, caller).await,
        Err(error) => Err(error),
    };
    login.respond(answered, caller)
}

impl Login {
    fn caller(&self, peer: Peer, headers: &HeaderMap) -> Caller {
        let address = address::client(peer.address, headers, &self.trusted_proxies);
        Caller { address, request_id: RequestId::fresh() }
    }

    fn respond(&self, answered: Result<Granted, HttpError>, caller: Caller) -> Response {
        let mut response = match answered {
            Ok(granted) => answer::granted(&granted, &self.route),
            Err(error) => {
                self.metrics.login(error.code());
                error.into_response()
            }
        };
        if let Ok(value) = HeaderValue::from_str(&caller.request_id.to_string()) {
            response.headers_mut().insert(request_id::HEADER, value);
        }
        response
    }

    async fn check(&self, credentials: body::Credentials, caller: Caller) -> Result<Granted, HttpError> {
        let Caller { address, request_id } = caller;
        let attempt = self.throttle.attempt(address, &credentials.login, self.ticker.now_ms()).map_err(|wait| {
            tracing::warn!(%address, %request_id, retry_after_ms = wait.millis, "login throttled");
            HttpError::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many failed logins. Try again later.")
                .retry_after(Duration::from_millis(wait.millis))
        })?;
        if let Some(delay) = attempt.delay {
            tokio::time::sleep(delay).await;
        }
        let request = LoginRequest { login: &credentials.login, password: credentials.password, fields: &self.fields };
        let user = self.accounts.login(request).await.map_err(|refused| {
            if matches!(refused, LoginRefused::Busy(_) | LoginRefused::Store(_)) {
                self.throttle.succeeded(&attempt);
            }
            self.refusal(&refused, caller)
        })?;
        self.throttle.succeeded(&attempt);
        let granted = self.grant(user, caller)?;
        tracing::info!(%address, %request_id, user = granted.user.name, "login");
        Ok(granted)
    }

    /// A token for somebody who may have one.
    fn grant(&self, user: User, Caller { address, request_id }: Caller) -> Result<Granted, HttpError> {
        match self.issuer.issue(&user) {
            Ok(issued) => {
                self.metrics.login("ok");
                Ok(Granted { user, issued })
            }
            Err(refused @ IssueRefused::NoEmail) => {
                tracing::error!(
                    %address, %request_id, reason = "no_email", user = user.name, cause = %refused,
                    "login failed: give the account an address, or choose another login.subject"
                );
                Err(HttpError::new(StatusCode::FORBIDDEN, "no_email", "This account has no e-mail address."))
            }
            Err(refused @ IssueRefused::Mint(_)) => {
                tracing::error!(
                    %address, %request_id, user = user.name, cause = %refused, "cannot mint a token"
                );
                Err(HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error"))
            }
        }
    }

    fn refusal(&self, refused: &LoginRefused, caller: Caller) -> HttpError {
        let Caller { address, request_id } = caller;
        match refused {
            LoginRefused::BadCredentials => {
                tracing::warn!(%address, %request_id, reason = "bad_credentials", "login failed");
                self.incorrect()
            }
            LoginRefused::Disabled => self.disabled(caller),
            LoginRefused::Busy(_) => {
                tracing::warn!(%address, %request_id, reason = "busy", "login failed: too many logins at once");
                HttpError::unavailable("busy", "Too many logins at once. Try again in a moment.")
                    .retry_after(Duration::from_secs(2))
            }
            LoginRefused::Store(cause) => store_failed(cause, caller),
        }
    }

    fn incorrect(&self) -> HttpError {
        HttpError::unauthorized("bad_credentials", self.route.incorrect.as_str())
    }

    /// For whoever has proved to be the owner of an account that is closed.
    fn disabled(&self, Caller { address, request_id }: Caller) -> HttpError {
        tracing::warn!(%address, %request_id, reason = "disabled", "login failed");
        match &self.route.disabled {
            Some((StatusCode::UNAUTHORIZED, text)) => HttpError::unauthorized("disabled", text.as_str()),
            Some((status, text)) => HttpError::new(*status, "disabled", text.as_str()),
            None => self.incorrect(),
        }
    }
}

fn store_failed(cause: &StoreError, Caller { address, request_id }: Caller) -> HttpError {
    tracing::error!(%address, %request_id, reason = "store", cause = %cause, "login failed");
    HttpError::unavailable("unavailable", "Logins are not possible at the moment. Try again later.")
        .retry_after(Duration::from_secs(5))
}
