//! The handshake that opens each connection (RFC 6455 section 4.1), written and read by hand.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use memchr::memmem;

use crate::socket::Target;

/// Replaced in the path by the connection's token.
const TOKEN_PLACE: &str = "{token}";
/// The key of RFC 6455 section 1.3: with one key for all, the right answer is a constant.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// An answer longer than this is no handshake.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Where connections go and with which token.
pub struct Route {
    target: Target,
    path_before: String,
    path_after: String,
    tokens: Vec<String>,
}

/// What came back for a handshake.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not whole yet.
    Partial,
    /// Accepted; frames may follow after this many bytes.
    Accepted {
        /// Length of the answer.
        bytes: usize,
    },
    /// Anything else.
    Refused {
        /// The HTTP status, or 0 when there was none to read.
        status: u16,
    },
}

impl Route {
    /// Reads the tokens, one per line, that fill `{token}` in `path`.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, is empty, or does not match the path.
    pub fn new(target: Target, path: &str, tokens: Option<&Path>) -> Result<Self> {
        let tokens = match tokens {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                let tokens: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
                ensure!(!tokens.is_empty(), "{} holds no token", file.display());
                tokens
            }
            None => vec![String::new()],
        };
        ensure!(path.starts_with('/'), "the path must start with /");
        ensure!(path.contains(TOKEN_PLACE) != tokens[0].is_empty(), "--tokens and {TOKEN_PLACE} in --path go together");
        let (before, after) = path.split_once(TOKEN_PLACE).unwrap_or((path, ""));
        Ok(Self { target, path_before: before.to_owned(), path_after: after.to_owned(), tokens })
    }

    /// Returns the server's address.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Returns the request of the connection `ordinal`; tokens are used in turn.
    pub fn request(&self, ordinal: usize) -> Vec<u8> {
        let (before, after) = (&self.path_before, &self.path_after);
        let token = &self.tokens[ordinal % self.tokens.len()];
        let authority = self.target.authority();
        format!(
            "GET {before}{token}{after} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .into_bytes()
    }
}

/// Reads an answer.
pub fn answer(input: &[u8]) -> Answer {
    let Some(end) = memmem::find(input, b"\r\n\r\n") else {
        return if input.len() > ANSWER_BYTES_MAX { Answer::Refused { status: 0 } } else { Answer::Partial };
    };
    let head = &input[..end];
    let status = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    match status {
        101 if memmem::find(head, ACCEPT).is_some() => Answer::Accepted { bytes: end + 4 },
        // A switch with the wrong key is no handshake.
        101 => Answer::Refused { status: 0 },
        status => Answer::Refused { status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_switch_with_the_right_key_is_accepted() {
        let accepted =
            b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81";
        assert_eq!(answer(accepted), Answer::Accepted { bytes: accepted.len() - 1 });
        assert_eq!(answer(&accepted[..40]), Answer::Partial);
        let wrong_key =
            b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: AAAALMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(answer(wrong_key), Answer::Refused { status: 0 });
        assert_eq!(answer(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), Answer::Refused { status: 401 });
        assert_eq!(answer(b"garbage\r\n\r\n"), Answer::Refused { status: 0 });
    }
}
