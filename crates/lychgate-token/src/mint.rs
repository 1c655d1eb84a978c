//! Makes tokens.
//!
//! **Invariant:** what is minted here is within every limit that verification has, so a server never hands out a token
//! that its own door calls malformed.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::UnixSeconds;
use crate::claims::{REGISTERED, UNIX_SECONDS_END};
use crate::compact;
use crate::profile::ProfileKind;
use crate::signing::SigningKey;
use crate::text::is_name;
use crate::token::Token;

/// Mints the tokens of one issuer with one key.
///
/// `Debug` leaves the key out.
pub struct Minter {
    key: SigningKey,
    issuer: Option<String>,
    audience: Option<String>,
    kind: ProfileKind,
    /// The header is the same for every token.
    encoded_header: String,
}

impl Minter {
    /// Binds a key to the issuer and the audience of the tokens it will sign.
    ///
    /// With [`ProfileKind::Legacy`] an empty `issuer` or `audience` leaves that claim out, as older readers expect.
    ///
    /// # Errors
    ///
    /// [`MintFault::Incomplete`] if [`ProfileKind::Own`] comes without an issuer or an audience.
    pub fn new(key: SigningKey, issuer: String, audience: String, kind: ProfileKind) -> Result<Self, MintFault> {
        let [issuer, audience] = [issuer, audience].map(|text| (!text.trim().is_empty()).then_some(text));
        if kind == ProfileKind::Own && (issuer.is_none() || audience.is_none()) {
            return Err(MintFault::Incomplete);
        }
        let typ = match kind {
            ProfileKind::Own => "at+jwt",
            ProfileKind::Legacy | ProfileKind::Named => "JWT",
        };
        let header = WireHeader { alg: key.algorithm().as_str(), typ, kid: key.kid() };
        let encoded_header = compact::encode(&serde_json::to_vec(&header).map_err(|_| MintFault::Claim("header"))?);
        Ok(Self { key, issuer, audience, kind, encoded_header })
    }

    /// Signs a token with these claims, issued at `now`.
    ///
    /// # Errors
    ///
    /// A [`MintFault`] if the verifier of this issuer could not accept the result.
    pub fn mint(&self, claims: &NewClaims, now: UnixSeconds) -> Result<Token, MintFault> {
        let named = [("sub", Some(&claims.sub)), ("sid", claims.sid.as_ref()), ("jti", claims.jti.as_ref())];
        for (claim, text) in named {
            let required = self.kind == ProfileKind::Own;
            if text.map_or(required, |text| !is_name(text)) {
                return Err(MintFault::Claim(claim));
            }
        }
        if REGISTERED.iter().any(|claim| claims.extra.contains_key(*claim)) {
            return Err(MintFault::Reserved);
        }
        let exp = match claims.lifetime_s {
            None => None,
            Some(0) => return Err(MintFault::Lifetime),
            Some(lifetime_s) => Some(now.checked_add(lifetime_s).ok_or(MintFault::Lifetime)?),
        };
        if exp.unwrap_or(now) >= UNIX_SECONDS_END {
            return Err(MintFault::Lifetime);
        }
        let wire = WireClaims {
            iss: self.issuer.as_deref(),
            sub: &claims.sub,
            aud: self.audience.as_deref(),
            exp,
            iat: now,
            jti: claims.jti.as_deref(),
            sid: claims.sid.as_deref(),
            extra: &claims.extra,
        };
        let json = serde_json::to_vec(&wire).map_err(|_| MintFault::TooLarge)?;
        let mut text = format!("{}.{}", self.encoded_header, compact::encode(&json));
        let signature = self.key.sign(text.as_bytes()).ok_or(MintFault::Signature)?;
        text.push('.');
        text.push_str(&compact::encode(&signature));
        let token = Token::from(text);
        compact::parse(token.expose()).map_err(|_| MintFault::TooLarge)?;
        Ok(token)
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter")
            .field("key", &self.key)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What a new token shall say; the issuer, the audience and the time of issue come from the [`Minter`].
///
/// `Debug` leaves [`extra`](Self::extra) out: its content is the application's and may be private.
#[derive(Clone, Default, PartialEq)]
pub struct NewClaims {
    /// Whom the token is about: 1 to 255 bytes without control or format characters.
    pub sub: String,
    /// The session it belongs to; required for [`ProfileKind::Own`].
    pub sid: Option<String>,
    /// The token's own id; required for [`ProfileKind::Own`].
    pub jti: Option<String>,
    /// How long it lives, in seconds; `None` leaves `exp` out, which verifiers take for one exempt `jti` alone.
    pub lifetime_s: Option<u64>,
    /// Claims of the application, none of the registered names among them.
    pub extra: Map<String, Value>,
}

impl NewClaims {
    /// Claims for `sub` in the session `sid`, with the token id `jti`; the lifetime is still to be set.
    #[must_use]
    pub fn session(sub: &str, sid: &str, jti: &str) -> Self {
        Self { sub: sub.to_owned(), sid: Some(sid.to_owned()), jti: Some(jti.to_owned()), ..Self::default() }
    }
}

impl fmt::Debug for NewClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewClaims")
            .field("sub", &self.sub)
            .field("sid", &self.sid)
            .field("jti", &self.jti)
            .field("lifetime_s", &self.lifetime_s)
            .finish_non_exhaustive()
    }
}

/// Why no token was minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintFault {
    /// Own tokens need an issuer and an audience.
    #[error("own tokens need an issuer and an audience")]
    Incomplete,
    /// A claim is missing, or holds what no name may hold.
    #[error("{0} is missing or not acceptable")]
    Claim(&'static str),
    /// An application's claim has a registered name.
    #[error("an extra claim has a registered name")]
    Reserved,
    /// The lifetime is zero or ends beyond all calendars.
    #[error("the lifetime is zero or too long")]
    Lifetime,
    /// The token would break a limit of size, count or depth.
    #[error("the claims are too large, too many or too deep for a token")]
    TooLarge,
    /// The key could not sign.
    #[error("the key could not sign")]
    Signature,
}

/// The header in the order in which it is written, so that equal input gives equal tokens.
#[derive(Serialize)]
struct WireHeader<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

/// The claims in the order in which they are written.
#[derive(Serialize)]
struct WireClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<UnixSeconds>,
    iat: UnixSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}
