//! Tokens for one channel, which the application signs for one user, and its word for a channel in other ways.
//!
//! **Invariant:** a [`Vouch`] was read from a verified token that names this channel and this user, or from one that opens
//! this user's connection, or the application gave it itself: by its API, or in the answer to a signed call.

use lychgate_protocol::channel::ChannelName;
use lychgate_token::{Claims, Refusal, Token, UnixSeconds, Verifier};
use serde_json::Value;

use super::options::{BadOption, Options};
use crate::revocations::{Marks, NotAdmissible, Revocations};

/// The claim that names the channel, by which such a token is told from one that says who somebody is.
const CHANNEL_CLAIM: &str = "channel";

/// Somebody's word that a user may enter a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouch {
    channel: ChannelName,
    options: Options,
    expires_at: Option<UnixSeconds>,
    by_application: bool,
}

/// Why a token does not vouch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VouchRefused {
    /// It is no good token.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// It is genuine, and revoked; or nobody knows whether it is.
    #[error(transparent)]
    NotAdmissible(#[from] NotAdmissible),
    /// It names no channel.
    #[error("the token names no channel")]
    NoChannel,
    /// It is for another channel, another user or another connection.
    #[error("the token is for another channel, another user or another connection")]
    Other,
    /// What it says beside cannot be read.
    #[error(transparent)]
    Option(#[from] BadOption),
}

impl Vouch {
    /// Reads a token that vouches for `user`, as tokens name them, on the connection `client`, in `channel`.
    ///
    /// # Errors
    ///
    /// [`VouchRefused`].
    pub fn read(
        verifier: &Verifier,
        revocations: &Revocations,
        token: &Token,
        now_s: UnixSeconds,
        channel: &ChannelName,
        (user, client): (&str, &str),
    ) -> Result<Self, VouchRefused> {
        let claims = verifier.verify(token, now_s)?;
        revocations.check(&claims.sub, &Marks::of(&claims))?;
        let named = claims.extra.get(CHANNEL_CLAIM).and_then(Value::as_str).ok_or(VouchRefused::NoChannel)?;
        if named != &**channel || claims.sub != user {
            return Err(VouchRefused::Other);
        }
        let is_other = |only: &Value| only.as_str().is_none_or(|only| !only.is_empty() && only != client);
        if claims.extra.get("client").is_some_and(is_other) {
            return Err(VouchRefused::Other);
        }
        let expires_at = match claims.extra.get("expire_at").and_then(Value::as_u64) {
            Some(0) => None,
            Some(at) => Some(at),
            None => claims.exp,
        };
        // The verifier is lenient by a few seconds. Whoever entered by that would be taken out again at once.
        if let Some(exp) = expires_at.filter(|exp| *exp <= now_s) {
            return Err(Refusal::Expired { exp, now: now_s }.into());
        }
        let options = Options::read(&claims.extra)?;
        Ok(Self { channel: channel.clone(), options, expires_at, by_application: false })
    }

    /// The word of the application itself.
    #[must_use]
    pub const fn by_application(channel: ChannelName, options: Options, expires_at: Option<UnixSeconds>) -> Self {
        Self { channel, options, expires_at, by_application: true }
    }

    /// The word of whoever proved who connects: of a token, or of the application. It ends with the connection.
    #[must_use]
    pub const fn with_connection(channel: ChannelName, options: Options, by_application: bool) -> Self {
        Self { channel, options, expires_at: None, by_application }
    }

    /// Whether it is the application's own word, and not a token's.
    #[must_use]
    pub const fn is_of_application(&self) -> bool {
        self.by_application
    }

    /// Whether these are the claims of such a token, and not of one that says who somebody is.
    #[must_use]
    pub fn is_vouch(claims: &Claims) -> bool {
        claims.extra.contains_key(CHANNEL_CLAIM)
    }

    /// The channel.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// What it says beside.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// When it ends; never, if none.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixSeconds> {
        self.expires_at
    }
}
