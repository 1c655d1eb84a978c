//! Name and password against a token, in one form or one JSON object over HTTP.

use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use secrecy::SecretString;
use serde::Deserialize;

use super::super::ended;
use super::super::exchange::{self, NoAnswer};
use super::super::terminal::harmless;
use super::outcome::{CANNOT_CONNECT, LOGIN_FAILED};
use super::target::{Target, encode};
use super::transport::CONNECT_WAIT;

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
    let answered = exchange::post(target, &[(CONTENT_TYPE, kind)], body.into_bytes(), ANSWER_BYTES_MAX).await;
    let (head, body) = answered.map_err(|no_answer| {
        let text = match no_answer {
            NoAnswer::NotConnected(text) => text,
            NoAnswer::CutOff(text) => format!("the login at {target} was cut off: {text}"),
        };
        ended(CANNOT_CONNECT, text)
    })?;
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
