//! Logging in: what a client sends of itself for an access token.
//!
//! What the fields are called, what the answer holds and how a refusal reads is configured; the way is always the same.
//!
//! **Invariant:** no answer and no log line holds a password, and nothing here sets a cookie:
//! a token is explicit, so a foreign page that posts a form gains nothing.

mod answer;
mod body;
mod development;
mod refresh;
mod revoke;

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
use lychgate_service::revocations::Revocations;
use lychgate_service::session_office::{Granted as Session, NotGranted, SessionOffice};
use lychgate_token::Verifier;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::origin::Origins;
use crate::layers::request_id::{self, RequestId};
use crate::metrics::Metrics;
use crate::settings::LoginRoute;
use crate::ticks::Ticker;

pub use development::log_in_without_password;
pub use revoke::revoke;

/// What these routes need.
pub struct Login {
    /// Who there is.
    pub accounts: Arc<Accounts>,
    /// What a login may be.
    pub fields: Vec<LoginField>,
    /// Who signs.
    pub issuer: Arc<Issuer>,
    /// Who keeps sessions, if logins have any.
    pub sessions: Option<Arc<SessionOffice>>,
    /// What is revoked.
    pub revocations: Arc<Revocations>,
    /// Who checks a token that is to be revoked.
    pub verifier: Arc<Verifier>,
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

/// Somebody who is in, with what they get for it.
enum Granted {
    /// A token, and nothing behind it.
    Once(User, Issued),
    /// A token of a session that has begun.
    Session(Box<Session>),
}

/// Logs somebody in.
pub async fn log_in(State(login): State<Arc<Login>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let caller = login.caller(peer, request.headers());
    let answered = match body::asked(request, &login.route).await {
        Ok(body::Asked::Login(credentials)) => login.check(credentials, caller).await,
        Ok(body::Asked::Refresh(token)) => return login.refresh(token, caller).await,
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
        let response = match answered {
            Ok(Granted::Once(user, issued)) => answer::granted(&user, &issued, None, &self.route),
            Ok(Granted::Session(session)) => answer::of_session(&session, &self.route),
            Err(error) => {
                self.metrics.login(error.code());
                error.into_response()
            }
        };
        identified(response, caller)
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
        let name = user.name.clone();
        let granted = self.grant(user, caller).await?;
        tracing::info!(%address, %request_id, user = name, "login");
        Ok(granted)
    }
}

/// The same with the id that the log has for it.
fn identified(mut response: Response, caller: Caller) -> Response {
    if let Ok(value) = HeaderValue::from_str(&caller.request_id.to_string()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

impl Login {
    /// A token for somebody who may have one, in a session where logins have them.
    async fn grant(&self, user: User, caller: Caller) -> Result<Granted, HttpError> {
        if self.issuer.subject_of(&user).is_some_and(|subject| self.revocations.is_blocked(&subject)) {
            return Err(self.disabled(caller));
        }
        let name = user.name.clone();
        let granted = match &self.sessions {
            Some(sessions) => {
                sessions.open(user, caller.address.to_string()).await.map(|session| Granted::Session(Box::new(session)))
            }
            None => self.issuer.issue(&user).map(|issued| Granted::Once(user, issued)).map_err(NotGranted::Issue),
        };
        match granted {
            Ok(granted) => {
                self.metrics.login("ok");
                Ok(granted)
            }
            Err(cause) => Err(not_granted(&cause, &name, caller)),
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

/// Nothing that the one who asks has done wrong.
fn not_granted(cause: &NotGranted, user: &str, caller: Caller) -> HttpError {
    let Caller { address, request_id } = caller;
    match cause {
        NotGranted::Issue(IssueRefused::NoEmail) => {
            tracing::error!(
                %address, %request_id, reason = "no_email", user, %cause,
                "login failed: give the account an address, or choose another login.subject"
            );
            HttpError::new(StatusCode::FORBIDDEN, "no_email", "This account has no e-mail address.")
        }
        NotGranted::Store(cause) => store_failed(cause, caller),
        NotGranted::Issue(IssueRefused::Mint(_)) => {
            tracing::error!(%address, %request_id, user, %cause, "cannot mint a token");
            HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error")
        }
        NotGranted::Changed => {
            tracing::warn!(%address, %request_id, user, %cause, "login failed");
            unavailable()
        }
        NotGranted::Invalid(_) | NotGranted::NoRandomness | NotGranted::Follow(_) => {
            tracing::error!(%address, %request_id, user, %cause, "login failed");
            unavailable()
        }
    }
}

fn unavailable() -> HttpError {
    HttpError::unavailable("unavailable", "Logins are not possible at the moment. Try again later.")
        .retry_after(Duration::from_secs(5))
}

fn store_failed(cause: &StoreError, Caller { address, request_id }: Caller) -> HttpError {
    tracing::error!(%address, %request_id, reason = "store", cause = %cause, "login failed");
    unavailable()
}
