//! Keys that sign.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER as PROVIDER;
use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::key::{KeyFault, VerifyingKey, check_rsa_size};
use crate::material;

/// A key that signs tokens, with the key that verifies them.
///
/// `Debug` shows the algorithm and the key id, never the key.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A shared secret; whoever can verify with it can also sign.
    ///
    /// # Errors
    ///
    /// As [`VerifyingKey::hmac`].
    pub fn hmac(algorithm: Algorithm, secret: &[u8], kid: Option<&str>) -> Result<Self, KeyFault> {
        let verifying = VerifyingKey::hmac(algorithm, secret, kid)?;
        Ok(Self { key: EncodingKey::from_secret(secret), verifying })
    }

    /// An Ed25519 private key in the binary form of PKCS #8 (RFC 8410 section 7), with or without its public half.
    ///
    /// # Errors
    ///
    /// [`KeyFault::Unreadable`] if `der` is anything else, or its public half is another key's, and [`KeyFault::Kid`].
    pub fn ed25519_from_pkcs8(der: &[u8], kid: Option<&str>) -> Result<Self, KeyFault> {
        // The library ignores what follows the key.
        if !material::is_der(der) {
            return Err(KeyFault::Unreadable);
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyFault::Unreadable)?;
        let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
        // The library below reads the one form that carries the public half, so every key is brought into it.
        let form = pair.to_pkcs8().map_err(|_| KeyFault::Unreadable)?;
        let verifying = VerifyingKey::checked(Algorithm::EdDSA, kid, public)?;
        Ok(Self { key: EncodingKey::from_ed_der(form.as_ref()), verifying })
    }

    /// Draws a new Ed25519 key from the system's randomness, and returns it with the bytes to keep it by.
    ///
    /// # Errors
    ///
    /// [`KeyFault::Random`] and [`KeyFault::Kid`].
    pub fn generate_ed25519(kid: Option<&str>) -> Result<(Self, Pkcs8), KeyFault> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyFault::Random)?;
        let pkcs8 = Pkcs8::from(document.as_ref().to_vec());
        Ok((Self::ed25519_from_pkcs8(pkcs8.expose(), kid)?, pkcs8))
    }

    /// A private key in PEM: a `PRIVATE KEY` (PKCS #8), or an `RSA PRIVATE KEY` (PKCS #1) for RSA.
    ///
    /// # Errors
    ///
    /// [`KeyFault::WrongKind`] if `algorithm` is an HMAC, [`KeyFault::RsaSize`], [`KeyFault::Kid`], and
    /// [`KeyFault::Unreadable`] for all else that is no private key of this algorithm.
    pub fn from_pem(algorithm: Algorithm, pem: &[u8], kid: Option<&str>) -> Result<Self, KeyFault> {
        if algorithm.is_hmac() {
            return Err(KeyFault::WrongKind);
        }
        match material::pem_label(pem) {
            Some("PRIVATE KEY") => {}
            Some("RSA PRIVATE KEY") if algorithm == Algorithm::Rs256 => {}
            _ => return Err(KeyFault::Unreadable),
        }
        let key = match algorithm {
            Algorithm::Rs256 => EncodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => EncodingKey::from_ec_pem(pem),
            _ => EncodingKey::from_ed_pem(pem),
        };
        let key = key.map_err(|_| KeyFault::Unreadable)?;
        let bytes = key.as_bytes();
        let public = match algorithm {
            Algorithm::Rs256 => {
                let components = (PROVIDER.key_utils.rsa_pub_components_from_private_key)(bytes);
                let (modulus, exponent) = components.map_err(|_| KeyFault::Unreadable)?;
                check_rsa_size(&modulus)?;
                DecodingKey::from_rsa_raw_components(&modulus, &exponent)
            }
            Algorithm::Es256 => {
                let components =
                    (PROVIDER.key_utils.ec_pub_components_from_private_key)(bytes, Algorithm::Es256.jose());
                let (_, x, y) = components.map_err(|_| KeyFault::Unreadable)?;
                // An uncompressed point (SEC 1 section 2.3.3).
                DecodingKey::from_ec_der(&[&[0x04], x.as_slice(), y.as_slice()].concat())
            }
            _ => return Self::ed25519_from_pkcs8(bytes, kid),
        };
        let verifying = VerifyingKey::checked(algorithm, kid, public)?;
        Ok(Self { key, verifying })
    }

    /// The key by which this key's signatures are verified.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The one algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The id that minted tokens carry.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.verifying.kid()
    }

    /// Signs `signing_input`; `None` if the key turns out to be unusable.
    pub(crate) fn sign(&self, signing_input: &[u8]) -> Option<Vec<u8>> {
        let signer = (PROVIDER.signer_factory)(&self.algorithm().jose(), &self.key).ok()?;
        signer.try_sign(signing_input).ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// A private key in its binary form, wiped from memory when dropped.
#[derive(Clone)]
pub struct Pkcs8(Zeroizing<Vec<u8>>);

impl Pkcs8 {
    /// The bytes, for the store that keeps them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Pkcs8 {
    fn from(der: Vec<u8>) -> Self {
        Self(Zeroizing::new(der))
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(redacted)")
    }
}
