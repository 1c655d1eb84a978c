//! The process-wide cryptography provider of the library below is never asked.
//!
//! This file is a program of its own, because such a provider can be installed once per process.

use jsonwebtoken::crypto::{CryptoProvider, KeyUtils};
use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, SigningKey, Verifier, VerifyingKey};

static HOSTILE: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| panic!("the default provider was asked to sign"),
    verifier_factory: |_, _| panic!("the default provider was asked to verify"),
    key_utils: KeyUtils::new_unimplemented(),
};

const RS_PRIVATE: &[u8] = include_bytes!("../../../fixtures/tokens/keys/test-only-rs256.private.pem");
const RS_PUBLIC: &[u8] = include_bytes!("../../../fixtures/tokens/keys/test-only-rs256.public.pem");
const ES_PRIVATE: &[u8] = include_bytes!("../../../fixtures/tokens/keys/test-only-es256.private.pem");
const ES_PUBLIC: &[u8] = include_bytes!("../../../fixtures/tokens/keys/test-only-es256.public.pem");

#[test]
fn every_key_works_beside_a_hostile_default_provider() {
    HOSTILE.install_default().expect("nothing was installed before");
    let secret = b"TEST-ONLY secret for the test of providers";
    let hmac = SigningKey::hmac(Algorithm::Hs256, secret, None).expect("strong");
    let (ed, _) = SigningKey::generate_ed25519(None).expect("randomness");
    let rs = SigningKey::from_pem(Algorithm::Rs256, RS_PRIVATE, None).expect("a private key");
    let es = SigningKey::from_pem(Algorithm::Es256, ES_PRIVATE, None).expect("a private key");
    let keys = [
        (hmac.verifying_key(), hmac),
        (ed.verifying_key(), ed),
        (VerifyingKey::from_pem(Algorithm::Rs256, RS_PUBLIC, None).expect("a public key"), rs),
        (VerifyingKey::from_pem(Algorithm::Es256, ES_PUBLIC, None).expect("a public key"), es),
    ];
    for (verifying, signing) in keys {
        let algorithm = signing.algorithm();
        let verifier = Verifier::new(vec![IssuerProfile::own("own", "iss", "aud", vec![verifying])]).expect("sound");
        let minter = Minter::new(signing, "iss".into(), "aud".into(), ProfileKind::Own).expect("a minter");
        let claims = NewClaims { lifetime_s: Some(60), ..NewClaims::session("alice", "s", "t") };
        let token = minter.mint(&claims, 1_000).expect("mintable");
        assert_eq!(verifier.verify(&token, 1_000).map(|claims| claims.sub).as_deref(), Ok("alice"), "{algorithm}");
        assert_eq!(token.fingerprint().len(), 8);
    }
}
