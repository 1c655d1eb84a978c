//! Where the credential is.
//!
//! Only the places that the endpoint lists are looked at, and exactly one of them may hold a credential:
//! two answers to "who are you" are refused, since two readers could choose differently (RFC 6750 section 2).
//! A cookie comes along whoever asks, so it counts only where nothing explicit does.
//!
//! **Invariant:** a place that holds something bad ends the search; nothing else is tried in its stead.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use http::request::Parts;
use http::{HeaderMap, header};
use lychgate_service::admission::Credential;
use lychgate_service::ticket_office::Ticket;
use lychgate_token::{Refusal, Token};

use crate::layers::bearer::bearer;
use crate::settings::CredentialSource;

/// A credential, and the kind of place that it was in.
#[derive(Debug)]
pub struct Found {
    /// What the client brought.
    pub credential: Credential,
    /// [`CredentialSource::kind`] of the place.
    pub kind: &'static str,
}

/// The one credential of a request, `None` if there is none.
///
/// # Errors
///
/// [`Refusal::Malformed`] when a place holds one twice, two explicit places hold one each, or one is not written as
/// its place asks for.
pub fn find(parts: &Parts, sources: &[CredentialSource]) -> Result<Option<Found>, Refusal> {
    let query = parts.uri.query().unwrap_or("");
    let mut explicit: Option<Found> = None;
    let mut ambient: Option<Found> = None;
    for source in sources {
        let credential = match source {
            CredentialSource::Query(name) => in_query(query, name)?.map(token),
            CredentialSource::Ticket(name) => in_query(query, name)?.map(|text| Credential::Ticket(Ticket::new(text))),
            CredentialSource::Header => bearer(&parts.headers)?.map(token),
            CredentialSource::Subprotocol(name) => behind_subprotocol(&parts.headers, name)?.map(token),
            CredentialSource::SubprotocolBase64(name) => in_subprotocol(&parts.headers, name)?.map(token),
            CredentialSource::Cookie(name) => in_cookie(&parts.headers, name)?.map(token),
            CredentialSource::Message(_) => None,
        };
        let Some(credential) = credential else { continue };
        let place = if matches!(source, CredentialSource::Cookie(_)) { &mut ambient } else { &mut explicit };
        if place.replace(Found { credential, kind: source.kind() }).is_some() {
            return Err(Refusal::Malformed);
        }
    }
    Ok(explicit.or(ambient))
}

/// The subprotocol to answer with: the first that the client offers and the endpoint speaks.
///
/// The name in front of a token counts as spoken. What holds a token is never answered.
#[must_use]
pub fn subprotocol<'a>(headers: &'a HeaderMap, spoken: &[String], sources: &[CredentialSource]) -> Option<&'a str> {
    let names_token = |offer: &str| {
        sources.iter().any(|source| matches!(source, CredentialSource::Subprotocol(name) if name == offer))
    };
    offers(headers).find(|offer| spoken.iter().any(|name| name == offer) || names_token(offer))
}

fn token(text: String) -> Credential {
    Credential::Token(Token::from(text))
}

fn in_query(query: &str, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key == name && found.replace(value).is_some() {
            return Err(Refusal::Malformed);
        }
    }
    // `?token=` without a value is how a client that has no token says so.
    Ok(found.filter(|value| !value.is_empty()).map(|value| value.into_owned()))
}

/// `name, token`: the offer right behind the name.
fn behind_subprotocol(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let offers: Vec<&str> = offers(headers).collect();
    let mut places = offers.iter().enumerate().filter(|(_, offer)| **offer == name);
    let Some((at, _)) = places.next() else { return Ok(None) };
    if places.next().is_some() {
        return Err(Refusal::Malformed);
    }
    Ok(offers.get(at + 1).map(|token| (*token).to_owned()))
}

/// `name.BASE64URL`, with or without padding.
fn in_subprotocol(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = offers(headers).filter_map(|offer| offer.strip_prefix(name)?.strip_prefix('.'));
    let Some(text) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| Refusal::Malformed)?;
    String::from_utf8(bytes).map(Some).map_err(|_| Refusal::Malformed)
}

fn in_cookie(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let Some(value) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Refusal::Malformed);
    }
    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
}

