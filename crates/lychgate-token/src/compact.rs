//! The compact form of RFC 7515 section 3.1: three parts of base64url, joined by dots.
//!
//! **Invariant:** a text has at most one reading here. Base64url is taken without padding and with all unused bits
//! zero, so no two texts decode to the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json;
use crate::refusal::Refusal;

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The longest header part, in bytes of base64url: the longest `kid`, written in escapes, fits.
const HEADER_BYTES_MAX: usize = 2 * 1024;

/// The most members of a header.
const HEADER_MEMBERS_MAX: usize = 16;

/// The most claims at the top level.
const CLAIMS_MAX: usize = 64;

/// A token taken apart; nothing in it is verified.
pub(crate) struct Compact<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// The bytes that the signature covers: header part, dot, claims part, as they came.
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// Takes `text` apart.
///
/// # Errors
///
/// [`Refusal::Missing`] for an empty text and [`Refusal::Malformed`] for anything that is no token of this form within
/// the limits.
pub(crate) fn parse(text: &str) -> Result<Compact<'_>, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Missing);
    }
    // First of all, so that whatever follows works on little.
    if text.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    // A fourth piece shows a surplus dot; what lies behind it is never looked at.
    let mut parts = text.splitn(4, '.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    if header.len() > HEADER_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let signing_input = &text.as_bytes()[..header.len() + 1 + claims.len()];
    let signature = decode(signature)?;
    let header = json::object(&decode(header)?, HEADER_MEMBERS_MAX).map_err(|_| Refusal::Malformed)?;
    let claims = json::object(&decode(claims)?, CLAIMS_MAX).map_err(|_| Refusal::Malformed)?;
    Ok(Compact { header, claims, signing_input, signature })
}

/// Writes `bytes` as one part of a token.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}
