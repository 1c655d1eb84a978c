//! The handshake and the token (RFC 6455 section 4.2, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use memchr::memmem;
use serde::Deserialize;
use sha1::{Digest as _, Sha1};

/// Appended to the client's key (RFC 6455 section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks tokens with one secret.
pub struct Gate {
    key: DecodingKey,
    validation: Validation,
}

/// What a request leads to.
pub enum Verdict {
    /// Not whole yet.
    Partial,
    /// Answer with this, then serve the path.
    Accept {
        /// The whole HTTP answer.
        answer: Vec<u8>,
        /// Whether the path is `/echo`.
        echo: bool,
    },
    /// Answer with this, then close.
    Refuse(&'static [u8]),
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

impl Gate {
    /// Makes a gate for `secret`.
    pub fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["lychgate"]);
        Self { key: DecodingKey::from_secret(secret.as_bytes()), validation }
    }

    /// Reads a request.
    pub fn judge(&self, request: &[u8]) -> Verdict {
        if !request.ends_with(b"\r\n\r\n") {
            return if request.len() > 16 * 1024 { Verdict::Refuse(BAD_REQUEST) } else { Verdict::Partial };
        }
        let Some(rest) = request.strip_prefix(b"GET ") else { return Verdict::Refuse(BAD_REQUEST) };
        let Some(target) = memchr::memchr(b' ', rest).map(|end| &rest[..end]) else {
            return Verdict::Refuse(BAD_REQUEST);
        };
        let echo = match target.split(|byte| *byte == b'?').next() {
            Some(b"/ws") => false,
            Some(b"/echo") => true,
            _ => return Verdict::Refuse(BAD_REQUEST),
        };
        let token = memmem::find(target, b"?token=").map_or(&b""[..], |at| &target[at + 7..]);
        let known =
            decode::<Claims>(token, &self.key, &self.validation).is_ok_and(|token| !token.claims.sub.is_empty());
        if !known {
            return Verdict::Refuse(UNAUTHORIZED);
        }
        let Some(key) = header(rest, b"sec-websocket-key: ") else { return Verdict::Refuse(BAD_REQUEST) };
        let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
        let mut answer = ACCEPT.to_vec();
        answer.extend_from_slice(STANDARD.encode(digest).as_bytes());
        answer.extend_from_slice(b"\r\n\r\n");
        Verdict::Accept { answer, echo }
    }
}

const ACCEPT: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ";
const UNAUTHORIZED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn header<'a>(request: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    request
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .map(|line| line[name.len()..].trim_ascii())
}
