//! `POST /token`: a name and a password for an access token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ipnet::IpNet;
use lychgate_service::accounts::{Accounts, LoginField, LoginRefused, LoginRequest};
use lychgate_service::issue::{Issued, Issuer};
use lychgate_service::login_throttle::LoginThrottle;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::request_id::{self, RequestId};
use crate::metrics::Metrics;
use crate::ticks::Ticker;

/// What this route needs.
pub struct Login {
    /// Who there is.
    pub accounts: Arc<Accounts>,
    /// What a login may be.
    pub fields: Vec<LoginField>,
    /// Who signs.
    pub issuer: Arc<Issuer>,
    /// How often somebody may fail.
    pub throttle: LoginThrottle,
    /// The clock of the throttle.
    pub ticker: Ticker,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The form of the OAuth 2 password request, as browsers and curl send it (RFC 6749 section 4.3.2).
#[derive(Deserialize)]
pub struct TokenForm {
    #[serde(default)]
    grant_type: Option<String>,
    username: String,
    password: SecretString,
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
}

/// Logs somebody in.
pub async fn log_in(
    State(login): State<Arc<Login>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Response {
    let request_id = RequestId::fresh();
    let client = address::client(peer.address, &headers, &login.trusted_proxies);
    let answered = match form {
        Ok(Form(form)) => login.answer(form, client, request_id).await,
        Err(rejection) => Err(bad_form(&rejection)),
    };
    let mut response = match answered {
        Ok(issued) => granted(&issued),
        Err(error) => {
            login.metrics.login(error.code());
            error.into_response()
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

impl Login {
    async fn answer(&self, form: TokenForm, client: IpAddr, request_id: RequestId) -> Result<Issued, HttpError> {
        if !matches!(form.grant_type.as_deref(), None | Some("" | "password")) {
            return Err(HttpError::bad_request("unsupported_grant_type", "grant_type must be \"password\" or absent."));
        }
        let attempt = self.throttle.attempt(client, &form.username, self.ticker.now_ms()).map_err(|wait| {
            tracing::warn!(address = %client, %request_id, retry_after_ms = wait.millis, "login throttled");
            HttpError::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many failed logins. Try again later.")
                .retry_after(Duration::from_millis(wait.millis))
        })?;
        if let Some(delay) = attempt.delay {
            tokio::time::sleep(delay).await;
        }
        let request = LoginRequest { login: &form.username, password: form.password, fields: &self.fields };
        let user = self.accounts.login(request).await.map_err(|refused| {
            if matches!(refused, LoginRefused::Busy(_) | LoginRefused::Store(_)) {
                self.throttle.succeeded(&attempt);
            }
            refusal(&refused, client, request_id)
        })?;
        self.throttle.succeeded(&attempt);
        let issued = self.issuer.issue(&user).map_err(|fault| {
            tracing::error!(address = %client, %request_id, cause = %fault, "cannot mint a token");
            HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "Internal server error")
        })?;
        self.metrics.login("ok");
        tracing::info!(address = %client, %request_id, user = user.name, "login");
        Ok(issued)
    }
}

fn granted(issued: &Issued) -> Response {
    let answer =
        TokenAnswer { access_token: issued.token.expose(), token_type: "bearer", expires_in: issued.expires_in_s };
    // RFC 6749 section 5.1.
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(answer)).into_response()
}

fn refusal(refused: &LoginRefused, client: IpAddr, request_id: RequestId) -> HttpError {
    match refused {
        LoginRefused::BadCredentials => {
            tracing::warn!(address = %client, %request_id, reason = "bad_credentials", "login failed");
            HttpError::unauthorized("bad_credentials", "Incorrect username or password")
        }
        LoginRefused::Disabled => {
            tracing::warn!(address = %client, %request_id, reason = "disabled", "login failed");
            HttpError::new(StatusCode::FORBIDDEN, "disabled", "User account is disabled")
        }
        LoginRefused::Busy(_) => {
            tracing::warn!(address = %client, %request_id, reason = "busy", "login failed: too many logins at once");
            HttpError::unavailable("busy", "Too many logins at once. Try again in a moment.")
                .retry_after(Duration::from_secs(2))
        }
        LoginRefused::Store(cause) => {
            tracing::error!(address = %client, %request_id, reason = "store", cause = %cause, "login failed");
            HttpError::unavailable("unavailable", "Logins are not possible at the moment. Try again later.")
                .retry_after(Duration::from_secs(5))
        }
    }
}

/// The rejection's own text could quote the body, and so the password; it is not passed on.
fn bad_form(rejection: &FormRejection) -> HttpError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request's body is too large.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            "Send username and password as application/x-www-form-urlencoded.",
        ),
        _ => HttpError::bad_request("invalid_request", "Send the form fields username and password, each once."),
    }
}
