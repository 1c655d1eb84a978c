//! One method of the API of a running server.
//!
//! **Invariant:** the key is sent to the server that was named and nowhere else; no line of output and no error holds it.

use std::path::PathBuf;

use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::response::Parts;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::connect::outcome::CANNOT_CONNECT;
use super::super::connect::target::Target;
use super::super::connect::transport::CONNECT_WAIT;
use super::super::exchange::{self, NoAnswer};
use super::super::terminal::{complain, harmless};
use super::super::{block_on, ended};

/// Where the key is, if no file is named.
const KEY_VARIABLE: &str = "LYCHGATE_API_KEY";

/// The most that is read of an answer: many publications, each as large as a message may be.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A running server, and the key for it.
#[derive(Args)]
pub(super) struct Server {
    /// Where its API is
    #[arg(long, value_name = "URL", env = "LYCHGATE_API", default_value = "http://127.0.0.1:8000/api")]
    api: String,
    /// A file that holds the key; without it, LYCHGATE_API_KEY does
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

impl Server {
    /// Has the server do `method` and gives its result.
    pub(super) fn ask<T: DeserializeOwned>(&self, method: &str, body: &str) -> anyhow::Result<T> {
        let api = Target::parse_http(&self.api).map_err(|wrong| ended(2, format!("--api: {wrong}")))?;
        let key = self.key()?;
        if !api.is_private() {
            complain("warning: the key travels unencrypted; use https:// beyond this machine");
        }
        let target = api.at(&format!("{}/{method}", api.path.trim_end_matches('/')));
        let authorization = format!("Bearer {}", key.expose_secret());
        let headers = [(AUTHORIZATION, authorization.as_str()), (CONTENT_TYPE, "application/json")];
        let work = exchange::post(&target, &headers, body.as_bytes().to_vec(), ANSWER_BYTES_MAX);
        let answered = block_on(async { Ok(tokio::time::timeout(CONNECT_WAIT, work).await) })?;
        let (head, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(NoAnswer::NotConnected(text))) => return Err(ended(CANNOT_CONNECT, text)),
            Ok(Err(NoAnswer::CutOff(text))) => {
                return Err(ended(CANNOT_CONNECT, format!("the answer of {target} was cut off: {text}")));
            }
            Err(_) => {
                let text = format!("{target} did not answer within {} s", CONNECT_WAIT.as_secs());
                return Err(ended(CANNOT_CONNECT, text));
            }
        };
        if head.status.is_success()
            && let Ok(Answer { result }) = serde_json::from_slice(&body)
        {
            return Ok(result);
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(ended(1, refused(&target, &head, &answer)))
    }

    fn key(&self) -> anyhow::Result<SecretString> {
        let (text, place) = match &self.key_file {
            Some(path) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|error| ended(2, format!("cannot read {}: {error}", path.display())))?;
                (text, path.display().to_string())
            }
            None => (std::env::var(KEY_VARIABLE).unwrap_or_default(), KEY_VARIABLE.to_owned()),
        };
        let key = text.trim();
        if key.is_empty() {
            let text = format!(
                "there is no key in {place}\n  Make one with `lychgate apikey create NAME --scope SCOPE`, and name its file by --key-file or set {KEY_VARIABLE}."
            );
            return Err(ended(2, text));
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ended(2, format!("what {place} holds is no key")));
        }
        Ok(SecretString::from(key))
    }
}

/// Why something was not done, as the server says it.
fn refused(target: &Target, head: &Parts, answer: &Value) -> String {
    let status = head.status;
    if let Some(message) = answer["error"]["message"].as_str() {
        return format!("{} (error {})", harmless(message), answer["error"]["code"]);
    }
    let wait = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.map(|seconds| format!(" Wait {} s.", harmless(seconds))).unwrap_or_default();
    match (answer["code"].as_str(), answer["detail"].as_str()) {
        (Some("not_found"), _) | (None, None) => {
            format!("{target} answered with {status}; is it the API, with `enabled = true` and a [namespace.NAME]?")
        }
        (_, Some(detail)) => format!("{}{wait} ({status})", harmless(detail)),
        (Some(_), None) => format!("{target} answered with {status}"),
    }
}
