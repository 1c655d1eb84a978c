//! Keys that verify, each bound to one algorithm.
//!
//! **Invariant:** a key holds material of its algorithm's own kind, checked when it is made: no text of a public key is
//! ever a shared secret, no RSA modulus is outside 2048 to 8192 bits, no point lies off its curve.
//!
//! The provider of the cryptography is named in each call, so no process-wide default has to be installed, and another
//! crate's choice of a default cannot change what is accepted.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;

use crate::algorithm::Algorithm;
use crate::header::KID_BYTES_MAX;
use crate::material;
use crate::secret::{self, WeakSecret};

/// A key by which signatures are verified.
///
/// `Debug` shows the algorithm and the key id, never the key.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// A secret that is shared with the issuer.
    ///
    /// # Errors
    ///
    /// [`KeyFault::WrongKind`] if `algorithm` is not an HMAC or `secret` is the text of an asymmetric key (PEM, DER or
    /// JWK), [`KeyFault::Weak`] and [`KeyFault::ShortForAlgorithm`] for a secret that could be guessed (RFC 7518
    /// section 3.2), and [`KeyFault::Kid`].
    pub fn hmac(algorithm: Algorithm, secret: &[u8], kid: Option<&str>) -> Result<Self, KeyFault> {
        if !algorithm.is_hmac() || material::is_asymmetric(secret) {
            return Err(KeyFault::WrongKind);
        }
        secret::strength(secret)?;
        let bytes_min = algorithm.secret_bytes_min();
        if secret.len() < bytes_min {
            return Err(KeyFault::ShortForAlgorithm { algorithm, bytes: secret.len(), bytes_min });
        }
        Self::checked(algorithm, kid, DecodingKey::from_secret(secret))
    }

    /// A public key in PEM: a `PUBLIC KEY` (RFC 5280), or an `RSA PUBLIC KEY` (RFC 8017) for RSA.
    ///
    /// # Errors
    ///
    /// [`KeyFault::WrongKind`] if `algorithm` is an HMAC, [`KeyFault::Private`] for a private key, which has no business
    /// here, [`KeyFault::RsaSize`], [`KeyFault::Kid`], and [`KeyFault::Unreadable`] for all else that is no public key
    /// of this algorithm: certificates, other curves, several keys in one text.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8], kid: Option<&str>) -> Result<Self, KeyFault> {
        if algorithm.is_hmac() {
            return Err(KeyFault::WrongKind);
        }
        match material::pem_label(pem) {
            Some("PUBLIC KEY") => {}
            Some("RSA PUBLIC KEY") if algorithm == Algorithm::Rs256 => {}
            Some(label) if label.ends_with("PRIVATE KEY") => return Err(KeyFault::Private),
            _ => return Err(KeyFault::Unreadable),
        }
        let key = match algorithm {
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => DecodingKey::from_ec_pem(pem),
            _ => DecodingKey::from_ed_pem(pem),
        };
        let key = key.map_err(|_| KeyFault::Unreadable)?;
        let bytes = key.try_get_as_bytes().map_err(|_| KeyFault::Unreadable)?;
        match algorithm {
            Algorithm::Rs256 => {
                let components = (PROVIDER.key_utils.rsa_pub_components_from_public_key)(bytes);
                check_rsa_size(&components.map_err(|_| KeyFault::Unreadable)?.0)?;
            }
            Algorithm::Es256 => drop(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(unreadable)?),
            _ => drop(ParsedPublicKey::new(&ED25519, bytes).map_err(unreadable)?),
        }
        Self::checked(algorithm, kid, key)
    }

    /// The one algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id by which tokens name this key; tokens without a `kid` are checked against keys without one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Binds `key`, whose material has been checked, to its algorithm and id.
    pub(crate) fn checked(algorithm: Algorithm, kid: Option<&str>, key: DecodingKey) -> Result<Self, KeyFault> {
        Ok(Self { algorithm, kid: check_kid(kid)?, key })
    }

    /// Whether `signature` is this key's for `signing_input`; any failure on the way counts as no.
    ///
    /// The signature is a `Vec` because that is the type the library below takes.
    pub(crate) fn verifies(&self, signing_input: &[u8], signature: &Vec<u8>) -> bool {
        (PROVIDER.verifier_factory)(&self.algorithm.jose(), &self.key)
            .is_ok_and(|verifier| verifier.verify(signing_input, signature).is_ok())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Why a key cannot be used; each is a fault of the configuration, except [`Random`](Self::Random).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The algorithm and the kind of key do not belong together, as with a public key given for a shared secret.
    #[error("the key is not of the algorithm's kind")]
    WrongKind,
    /// A private key was given where the public one suffices.
    #[error("this is a private key; give the public one")]
    Private,
    /// The key is not in a form that is understood, or is damaged.
    #[error("the key cannot be read as one of this algorithm")]
    Unreadable,
    /// An RSA modulus outside 2048 to 8192 bits.
    #[error("an RSA key of {bits} bits; 2048 to 8192 are taken")]
    RsaSize {
        /// Its length.
        bits: usize,
    },
    /// The shared secret could be guessed.
    #[error(transparent)]
    Weak(#[from] WeakSecret),
    /// The shared secret is shorter than the algorithm's hash (RFC 7518 section 3.2).
    #[error("a secret of {bytes} bytes is too short for {algorithm}, which needs {bytes_min}")]
    ShortForAlgorithm {
        /// The algorithm.
        algorithm: Algorithm,
        /// The secret's length.
        bytes: usize,
        /// The least length.
        bytes_min: usize,
    },
    /// The key id is empty, longer than 128 bytes, or not printable ASCII.
    #[error("a key id has 1 to {KID_BYTES_MAX} printable ASCII characters")]
    Kid,
    /// The system's source of randomness failed.
    #[error("no randomness to make a key from")]
    Random,
}

pub(crate) fn check_kid(kid: Option<&str>) -> Result<Option<Box<str>>, KeyFault> {
    let printable = |kid: &str| kid.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match kid {
        Some(kid) if kid.is_empty() || kid.len() > KID_BYTES_MAX || !printable(kid) => Err(KeyFault::Kid),
        other => Ok(other.map(Into::into)),
    }
}

/// Refuses a modulus, given as a big-endian number, of a length at which keys are weak or only cost time.
pub(crate) fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyFault> {
    let leading_zero_bytes = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = &modulus[leading_zero_bytes..];
    let bits = significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize);
    if (2048..=8192).contains(&bits) { Ok(()) } else { Err(KeyFault::RsaSize { bits }) }
}

fn unreadable(_: aws_lc_rs::error::KeyRejected) -> KeyFault {
    KeyFault::Unreadable
}
