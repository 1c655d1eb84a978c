//! The token in `Authorization: Bearer` (RFC 6750 section 2.1).

use http::{HeaderMap, header};
use lychgate_token::Refusal;

/// The token, `None` if there is none. Another scheme is meant for somebody else, such as a proxy's own password.
///
/// # Errors
///
/// [`Refusal::Malformed`] when the header stands twice or is no text.
pub fn bearer(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    by_scheme(headers, "bearer")
}

/// What stands behind `scheme` in `Authorization`, `None` if there is none or another scheme.
///
/// # Errors
///
/// As [`bearer`].
pub fn by_scheme(headers: &HeaderMap, wanted: &str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(wanted) => Ok(Some(token.trim().to_owned())),
        _ => Ok(None),
    }
}
