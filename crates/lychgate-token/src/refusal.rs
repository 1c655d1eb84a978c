//! Why a token was not accepted.

use crate::UnixSeconds;

/// The one reason for which a token was refused.
///
/// [`Missing`](Self::Missing) to [`BadSignature`](Self::BadSignature) are all that an unsigned token can learn; the
/// later ones speak of claims and are reached with a verified signature only.
/// No variant holds any text of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There was no token.
    #[error("no token was given")]
    Missing,
    /// The text is no signed token within the limits, or its header asks for what is not supported.
    #[error("the text is not a well-formed signed token")]
    Malformed,
    /// No configured key has the token's key id, or takes a token without one.
    #[error("the token names no configured key")]
    UnknownKey,
    /// `alg` is not the algorithm of the key (RFC 8725 section 3.1).
    #[error("the token's algorithm is not the one of the key")]
    WrongAlgorithm,
    /// The signature does not fit the key.
    #[error("the token's signature does not verify")]
    BadSignature,
    /// `exp` has passed, leeway included (RFC 7519 section 4.1.4).
    #[error("the token expired at {exp}, it is {now}")]
    Expired {
        /// When it expired.
        exp: UnixSeconds,
        /// When it was presented.
        now: UnixSeconds,
    },
    /// `nbf` or `iat` lies in the future, leeway included (RFC 7519 sections 4.1.5, 4.1.6).
    #[error("the token is not valid before {from}, it is {now}")]
    NotYetValid {
        /// The later of `nbf` and `iat`.
        from: UnixSeconds,
        /// When it was presented.
        now: UnixSeconds,
    },
    /// `iss` is another's, or is missing where it is required (RFC 7519 section 4.1.1).
    #[error("the token's issuer is not the one expected")]
    WrongIssuer,
    /// `aud` does not name us, or is missing where it is required (RFC 7519 section 4.1.3).
    #[error("the token's audience is not the one expected")]
    WrongAudience,
    /// The token is genuine, and its content is not acceptable.
    #[error(transparent)]
    Payload(#[from] PayloadFault),
}

impl Refusal {
    /// A stable label for logs, metrics and audit records, in `snake_case`; the set is small and fixed.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Payload(PayloadFault::TokenType) => "payload_token_type",
            Self::Payload(PayloadFault::ClaimMissing(_)) => "payload_claim_missing",
            Self::Payload(PayloadFault::ClaimShape(_)) => "payload_claim_shape",
            Self::Payload(PayloadFault::Lifetime) => "payload_lifetime",
        }
    }
}

/// What is wrong inside a genuine token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// `typ` says another kind of token, such as a refresh token (RFC 8725 section 3.11, RFC 9068 section 4).
    #[error("the token is of another type")]
    TokenType,
    /// A claim that the profile requires is absent.
    #[error("the claim {0} is missing")]
    ClaimMissing(&'static str),
    /// A claim has the wrong JSON type, is out of range, or holds characters that no name may hold.
    #[error("the claim {0} has an unacceptable value")]
    ClaimShape(&'static str),
    /// The time from `iat` to `exp` is longer than the profile allows.
    #[error("the token's lifetime is longer than allowed")]
    Lifetime,
}
