//! The signature of a call, as Standard Webhooks (version 1, symmetric) lays it down.
//!
//! **Invariant:** what is signed is byte for byte what is sent.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::SettingsFault;

/// The shortest key that the specification allows.
const KEY_BYTES_MIN: usize = 24;

/// Signs calls with one secret.
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// A secret that begins with `whsec_` is base64 of the key behind that; any other is the key itself, as text.
    pub(super) fn new(secret: &SecretString) -> Result<Self, SettingsFault> {
        let text = secret.expose_secret();
        let decoded;
        let key = match text.strip_prefix("whsec_") {
            Some(encoded) => {
                decoded = STANDARD.decode(encoded).map(zeroize::Zeroizing::new).map_err(|_| SettingsFault::Secret)?;
                decoded.as_slice()
            }
            None => text.as_bytes(),
        };
        if key.len() < KEY_BYTES_MIN {
            return Err(SettingsFault::Secret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp_s: &str, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp_s.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let signer = Signer::new(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).ok().unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_short_or_broken_secret_is_refused() {
        for (secret, is_good) in [
            ("twenty-four-bytes-of-key", true),
            ("twenty-three-bytes-here", false),
            ("", false),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", false),
            ("whsec_c2hvcnQ=", false),
        ] {
            assert_eq!(Signer::new(&secret.into()).is_ok(), is_good, "{secret}");
        }
    }
}
