//! What may be a key, and what may not.

use crate::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lychgate_token::secret::WeakSecret;
use lychgate_token::{Algorithm, KeyFault, SigningKey, VerifyingKey};

const HMACS: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
const PUBLIC_KEYS: [(Algorithm, &[u8]); 3] =
    [(Algorithm::Rs256, RS_PUBLIC), (Algorithm::Es256, ES_PUBLIC), (Algorithm::EdDSA, ED_PUBLIC)];

fn fault<T>(result: Result<T, KeyFault>) -> Option<KeyFault> {
    result.err()
}

#[test]
fn algorithms_have_one_spelling() {
    for name in ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        let algorithm: Algorithm = name.parse().expect("a known name");
        assert_eq!((algorithm.as_str(), algorithm.to_string().as_str()), (name, name));
    }
    for name in ["", "none", "hs256", "EDDSA", "Ed25519", "RS384", "PS256", "ES384", " HS256"] {
        assert!(name.parse::<Algorithm>().is_err(), "{name}");
    }
}

#[test]
fn asymmetric_material_is_no_secret() {
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, b64(HS_SECRET.as_bytes()));
    let jwk = format!(r#" {{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64(&[7; 32]));
    let mut forms: Vec<Vec<u8>> = vec![jwks.into_bytes(), jwk.into_bytes()];
    forms.push(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPp8oO2Jm test@example".to_vec());
    forms.push(b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5AAAAIPp8oO2Jm".to_vec());
    let certificate = key_file!("refused-certificate");
    for pem in [RS_PUBLIC, ES_PUBLIC, ED_PUBLIC, RS_PRIVATE, ES_PRIVATE, ED_PRIVATE, certificate] {
        let text = std::str::from_utf8(pem).expect("PEM is text");
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(&body).expect("PEM is base64");
        forms.push(pem.to_vec());
        forms.push(format!("\u{feff} \n{text}").into_bytes());
        forms.push(text.replace('\n', "\\n").into_bytes());
        forms.push(text.replace('\n', " ").into_bytes());
        forms.push(b64(&der).into_bytes());
        forms.push(format!("{}\n{}", &body[..64.min(body.len())], &body[64.min(body.len())..]).into_bytes());
        forms.push(der);
    }
    for form in forms {
        for algorithm in HMACS {
            let shown = String::from_utf8_lossy(&form);
            assert_eq!(fault(VerifyingKey::hmac(algorithm, &form, None)), Some(KeyFault::WrongKind), "{shown}");
            assert_eq!(fault(SigningKey::hmac(algorithm, &form, None)), Some(KeyFault::WrongKind), "{shown}");
        }
    }
    assert!(VerifyingKey::hmac(Algorithm::Hs256, HS_SECRET.as_bytes(), None).is_ok());
}

#[test]
fn algorithms_and_constructors_belong_together() {
    for (algorithm, pem) in PUBLIC_KEYS {
        assert!(VerifyingKey::from_pem(algorithm, pem, None).is_ok(), "{algorithm}");
        assert_eq!(fault(VerifyingKey::hmac(algorithm, HS_SECRET.as_bytes(), None)), Some(KeyFault::WrongKind));
        for other in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDSA] {
            if other != algorithm {
                assert_eq!(fault(VerifyingKey::from_pem(other, pem, None)), Some(KeyFault::Unreadable), "{other}");
            }
        }
        for hmac in HMACS {
            assert_eq!(fault(VerifyingKey::from_pem(hmac, pem, None)), Some(KeyFault::WrongKind));
            assert_eq!(fault(SigningKey::from_pem(hmac, pem, None)), Some(KeyFault::WrongKind));
        }
        // A public key signs nothing.
        assert_eq!(fault(SigningKey::from_pem(algorithm, pem, None)), Some(KeyFault::Unreadable));
    }
    for (algorithm, pem) in
        [(Algorithm::Rs256, RS_PRIVATE), (Algorithm::Es256, ES_PRIVATE), (Algorithm::EdDSA, ED_PRIVATE)]
    {
        assert!(SigningKey::from_pem(algorithm, pem, None).is_ok(), "{algorithm}");
        assert_eq!(fault(VerifyingKey::from_pem(algorithm, pem, None)), Some(KeyFault::Private), "{algorithm}");
    }
}

#[test]
fn both_forms_of_rsa_keys_are_read() {
    assert!(VerifyingKey::from_pem(Algorithm::Rs256, key_file!("test-only-rs256.pkcs1.public"), None).is_ok());
    assert!(SigningKey::from_pem(Algorithm::Rs256, key_file!("test-only-rs256.pkcs1.private"), None).is_ok());
}

#[test]
fn weak_and_foreign_public_keys_are_refused() {
    for (algorithm, pem) in [
        (Algorithm::Rs256, &key_file!("refused-rsa-exponent-1.public")[..]),
        (Algorithm::Rs256, key_file!("refused-certificate")),
        (Algorithm::Es256, key_file!("refused-p384.public")),
        (Algorithm::Es256, key_file!("refused-secp256k1.public")),
        (Algorithm::Es256, key_file!("refused-p256-off-curve.public")),
        (Algorithm::EdDSA, key_file!("refused-ed448.public")),
        (Algorithm::EdDSA, key_file!("refused-x25519.public")),
    ] {
        let shown = String::from_utf8_lossy(pem);
        assert_eq!(fault(VerifyingKey::from_pem(algorithm, pem, None)), Some(KeyFault::Unreadable), "{shown}");
    }
    let small = VerifyingKey::from_pem(Algorithm::Rs256, key_file!("refused-rsa1024.public"), None);
    assert_eq!(fault(small), Some(KeyFault::RsaSize { bits: 1024 }));
    let large = VerifyingKey::from_pem(Algorithm::Rs256, key_file!("refused-rsa16384.public"), None);
    assert!(matches!(fault(large), Some(KeyFault::RsaSize { .. } | KeyFault::Unreadable)));
    assert!(SigningKey::from_pem(Algorithm::Rs256, key_file!("refused-rsa1024.private"), None).is_err());
}

#[test]
fn damaged_pem_is_unreadable() {
    let text = std::str::from_utf8(ED_PUBLIC).expect("PEM is text");
    let foreign = std::str::from_utf8(FOREIGN_PUBLIC).expect("PEM is text");
    for damaged in [
        "",
        "PUBLIC KEY",
        &text[..text.len() / 2],
        &text.replace("MCow", "MCkw"),
        &text.replace("PUBLIC KEY", "PUBLIC-KEY"),
        &text.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        &text.replace("-----END PUBLIC KEY-----", ""),
        &format!("{text}{foreign}"),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
    ] {
        let result = VerifyingKey::from_pem(Algorithm::EdDSA, damaged.as_bytes(), None);
        assert_eq!(fault(result), Some(KeyFault::Unreadable), "{damaged}");
    }
    assert!(VerifyingKey::from_pem(Algorithm::EdDSA, format!("# a comment\n{text}").as_bytes(), None).is_ok());
}

#[test]
fn secrets_have_the_strength_of_their_hash() {
    let secret = "9f3c1b7a5d2e8f604b1c7d9e3a5f2b8071c6d4e0a9b8f7e6d5c4b3a29180f7e6";
    for (algorithm, bytes_min) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        assert!(VerifyingKey::hmac(algorithm, &secret.as_bytes()[..bytes_min], None).is_ok());
        let short = fault(VerifyingKey::hmac(algorithm, &secret.as_bytes()[..bytes_min - 1], None));
        match algorithm {
            Algorithm::Hs256 => assert_eq!(short, Some(KeyFault::Weak(WeakSecret::Short { bytes: 31 }))),
            _ => assert_eq!(short, Some(KeyFault::ShortForAlgorithm { algorithm, bytes: bytes_min - 1, bytes_min })),
        }
    }
    for (weak, expected) in [
        ("", WeakSecret::Blank),
        ("   \n", WeakSecret::Blank),
        ("hunter2", WeakSecret::Short { bytes: 7 }),
        ("your-secret-key-change-in-production", WeakSecret::WellKnown),
        ("development_secret_key_for_jwt_do_not_use_in_production", WeakSecret::WellKnown),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", WeakSecret::WellKnown),
    ] {
        assert_eq!(fault(SigningKey::hmac(Algorithm::Hs256, weak.as_bytes(), None)), Some(KeyFault::Weak(expected)));
    }
}

