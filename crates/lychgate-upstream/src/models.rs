//! Texts from language models over streamed HTTP.
//!
//! A text has a connection of its own, so that dropping it ends the model's work and touches no other text.
//!
//! **Invariant:** a text ends without a fault only when the model has said that it is whole.
//!
//! **Absent on purpose:** what a model is asked. The body comes whole from the configuration, and says itself that
//! the answer is to be streamed.

mod lines;
mod ollama;
mod openai;
mod reading;
mod sse;

use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::ports::text_source::{Pieces, SourceFault, TextSource};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::client::{self, SettingsFault};

/// What the model's server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Lines of JSON, as `/api/generate` of Ollama gives them.
    Ollama,
    /// Server-sent events, as `/v1/chat/completions` of OpenAI and of those who copy it gives them.
    OpenAi,
}

/// Where texts come from.
pub struct SourceSettings {
    /// The whole address, `http` or `https`.
    pub url: String,
    /// What is spoken there.
    pub kind: SourceKind,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<SecretString>,
    /// Headers sent besides, by name.
    pub headers: Vec<(String, SecretString)>,
    /// How long and how large a text may be.
    pub limits: SourceLimits,
}

/// How long a text may take and how large it may be.
#[derive(Clone, Copy, Debug)]
pub struct SourceLimits {
    /// To the connection, with TLS.
    pub connect_timeout: Duration,
    /// From the request to the first byte of the text, with the connection.
    pub first_byte_timeout: Duration,
    /// Between two reads after that.
    pub idle_timeout: Duration,
    /// The longest line or event.
    pub event_bytes_max: usize,
    /// The longest text.
    pub text_bytes_max: usize,
    /// The longest answer as it comes, with all that is wrapped around the text.
    pub body_bytes_max: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            event_bytes_max: 64 * 1024,
            text_bytes_max: 1024 * 1024,
            // A token of four letters comes in some 300 bytes.
            body_bytes_max: 128 * 1024 * 1024,
        }
    }
}

/// A language model behind one address.
pub struct ModelSource {
    client: Client,
    url: Url,
    headers: HeaderMap,
    kind: SourceKind,
    limits: SourceLimits,
}

impl ModelSource {
    /// A source with these settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`SettingsFault`] names the setting that cannot be used.
    pub fn new(settings: &SourceSettings) -> Result<Self, SettingsFault> {
        let SourceSettings { url, kind, bearer, headers, limits } = settings;
        let bounds = [
            ("event_bytes_max", limits.event_bytes_max),
            ("text_bytes_max", limits.text_bytes_max),
            ("body_bytes_max", limits.body_bytes_max),
        ];
        if let Some((name, _)) = bounds.iter().find(|(_, bound)| *bound == 0) {
            return Err(SettingsFault::Limit(name));
        }
        let url = client::address(url)?;
        let headers = client::headers(bearer.as_ref(), headers)?;
        let client = client::client(&url, limits.connect_timeout, |builder| builder.pool_max_idle_per_host(0))?;
        Ok(Self { client, url, headers, kind: *kind, limits: *limits })
    }

    fn request(&self, body: &Value) -> RequestBuilder {
        let accept = match self.kind {
            SourceKind::Ollama => "application/x-ndjson",
            SourceKind::OpenAi => "text/event-stream",
        };
        let request = self.client.post(self.url.clone()).header(ACCEPT, accept).headers(self.headers.clone());
        request.header(CONTENT_TYPE, "application/json").body(body.to_string())
    }
}

#[async_trait]
impl TextSource for ModelSource {
    async fn open(&self, request: &Value) -> Result<Pieces, SourceFault> {
        let first_byte_by = Instant::now() + self.limits.first_byte_timeout;
        let sent = timeout_at(first_byte_by, self.request(request).send()).await;
        let response = sent.map_err(|_| SourceFault::Stalled)?.map_err(|error| fault_of_sending(&error))?;
        refuse_other_answers(self.kind, &response)?;
        Ok(reading::pieces(response, self.kind, self.limits, first_byte_by))
    }
}

fn fault_of_sending(error: &reqwest::Error) -> SourceFault {
    if error.is_connect() { SourceFault::Unreachable } else { SourceFault::Cut }
}

/// Refuses what is no success, and what is plainly no stream of events.
fn refuse_other_answers(kind: SourceKind, response: &Response) -> Result<(), SourceFault> {
    if !response.status().is_success() {
        return Err(SourceFault::Status(response.status().as_u16()));
    }
    let Some(content_type) = response.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let is_events = essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream");
    // Lines of JSON go by many names; events have one, and a reader of events skips in silence what is none.
    if kind == SourceKind::OpenAi && !is_events { Err(SourceFault::Malformed) } else { Ok(()) }
}
