//! Where the token is.
//!
//! Only the places that the endpoint lists are looked at, and exactly one of them may hold a token:
//! two answers to "who are you" are refused, since two readers could choose differently (RFC 6750 section 2).

use http::request::Parts;
use http::{HeaderMap, header};
use lychgate_token::{Refusal, Token};

use crate::settings::CredentialSource;

/// The one token of a request, `None` if there is none.
///
/// # Errors
///
/// [`Refusal::Malformed`] when a place holds a token twice or two places hold one each.
pub fn find(parts: &Parts, sources: &[CredentialSource]) -> Result<Option<Token>, Refusal> {
    let mut found = None;
    for source in sources {
        let token = match source {
            CredentialSource::Query(name) => in_query(parts.uri.query().unwrap_or(""), name)?,
            CredentialSource::Header => in_header(&parts.headers)?,
        };
        if let Some(token) = token
            && found.replace(token).is_some()
        {
            return Err(Refusal::Malformed);
        }
    }
    Ok(found)
}

fn in_query(query: &str, name: &str) -> Result<Option<Token>, Refusal> {
    let mut found = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if key == name && found.replace(value).is_some() {
            return Err(Refusal::Malformed);
        }
    }
    // `?token=` without a value is how a client that has no token says so.
    Ok(found.filter(|value| !value.is_empty()).map(|value| Token::from(value.into_owned())))
}

fn in_header(headers: &HeaderMap) -> Result<Option<Token>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(Token::from(token.trim().to_owned())))
        }
        // Another scheme is meant for somebody else, such as a proxy's own password.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, authorization: &[&str]) -> Parts {
        let mut request = http::Request::builder().uri(target);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn both() -> Vec<CredentialSource> {
        vec![CredentialSource::Query("token".to_owned()), CredentialSource::Header]
    }

    #[test]
    fn one_token_in_a_listed_place_is_found() {
        for (target, authorization) in [
            ("/ws?token=a.b.c", &[][..]),
            ("/ws?x=1&token=a%2Eb.c&y=2", &[][..]),
            ("/ws", &["Bearer a.b.c"][..]),
            ("/ws", &["bearer  a.b.c"][..]),
            ("/ws?token=a.b.c", &["Basic dTpw"][..]),
        ] {
            let token = find(&parts(target, authorization), &both()).unwrap().unwrap();
            assert_eq!(token.expose(), "a.b.c", "{target} {authorization:?}");
        }
    }

    #[test]
    fn none_is_none_and_two_are_refused() {
        for (target, authorization) in [("/ws", &[][..]), ("/ws?token=", &[][..]), ("/ws?Token=a.b.c", &[][..])] {
            assert!(find(&parts(target, authorization), &both()).unwrap().is_none(), "{target}");
        }
        for (target, authorization) in [
            ("/ws?token=a.b.c&token=a.b.c", &[][..]),
            ("/ws?token=a.b.c&t%6Fken=d", &[][..]),
            ("/ws?token=a.b.c", &["Bearer a.b.c"][..]),
            ("/ws", &["Bearer a.b.c", "Bearer a.b.c"][..]),
        ] {
            let refused = find(&parts(target, authorization), &both());
            assert!(matches!(refused, Err(Refusal::Malformed)), "{target} {authorization:?}");
        }
    }

    #[test]
    fn a_place_that_is_not_listed_does_not_count() {
        let only_query = vec![CredentialSource::Query("token".to_owned())];
        assert!(find(&parts("/ws", &["Bearer a.b.c"]), &only_query).unwrap().is_none());
        assert!(find(&parts("/ws?token=a.b.c", &["Bearer d.e.f"]), &only_query).unwrap().is_some());
    }
}
