//! Name and password against a token, in one form or one JSON object over HTTP.

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use serde::Deserialize;

use super::super::ended;
use super::super::terminal::harmless;
use super::outcome::{CANNOT_CONNECT, LOGIN_FAILED};
use super::target::{Target, TokenPlace, encode};
use super::transport::{self, CONNECT_WAIT};

/// The most that is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How a server wants to be told.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    /// The field that holds the name.
    pub(super) field: &'a str,
    /// JSON, and no form.
    pub(super) is_json: bool,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

/// Asks for a token.
///
/// # Errors
///
/// Ends with "cannot connect" or "login failed".
pub(super) async fn log_in(
    target: &Target,
    form: Form<'_>,
    user: &str,
    password: &str,
) -> anyhow::Result<SecretString> {
    let asked = tokio::time::timeout(CONNECT_WAIT, ask(target, form.content(user, password))).await;
    asked.unwrap_or_else(|_| {
        let text = format!("{target} did not answer the login within {} s", CONNECT_WAIT.as_secs());
        Err(ended(CANNOT_CONNECT, text))
    })
}

impl Form<'_> {
    /// The kind of the body, and the body.
    fn content(self, user: &str, password: &str) -> (&'static str, String) {
        if self.is_json {
            let fields =
                [(self.field, user), ("password", password)].map(|(key, value)| (key.to_owned(), value.into()));
            return ("application/json", serde_json::Value::Object(fields.into_iter().collect()).to_string());
        }
        let (field, user, password) = (encode(self.field), encode(user), encode(password));
        ("application/x-www-form-urlencoded", format!("grant_type=password&{field}={user}&password={password}"))
    }
}

async fn ask(target: &Target, (kind, body): (&'static str, String)) -> anyhow::Result<SecretString> {
    let lost = |error: String| ended(CANNOT_CONNECT, format!("the login at {target} was cut off: {error}"));
    let stream = transport::connect(target).await.map_err(|wrong| ended(CANNOT_CONNECT, wrong))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(error.to_string()))?;
    let request = Request::post(target.request_target(None, &TokenPlace::Header))
        .header(HOST, &target.authority)
        .header(CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| ended(2, format!("the login URL cannot be used: {error}")))?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((head, body.to_bytes()))
    };
    // The connection is driven here, beside the exchange, and ends with it.
    let (exchanged, _) = tokio::join!(exchange, connection);
    let (head, body) = exchanged.map_err(lost)?;
    if head.status.is_success() {
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        return answer.map(|answer| SecretString::from(answer.access_token)).ok_or_else(|| {
            ended(LOGIN_FAILED, format!("{target} answered without an access_token; is it the login path?"))
        });
    }
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(harmless);
    Err(ended(LOGIN_FAILED, refused(target, head.status, retry_after.as_deref())))
}

fn refused(target: &Target, status: StatusCode, retry_after: Option<&str>) -> String {
    let wait = retry_after.map_or("in a while".to_owned(), |seconds| format!("in {seconds} s"));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
            format!("{target} did not take this name and password ({status})")
        }
        StatusCode::FORBIDDEN => format!("{target} does not let this account in ({status})"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            format!("there is no login at {target} ({status}); name it with --login-path or --login-url")
        }
        StatusCode::TOO_MANY_REQUESTS => format!("too many failed logins ({status}); try again {wait}"),
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("the server is too busy to check a password ({status}); try again {wait}")
        }
        _ => format!("{target} answered the login with {status}"),
    }
}
