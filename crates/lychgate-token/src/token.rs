//! A token's text, kept away from logs.
//!
//! **Absent on purpose:** `Display`, `Serialize` and comparison; a token leaves this type through
//! [`Token::expose`] alone, which is easy to search for.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// The compact form of a token, not yet believed.
///
/// Its memory is wiped when it is dropped, and its `Debug` form says nothing of it.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text itself, for the wire and for the verifier.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Eight hexadecimal digits of the text's SHA-256, by which log lines about one token can be joined.
    ///
    /// It is no identity: a signature may have several spellings, so deny lists go by `jti` and session.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.0.as_bytes());
        hash.as_ref().iter().take(4).fold(String::with_capacity(8), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}
