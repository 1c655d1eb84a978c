//! Which web pages may talk to the server.
//!
//! Browsers say where a page comes from in `Origin` (RFC 6454), and a page cannot lie about it.
//! Programs send none, and need no permission: they could send what they like.

use http::{HeaderMap, HeaderValue, header};

/// The pages that may call.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Origins, compared byte for byte.
    pub listed: Vec<String>,
    /// Whether pages of this machine may call, too, on any port. For development.
    pub loopback: bool,
}

impl Origins {
    /// Whether a page of `origin` may read the answers of this server.
    #[must_use]
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.listed.iter().any(|listed| listed == origin) || (self.loopback && is_loopback(origin))
    }

    /// Whether a request for a WebSocket may go on.
    ///
    /// Without a list every page may ask: a token in the request is no ambient right that a page could misuse.
    #[must_use]
    pub fn allow_upgrade(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => true,
            _ if self.listed.is_empty() => true,
            (Some(origin), None) => self.allow(origin),
            (Some(_), Some(_)) => false,
        }
    }
}

fn is_loopback(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://") else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(listed: &[&str], loopback: bool) -> Origins {
        Origins { listed: listed.iter().map(|origin| (*origin).to_owned()).collect(), loopback }
    }

    #[test]
    fn only_a_listed_origin_may_read() {
        let exact = origins(&["https://app.example.com"], false);
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://app.example.com.evil.test", false),
            ("https://APP.example.com", false),
            ("http://localhost:3000", false),
            ("null", false),
        ] {
            assert_eq!(exact.allow(&HeaderValue::from_static(origin)), allowed, "{origin}");
        }
    }

    #[test]
    fn development_lets_pages_of_this_machine_in() {
        let dev = origins(&[], true);
        for (origin, allowed) in [
            ("http://localhost:3000", true),
            ("http://localhost", true),
            ("http://127.0.0.1:5173", true),
            ("http://[::1]:5173", true),
            ("http://localhost.evil.test:80", false),
            ("http://127.0.0.1.evil.test", false),
            ("https://evil.test", false),
        ] {
            assert_eq!(dev.allow(&HeaderValue::from_static(origin)), allowed, "{origin}");
        }
    }

    #[test]
    fn an_upgrade_needs_a_listed_origin_only_where_there_is_a_list() {
        let mut from_page = HeaderMap::new();
        from_page.insert(header::ORIGIN, HeaderValue::from_static("https://other.test"));
        let mut twice = from_page.clone();
        twice.append(header::ORIGIN, HeaderValue::from_static("https://app.example.com"));
        assert!(origins(&[], false).allow_upgrade(&from_page));
        let listed = origins(&["https://app.example.com"], false);
        assert!(listed.allow_upgrade(&HeaderMap::new()), "a program sends no origin");
        assert!(!listed.allow_upgrade(&from_page));
        assert!(!listed.allow_upgrade(&twice));
    }
}
