//! The HTTP client that every adapter here is built on, and the checks of what its settings name.
//!
//! **Invariant:** a client goes to the address it was given and nowhere else.
//!
//! **Absent on purpose:** retries. Whoever asked knows whether asking twice is right.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};

/// Why settings make no adapter.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// The address cannot be used.
    #[error("the address is no http or https URL with a host and without a user")]
    Url,
    /// This header is no header, is set by this server itself, or has a value that none can have.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// The secret begins like an encoded one and is not, or is shorter than 24 bytes.
    #[error("the secret is shorter than 24 bytes, or begins with \"whsec_\" and goes on with what is no base64")]
    Secret,
    /// A limit is zero or beyond what can be counted.
    #[error("{0} must be above zero and of a sensible size")]
    Limit(&'static str),
    /// The TLS of this machine cannot be used, such as when it has no root certificates.
    #[error("no client for HTTPS can be made on this machine")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The address in `text`, if a request can go to it.
pub(crate) fn address(text: &str) -> Result<Url, SettingsFault> {
    let url = Url::parse(text).map_err(|_| SettingsFault::Url)?;
    let is_http = matches!(url.scheme(), "http" | "https");
    // A user in the address would be a secret where none is looked for.
    let is_bare = url.username().is_empty() && url.password().is_none();
    (is_http && is_bare && url.has_host()).then_some(url).ok_or(SettingsFault::Url)
}

/// The headers that go with each request.
pub(crate) fn headers(
    bearer: Option<&SecretString>,
    extra: &[(String, SecretString)],
) -> Result<HeaderMap, SettingsFault> {
    let mut headers = HeaderMap::new();
    for (name, value) in extra {
        let fault = || SettingsFault::Header(name.clone());
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| fault())?;
        let taken = is_own(&parsed) || (parsed == AUTHORIZATION && bearer.is_some());
        if taken || headers.insert(parsed, sensitive(value.expose_secret()).ok_or_else(fault)?).is_some() {
            return Err(fault());
        }
    }
    if let Some(token) = bearer {
        let value = sensitive(&format!("Bearer {}", token.expose_secret()));
        headers.insert(AUTHORIZATION, value.ok_or_else(|| SettingsFault::Header("authorization".to_owned()))?);
    }
    Ok(headers)
}

/// Whether a header says how the request is framed and signed, which is nobody else's to say.
pub(crate) fn is_own(name: &HeaderName) -> bool {
    const OWN: [&str; 9] = [
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    ];
    OWN.contains(&name.as_str())
}

/// A client for requests to `url`.
pub(crate) fn client(
    url: &Url,
    connect_timeout: Duration,
    with: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, SettingsFault> {
    let builder = Client::builder()
        .user_agent(concat!("lychgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        // A request is cancelled by closing its connection, so no other request may share it.
        .http1_only();
    // A machine without root certificates can still reach what is beside it.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    with(builder).build().map_err(|error| SettingsFault::Tls(Box::new(error)))
}

/// A header's value that prints as redacted.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
