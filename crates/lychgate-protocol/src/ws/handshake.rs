//! The one computation of the opening handshake (RFC 6455 §4.2.2).
//!
//! Owns the answer to `Sec-WebSocket-Key`; the rest of the handshake is HTTP and belongs to the gateway.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

/// The value of `Sec-WebSocket-Accept`: 28 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptKey([u8; 28]);

/// `Sec-WebSocket-Key` is not the base64 of sixteen bytes (RFC 6455 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455 section 4.2.1)")]
pub struct BadKey;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_CHARACTERS: usize = 24;
const KEY_BYTES: usize = 16;

/// Standard base64 with its padding. Sixteen bytes leave four bits over in the last character; the RFC asks only that
/// the key decodes to sixteen bytes, so clients that draw those bits at random are not turned away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Answers a client's key.
///
/// ```
/// use lychgate_protocol::ws::handshake::accept_key;
///
/// let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")?;
/// assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<(), lychgate_protocol::ws::handshake::BadKey>(())
/// ```
///
/// # Errors
///
/// Returns [`BadKey`] unless `key` is 24 characters of base64 that decode to 16 bytes.
pub fn accept_key(key: &[u8]) -> Result<AcceptKey, BadKey> {
    // Padding is required, so sixteen bytes are always 24 characters. The decoder asks for room by an estimate that is
    // rounded up, and refuses a longer key before it reads it.
    let mut decoded = [0; KEY_CHARACTERS];
    // check: key-bytes
    if BASE64.decode_slice(key, &mut decoded) != Ok(KEY_BYTES) {
        return Err(BadKey);
    }
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    // Twenty bytes are twenty-eight characters, so this cannot fail; the answer to a failure would be a refusal anyway.
    BASE64.encode_slice(digest, &mut accept).map_err(|_| BadKey)?;
    Ok(AcceptKey(accept))
}

impl AcceptKey {
    /// The header's value.
    pub fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }

    /// The header's value as text.
    pub fn as_str(&self) -> &str {
        // Base64 is ASCII; an empty value would only fail the handshake.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