/// What the client offers to speak, in its order (RFC 6455 section 11.3.4).
fn offers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|offer| !offer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn all() -> Vec<CredentialSource> {
        vec![
            CredentialSource::Query("token".to_owned()),
            CredentialSource::Header,
            CredentialSource::Subprotocol("jwt".to_owned()),
            CredentialSource::SubprotocolBase64("b64".to_owned()),
            CredentialSource::Cookie("access".to_owned()),
            CredentialSource::Ticket("ticket".to_owned()),
        ]
    }

    const BEARER: (&str, &str) = ("authorization", "Bearer a.b.c");
    const COOKIE: (&str, &str) = ("cookie", "x=1; access=c.c.c; y=2");
    const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "chat, jwt, p.p.p");
    const PROTOCOL_64: (&str, &str) = ("sec-websocket-protocol", "chat, b64.cS5xLnE");

    #[test]
    fn one_credential_in_a_listed_place_is_found() {
        for (target, headers, text, kind) in [
            ("/ws?token=a.b.c", &[][..], "a.b.c", "query"),
            ("/ws?x=1&token=a%2Eb.c&y=2", &[][..], "a.b.c", "query"),
            ("/ws", &[BEARER][..], "a.b.c", "header"),
            ("/ws", &[("authorization", "bearer  a.b.c")][..], "a.b.c", "header"),
            ("/ws?token=a.b.c", &[("authorization", "Basic dTpw")][..], "a.b.c", "query"),
            ("/ws", &[PROTOCOL][..], "p.p.p", "subprotocol"),
            (
                "/ws",
                &[("sec-websocket-protocol", "jwt"), ("sec-websocket-protocol", "p.p.p")][..],
                "p.p.p",
                "subprotocol",
            ),
            ("/ws", &[PROTOCOL_64][..], "q.q.q", "subprotocol"),
            ("/ws", &[COOKIE][..], "c.c.c", "cookie"),
            ("/ws?token=a.b.c", &[COOKIE][..], "a.b.c", "query"),
        ] {
            let found = find(&parts(target, headers), &all()).unwrap().unwrap();
            assert_eq!(found.kind, kind, "{target} {headers:?}");
            let Credential::Token(token) = found.credential else { panic!("{target}: a token") };
            assert_eq!(token.expose(), text, "{target} {headers:?}");
        }
        let ticket = find(&parts("/ws?ticket=abc", &[]), &all()).unwrap().unwrap();
        assert!(matches!(ticket.credential, Credential::Ticket(ticket) if ticket.expose() == "abc"));
    }

    #[test]
    fn none_is_none_and_two_are_refused() {
        for (target, headers) in [
            ("/ws", &[][..]),
            ("/ws?token=", &[][..]),
            ("/ws?Token=a.b.c", &[][..]),
            ("/ws", &[("sec-websocket-protocol", "jwt")][..]),
            ("/ws", &[("sec-websocket-protocol", "chat, p.p.p")][..]),
            ("/ws", &[("cookie", "xaccess=a; access=")][..]),
        ] {
            assert!(find(&parts(target, headers), &all()).unwrap().is_none(), "{target} {headers:?}");
        }
        for (target, headers) in [
            ("/ws?token=a.b.c&token=a.b.c", &[][..]),
            ("/ws?token=a.b.c&t%6Fken=d", &[][..]),
            ("/ws?token=a.b.c", &[BEARER][..]),
            ("/ws", &[BEARER, BEARER][..]),
            ("/ws?token=a.b.c&ticket=t", &[][..]),
            ("/ws", &[BEARER, PROTOCOL][..]),
            ("/ws", &[("sec-websocket-protocol", "jwt, a, jwt, b")][..]),
            ("/ws", &[("sec-websocket-protocol", "b64.cS5xLnE, b64.cS5xLnE")][..]),
            ("/ws", &[("sec-websocket-protocol", "b64.!!!")][..]),
            ("/ws", &[("cookie", "access=a; access=b")][..]),
        ] {
            let refused = find(&parts(target, headers), &all());
            assert!(matches!(refused, Err(Refusal::Malformed)), "{target} {headers:?}");
        }
    }

    #[test]
    fn a_place_that_is_not_listed_does_not_count() {
        let only_query = vec![CredentialSource::Query("token".to_owned())];
        for headers in [&[BEARER][..], &[COOKIE], &[PROTOCOL], &[PROTOCOL_64]] {
            assert!(find(&parts("/ws?ticket=t", headers), &only_query).unwrap().is_none(), "{headers:?}");
            assert!(find(&parts("/ws?token=a.b.c", headers), &only_query).unwrap().is_some(), "{headers:?}");
        }
    }

    #[test]
    fn what_holds_a_token_is_never_answered() {
        let spoken = ["chat".to_owned(), "v2".to_owned()];
        for (offered, answered) in [
            ("chat", Some("chat")),
            ("x, v2, chat", Some("v2")),
            ("jwt, p.p.p", Some("jwt")),
            ("b64.cS5xLnE, v2", Some("v2")),
            ("b64.cS5xLnE", None),
            ("other", None),
        ] {
            let parts = parts("/ws", &[("sec-websocket-protocol", offered)]);
            assert_eq!(subprotocol(&parts.headers, &spoken, &all()), answered, "{offered}");
        }
    }
}
