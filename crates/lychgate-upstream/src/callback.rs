//! Signed calls to the application.
//!
//! **Invariant:** a call ends within twice its timeout: once for its turn, once for itself with all its tries.
//! However many ask, only so many calls are under way and only so many wait.
//! A try that follows another has the same id, so that the application can tell it from a new call.
//!
//! **Absent on purpose:** a try after silence. It would come when the time is up; the caller may ask again.

mod breaker;
mod retry;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lychgate_service::ports::application::{Application, CallFault, Header, Manner};
use lychgate_service::ports::clock::Clock;
use parking_lot::Mutex;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, Url};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

pub use breaker::BreakerLimits;
use breaker::{Breaker, Outcome, Pass};
use retry::Failure;
pub use retry::RetryRules;
use signature::Signer;

use crate::client::{self, SettingsFault};

/// Where the application is called and how it knows that it is us.
pub struct CallSettings {
    /// The whole address, `http` or `https`.
    pub url: String,
    /// The secret shared with the application, at least 24 bytes: text, or `whsec_` and base64.
    pub secret: SecretString,
    /// Headers sent besides, by name.
    pub headers: Vec<(String, SecretString)>,
    /// How long, how large and how many.
    pub limits: CallLimits,
    /// When to stop calling.
    pub breaker: BreakerLimits,
    /// What is tried again.
    pub retries: RetryRules,
}

/// How long a call may take, how large its answer may be, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// For a call with its connection and its whole answer; and as long again for its turn.
    pub timeout: Duration,
    /// The largest answer.
    pub answer_bytes_max: usize,
    /// Calls under way at once.
    pub calls_max: usize,
    /// Calls that wait for their turn; more are refused at once.
    pub waiting_max: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), answer_bytes_max: 64 * 1024, calls_max: 64, waiting_max: 1024 }
    }
}

/// The application behind one address.
pub struct SignedApplication {
    client: Client,
    url: Url,
    headers: HeaderMap,
    signer: Signer,
    limits: CallLimits,
    retries: RetryRules,
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    /// Places for calls under way and for those that wait.
    places: Semaphore,
    turns: Semaphore,
}

impl SignedApplication {
    /// An application with these settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`SettingsFault`] names the setting that cannot be used.
    pub fn new(settings: &CallSettings, clock: Arc<dyn Clock>) -> Result<Self, SettingsFault> {
        let CallSettings { url, secret, headers, limits, breaker, retries } = settings;
        let places = limits.calls_max.saturating_add(limits.waiting_max);
        for (name, is_sound) in [
            ("calls_max", limits.calls_max > 0),
            ("waiting_max", places <= Semaphore::MAX_PERMITS),
            ("answer_bytes_max", limits.answer_bytes_max > 0),
            ("failures_max", breaker.failures_max > 0),
        ] {
            if !is_sound {
                return Err(SettingsFault::Limit(name));
            }
        }
        let url = client::address(url)?;
        // Application servers hang up on idle connections after five seconds, some of them after two.
        // A call into one that is just being closed would fail.
        let client = client::client(&url, limits.timeout, |builder| {
            builder.pool_idle_timeout(Duration::from_millis(1_500)).pool_max_idle_per_host(limits.calls_max)
        })?;
        Ok(Self {
            client,
            url,
            headers: client::headers(None, headers)?,
            signer: Signer::new(secret)?,
            limits: *limits,
            retries: retries.clone(),
            clock,
            breaker: Mutex::new(Breaker::new(*breaker)),
            places: Semaphore::new(places),
            turns: Semaphore::new(limits.calls_max),
        })
    }

    /// Waits until a call may be made.
    async fn turn(&self) -> Option<Turn<'_>> {
        if self.breaker.lock().is_open(now()) {
            return None;
        }
        let place = self.places.try_acquire().ok()?;
        let turn = timeout(self.limits.timeout, self.turns.acquire()).await.ok()?.ok()?;
        let pass = self.breaker.lock().pass(now())?;
        Some(Turn { breaker: &self.breaker, pass: Some(pass), _permits: (place, turn) })
    }

    /// One call, tried as often as the rules have it.
    async fn tried(&self, body: &Value, manner: Manner<'_>) -> Result<Value, CallFault> {
        let body = Bytes::from(body.to_string());
        let id = format!("msg_{}", Uuid::new_v4().simple());
        let headers = self.headers_with(manner.headers);
        let mut tries = 0;
        loop {
            let failure = match self.exchange(&body, &id, &headers).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(pause) = self.retries.pause_before_next(tries, failure, manner.is_question) else {
                return Err(failure.into());
            };
            tries += 1;
            tracing::debug!(times = tries, "a call to the application is made again: {failure:?}");
            sleep(pause).await;
        }
    }

    /// The headers of a call, some of which come from its client. Those that the settings name stay.
    fn headers_with(&self, more: &[Header]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for Header { name, value } in more {
            if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value))
                && !client::is_own(&name)
            {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
        headers.extend(self.headers.clone());
        headers
    }

    async fn exchange(&self, body: &Bytes, id: &str, headers: &HeaderMap) -> Result<Value, Failure> {
        let timestamp_s = self.clock.now().seconds().to_string();
        let signature = self.signer.sign(id, &timestamp_s, body);
        let request = self.client.post(self.url.clone()).headers(headers.clone());
        let request = request.header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", timestamp_s);
        let sent = request.header("webhook-signature", signature).body(body.clone()).send().await;
        let response = sent.map_err(|error| if error.is_connect() { Failure::NotSent } else { Failure::Broken })?;
        if !response.status().is_success() {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let answer = whole_body(response, self.limits.answer_bytes_max).await?;
        if answer.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&answer).map_err(|_| Failure::Malformed)
        }
    }
}

#[async_trait]
impl Application for SignedApplication {
    async fn call_as(&self, body: &Value, manner: Manner<'_>) -> Result<Value, CallFault> {
        let turn = self.turn().await.ok_or(CallFault::Unavailable)?;
        let tried = timeout(self.limits.timeout, self.tried(body, manner)).await;
        let answer = tried.unwrap_or(Err(CallFault::Unavailable));
        turn.ended(match &answer {
            Err(CallFault::Unavailable | CallFault::Status(500..)) => Outcome::Failed,
            // An application that refuses, or talks nonsense, is there.
            Ok(_) | Err(CallFault::Status(_) | CallFault::Malformed) => Outcome::Answered,
        });
        answer
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Reads as it comes: what the other side says of the length is not believed.
async fn whole_body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|_| Failure::Broken)? {
        if part.len() > bytes_max - body.len() {
            return Err(Failure::Malformed);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// A call that may be made; one that is dropped half-way tells the breaker so.
struct Turn<'a> {
    breaker: &'a Mutex<Breaker>,
    pass: Option<Pass>,
    _permits: (SemaphorePermit<'a>, SemaphorePermit<'a>),
}

impl Turn<'_> {
    fn ended(mut self, outcome: Outcome) {
        self.report(outcome);
    }

    fn report(&mut self, outcome: Outcome) {
        let Some(pass) = self.pass.take() else { return };
        if self.breaker.lock().ended(pass, outcome, now()) {
            tracing::warn!("the application does not answer; it is left alone for a while");
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.report(Outcome::Abandoned);
    }
}
