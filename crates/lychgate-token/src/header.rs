//! The rules for a token's header (RFC 7515 section 4), applied before any key is chosen.
//!
//! **Invariant:** nothing in a header is trusted; it can name a configured key and an algorithm to compare with that
//! key's own, and that is all.
//!
//! **Absent on purpose:** keys, certificates and addresses in a header. A token that carries one is refused rather
//! than stripped, because its issuer expects it to be honoured.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The longest `kid`, in bytes.
pub(crate) const KID_BYTES_MAX: usize = 128;

/// What the header says and the verifier compares.
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
}

/// Reads the three members that matter and refuses those that must not be there.
///
/// # Errors
///
/// [`Refusal::Malformed`] for a missing or mistyped member, an oversized `kid`, and every header of [`is_refused`].
pub(crate) fn read(mut members: Map<String, Value>) -> Result<Header, Refusal> {
    if members.keys().any(|name| is_refused(name)) {
        return Err(Refusal::Malformed);
    }
    let mut text = |name: &str| match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Malformed),
    };
    let algorithm = text("alg")?.ok_or(Refusal::Malformed)?;
    let kid = text("kid")?;
    let typ = text("typ")?;
    if kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
        return Err(Refusal::Malformed);
    }
    Ok(Header { algorithm, kid, typ })
}

/// Whether a header of this name changes how a token would have to be read, or brings its own trust.
fn is_refused(name: &str) -> bool {
    match name {
        // Extensions that must be understood: none is (RFC 7515 section 4.1.11); `b64` is the one of RFC 7797.
        "crit" | "b64" => true,
        // Keys and where to fetch them (RFC 7515 sections 4.1.2, 4.1.3, 4.1.5, 4.1.6).
        "jku" | "jwk" | "x5u" | "x5c" => true,
        // Encryption and compression (RFC 7516 sections 4.1.2, 4.1.3).
        "enc" | "zip" => true,
        // Certificate thumbprints, `x5t` and `x5t#S256` (RFC 7515 sections 4.1.7, 4.1.8).
        _ => name.starts_with("x5t"),
    }
}
