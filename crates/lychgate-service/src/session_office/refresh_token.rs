//! A refresh token as a client carries it.

use std::fmt;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::ports::sessions::RefreshHash;

/// What every refresh token begins with, so that a scanner of sources or logs knows one when it sees it.
pub const REFRESH_PREFIX: &str = "lgr_";

/// The random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// `lgr_` and 43 characters of base64url. Prints as redacted.
#[derive(Clone)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// Takes whatever a client sent; whether it is one, the office says.
    #[must_use]
    pub fn new(text: SecretString) -> Self {
        Self(text)
    }

    /// The text, for the answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it looks like one.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.hash().is_some()
    }

    /// A new one; none, where the machine has no random numbers.
    pub(super) fn fresh() -> Option<(Self, RefreshHash)> {
        let mut bytes = [0; TOKEN_BYTES];
        rand::fill(&mut bytes).ok()?;
        let token = Self(SecretString::from(format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))));
        let hash = token.hash()?;
        Some((token, hash))
    }

    pub(super) fn hash(&self) -> Option<RefreshHash> {
        let text = self.expose().strip_prefix(REFRESH_PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == TOKEN_BYTES)?;
        digest::digest(&digest::SHA256, &bytes).as_ref().try_into().ok()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(redacted)")
    }
}