#[test]
fn key_ids_are_short_and_printable() {
    let with = |kid: &str| fault(VerifyingKey::hmac(Algorithm::Hs256, HS_SECRET.as_bytes(), Some(kid)));
    for kid in ["a", "2026-11", "a b", &"k".repeat(128)] {
        assert_eq!(with(kid), None, "{kid}");
    }
    for kid in ["", "a\n", "é", "\0", &"k".repeat(129)] {
        assert_eq!(with(kid), Some(KeyFault::Kid), "{kid:?}");
        assert_eq!(fault(VerifyingKey::from_pem(Algorithm::EdDSA, ED_PUBLIC, Some(kid))), Some(KeyFault::Kid));
        assert_eq!(fault(SigningKey::generate_ed25519(Some(kid))), Some(KeyFault::Kid));
    }
}

#[test]
fn a_generated_key_can_be_kept() {
    let (key, kept) = SigningKey::generate_ed25519(Some("new")).expect("randomness");
    let again = SigningKey::ed25519_from_pkcs8(kept.expose(), Some("new")).expect("the bytes just made");
    let (other, _) = SigningKey::generate_ed25519(Some("new")).expect("randomness");
    let mint = |key: &SigningKey| mint_with(key.clone());
    assert_eq!(mint(&key).expose(), mint(&again).expose(), "Ed25519 is deterministic");
    assert_ne!(mint(&key).expose(), mint(&other).expose());
    assert_eq!((key.kid(), key.algorithm()), (Some("new"), Algorithm::EdDSA));
    assert_eq!((key.verifying_key().kid(), key.verifying_key().algorithm()), (Some("new"), Algorithm::EdDSA));

    let bytes = kept.expose();
    for damaged in [&bytes[..0], &bytes[..bytes.len() - 1], &bytes[1..], &[bytes, &[0]].concat()] {
        assert_eq!(fault(SigningKey::ed25519_from_pkcs8(damaged, None)), Some(KeyFault::Unreadable));
    }
    // The public half is another key's.
    let mut mismatched = bytes.to_vec();
    *mismatched.last_mut().expect("not empty") ^= 1;
    assert_eq!(fault(SigningKey::ed25519_from_pkcs8(&mismatched, None)), Some(KeyFault::Unreadable));
}

fn mint_with(key: SigningKey) -> lychgate_token::Token {
    let kind = lychgate_token::ProfileKind::Own;
    let minter = lychgate_token::Minter::new(key, ISSUER.into(), AUDIENCE.into(), kind).expect("an own minter");
    minter.mint(&lychgate_token::NewClaims::session("alice", "s", "t"), NOW).expect("mintable claims")
}
