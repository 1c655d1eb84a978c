//! Tells what kind of key a run of bytes is, so that one kind is never used as another.
//!
//! A server that takes the text of its own public key for a shared secret lets everybody sign: the key is public.
//! The check runs when a key is configured, on every form in which asymmetric keys are commonly passed around.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// The label of the one PEM block in `text` (RFC 7468 section 2), or `None` if there is not exactly one.
pub(crate) fn pem_label(text: &[u8]) -> Option<&str> {
    let mut blocks = std::str::from_utf8(text).ok()?.split("-----BEGIN ").skip(1);
    let block = blocks.next()?;
    let (label, _) = block.split_once("-----")?;
    blocks.next().is_none().then_some(label)
}

/// Whether `bytes` are an asymmetric key, public or private, or a certificate: in PEM, in DER, in base64 of DER, as a
/// JWK (RFC 7517) or in the one-line form of OpenSSH.
pub(crate) fn is_asymmetric(bytes: &[u8]) -> bool {
    if is_der(bytes) {
        return true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let text = text.trim_start_matches('\u{FEFF}').trim();
    let ssh = ["ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
    text.contains("-----BEGIN ")
        || text.contains("---- BEGIN ")
        || ssh.iter().any(|prefix| text.starts_with(prefix))
        || is_jwk(text)
        || is_base64_of_der(text)
}

/// A JWK, or a set of them; a symmetric one is no secret either, but a file that holds it.
fn is_jwk(text: &str) -> bool {
    text.starts_with('{')
        && serde_json::from_str::<Value>(text)
            .is_ok_and(|value| value.get("kty").is_some() || value.get("keys").is_some())
}

fn is_base64_of_der(text: &str) -> bool {
    let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(&joined).or_else(|_| URL_SAFE_NO_PAD.decode(&joined)).is_ok_and(|bytes| is_der(&bytes))
}

/// An ASN.1 SEQUENCE that fills `bytes` and begins with a SEQUENCE (a public key, a certificate) or an INTEGER (a
/// private key, an RSA public key).
///
/// Random bytes look so once in a hundred million times, and then another secret is quickly drawn.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    let body = match bytes {
        [0x30, length @ 0..=0x7F, body @ ..] if usize::from(*length) == body.len() => body,
        [0x30, 0x81, length, body @ ..] if usize::from(*length) == body.len() => body,
        [0x30, 0x82, high, low, body @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == body.len() => body,
        _ => return false,
    };
    matches!(body.first(), Some(0x30 | 0x02))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_block_has_a_label() {
        assert_eq!(pem_label(b" -----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"), Some("PUBLIC KEY"));
        for none in ["", "PUBLIC KEY", "-----BEGIN PUBLIC KEY", "-----BEGIN A-----\n-----BEGIN B-----\n"] {
            assert_eq!(pem_label(none.as_bytes()), None, "{none}");
        }
        assert_eq!(pem_label(b"\xff-----BEGIN A-----"), None);
    }

    #[test]
    fn secrets_are_not_taken_for_keys() {
        let hex = "4a6f2c1e9b8d7f3050a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f5061";
        for secret in [hex.as_bytes(), b"{not json but long enough to count}", &[0x30; 48], &[7; 32]] {
            assert!(!is_asymmetric(secret), "{secret:?}");
        }
    }
}
