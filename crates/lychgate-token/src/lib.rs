//! Mints and verifies JSON Web Tokens (RFC 7519) in the compact form of RFC 7515.
//!
//! This crate owns everything that happens between a token's text and a trusted set of claims: the caps, the strict
//! parser, the header rules, the choice of a key, the signature, and the typed reading of each claim.
//! It also owns the way back: signing keys and the minting of tokens.
//!
//! **Invariant:** a [`Claims`] value exists only for a token whose signature was verified with the one algorithm of a
//! configured key, and whose every claim passed the rules of that key's own [`IssuerProfile`].
//! The same token, profiles and `now` always give the same answer.
//!
//! **Absent on purpose:** there is no IO, no clock and no runtime; `now` is an argument, and nothing that a token says
//! can start a request.
//! There is no encrypted token (JWE), no compression, no detached payload and no key taken from a token.
//!
//! ```
//! use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, SigningKey, Verifier};
//!
//! let secret = b"an example secret that no server should ever use";
//! let key = SigningKey::hmac(Algorithm::Hs256, secret, Some("2026-11"))?;
//! let profile = IssuerProfile::own("own", "https://gate.example", "chat", vec![key.verifying_key()]);
//! let minter = Minter::new(key, "https://gate.example".into(), "chat".into(), ProfileKind::Own)?;
//! let verifier = Verifier::new(vec![profile])?;
//!
//! let claims = NewClaims { lifetime_s: Some(1800), ..NewClaims::session("alice", "session-1", "token-1") };
//! let token = minter.mint(&claims, 1_800_000_000)?;
//!
//! assert_eq!(verifier.verify(&token, 1_800_000_100)?.sub, "alice");
//! assert_eq!(verifier.verify(&token, 1_800_009_000).unwrap_err().code(), "expired");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod claims;
mod compact;
mod header;
mod inspect;
mod json;
mod key;
mod material;
mod mint;
mod profile;
mod refusal;
pub mod secret;
mod signing;
mod text;
mod token;
mod verify;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{Claims, is_registered_claim, is_subject};
pub use compact::TOKEN_BYTES_MAX;
pub use inspect::{Inspection, inspect};
pub use key::{KeyFault, VerifyingKey};
pub use mint::{MintFault, Minter, NewClaims};
pub use profile::{IssuerProfile, LEEWAY_S_DEFAULT, LEEWAY_S_MAX, ProfileFault, ProfileKind};
pub use refusal::{PayloadFault, Refusal};
pub use signing::{Pkcs8, SigningKey};
pub use token::Token;
pub use verify::Verifier;

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, leap seconds ignored (RFC 7519 section 2, `NumericDate`).
pub type UnixSeconds = u64;
