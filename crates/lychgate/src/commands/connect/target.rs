//! Where to connect, taken apart once.
//!
//! **Invariant:** what is displayed of a target never holds its query, where a token may be.

use std::fmt;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

/// A host with a path.
#[derive(Clone)]
pub(in crate::commands) struct Target {
    pub(in crate::commands) is_tls: bool,
    pub(in crate::commands) host: String,
    pub(in crate::commands) port: u16,
    scheme: &'static str,
    /// Host and port as the URL has them.
    pub(in crate::commands) authority: String,
    pub(in crate::commands) path: String,
    query: Option<String>,
}

/// Where the token is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum TokenPlace {
    Query(String),
    Header,
}

impl TokenPlace {
    pub(in crate::commands) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("query:") {
            Some(name) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            None if text == "header" => Ok(Self::Header),
            _ => Err("write query:NAME or header".to_owned()),
        }
    }
}

/// Reads the path of a login.
pub(in crate::commands) fn login_path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && !text.contains('?') && text.parse::<Uri>().is_ok();
    if is_path { Ok(text.to_owned()) } else { Err("write a path, such as /auth/login".to_owned()) }
}

impl Target {
    /// Reads a `ws://` or `wss://` URL.
    pub(in crate::commands) fn parse(url: &str) -> Result<Self, String> {
        Self::read(url, "ws", "wss")
    }

    /// Reads an `http://` or `https://` URL.
    pub(in crate::commands) fn parse_http(url: &str) -> Result<Self, String> {
        Self::read(url, "http", "https")
    }

    fn read(url: &str, plain: &'static str, tls: &'static str) -> Result<Self, String> {
        let wanted = format!("write it as {plain}://HOST[:PORT]/PATH or {tls}://…");
        let (scheme, is_tls) = if url.starts_with(&format!("{tls}://")) {
            (tls, true)
        } else if url.starts_with(&format!("{plain}://")) {
            (plain, false)
        } else {
            return Err(format!("the URL does not begin with {plain}:// or {tls}://; {wanted}"));
        };
        let uri: Uri = url.parse().map_err(|_| format!("this is not a URL; {wanted}"))?;
        let Some(authority) = uri.authority() else { return Err(format!("the URL has no host; {wanted}")) };
        if authority.as_str().contains('@') {
            return Err(format!("the URL holds a user or password, which no server here reads; {wanted}"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(format!("the URL has no host; {wanted}"));
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = if uri.path().is_empty() { "/" } else { uri.path() };
        Ok(Self {
            is_tls,
            host,
            port,
            scheme,
            authority: authority.as_str().to_owned(),
            path: path.to_owned(),
            query: uri.query().map(str::to_owned),
        })
    }

    /// Another path on the same host, over HTTP.
    pub(in crate::commands) fn at(&self, path: &str) -> Self {
        let scheme = if self.is_tls { "https" } else { "http" };
        Self { scheme, path: path.to_owned(), query: None, ..self.clone() }
    }

    /// Whether nobody on the way can read along: encrypted, or on this machine.
    pub(in crate::commands) fn is_private(&self) -> bool {
        let is_loopback = self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        self.is_tls || is_loopback || self.host == "localhost"
    }

    /// The request target.
    pub(in crate::commands) fn path_and_query(&self) -> String {
        self.request_target(None, &TokenPlace::Header)
    }

    /// The request target, with the token in it when it belongs there.
    pub(in crate::commands) fn request_target(&self, token: Option<&SecretString>, place: &TokenPlace) -> String {
        let mut target = self.path.clone();
        let mut separator = '?';
        if let Some(query) = &self.query {
            target.push('?');
            target.push_str(query);
            separator = '&';
        }
        if let (Some(token), TokenPlace::Query(name)) = (token, place) {
            target.push(separator);
            target.push_str(&encode(name));
            target.push('=');
            target.push_str(&encode(token.expose_secret()));
        }
        target
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3).
pub(in crate::commands) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
