//! Nothing secret leaves through `Debug`, `Display` or an error.

use std::fmt::Debug;

use crate::support::*;
use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, SigningKey, Token, VerifyingKey};
use serde_json::json;

/// Fails if any run of eight bytes of `secret` shows in `value`'s `Debug` form, plain, as hexadecimal or as a list.
fn assert_hidden(value: &dyn Debug, secret: &[u8]) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        for window in secret.windows(8) {
            let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
            let list: Vec<String> = window.iter().map(u8::to_string).collect();
            for form in [String::from_utf8_lossy(window).into_owned(), hex, list.join(", ")] {
                assert!(!shown.contains(&form), "{shown}");
            }
        }
    }
}

#[test]
fn the_check_itself_can_fail() {
    let leaks = std::panic::catch_unwind(|| assert_hidden(&HS_SECRET, HS_SECRET.as_bytes()));
    let leaks_as_list = std::panic::catch_unwind(|| assert_hidden(&HS_SECRET.as_bytes(), HS_SECRET.as_bytes()));
    assert!(leaks.is_err() && leaks_as_list.is_err());
}

#[test]
fn tokens_are_redacted() {
    let token = forge(HS, &header(&[]), &claims(&[]));
    assert_eq!(format!("{token:?}"), "Token(redacted)");
    assert_hidden(&token, token.expose().as_bytes());
    assert_hidden(&Some(vec![token.clone()]), token.expose().as_bytes());
}

#[test]
fn fingerprints_join_lines_and_tell_nothing() {
    // SHA-256("abc") begins ba7816bf (FIPS 180-2 appendix B.1).
    assert_eq!(Token::from("abc").fingerprint(), "ba7816bf");
    let token = forge(HS, &header(&[]), &claims(&[]));
    assert_eq!(token.fingerprint(), Token::from(token.expose()).fingerprint());
    assert!(!token.expose().contains(&token.fingerprint()));
}

#[test]
fn keys_are_redacted() {
    let secret = HS_SECRET.as_bytes();
    assert_hidden(&VerifyingKey::hmac(Algorithm::Hs256, secret, Some("k")), secret);
    assert_hidden(&IssuerProfile::legacy("legacy", vec![hs_key(None)]), secret);
    assert_hidden(&verifier(vec![IssuerProfile::legacy("legacy", vec![hs_key(None)])]), secret);
    let signing = SigningKey::hmac(Algorithm::Hs256, secret, Some("k")).expect("strong");
    assert_hidden(&signing, secret);
    assert_hidden(&Minter::new(signing, ISSUER.into(), AUDIENCE.into(), ProfileKind::Own), secret);

    let (key, pkcs8) = SigningKey::generate_ed25519(None).expect("randomness");
    assert_hidden(&key, pkcs8.expose());
    assert_hidden(&pkcs8, pkcs8.expose());
    assert_eq!(format!("{pkcs8:?}"), "Pkcs8(redacted)");
    assert_eq!(format!("{key:?}"), "SigningKey { algorithm: EdDSA, kid: None, .. }");
}

#[test]
fn application_claims_are_redacted() {
    let json = claims(&[("mail", r#""alice@private.example""#)]);
    let read = verify_own(&header(&[]), &json).expect("a valid token");
    assert_eq!(read.extra["mail"], "alice@private.example");
    assert_hidden(&read, b"alice@private.example");
    let mut new = NewClaims::session("alice", "s", "t");
    new.extra.insert("mail".into(), json!("alice@private.example"));
    assert_hidden(&new, b"alice@private.example");
}

#[test]
fn refusals_carry_no_text_of_the_token() {
    let mark = "MARKED-TEXT";
    let quoted = format!("\"{mark}\"");
    let tokens = [
        Token::from(mark),
        forge(HS, &header(&[("alg", &quoted)]), &claims(&[])),
        forge(HS, &header(&[("kid", &quoted)]), &claims(&[])),
        forge(HS, &header(&[("typ", &quoted)]), &claims(&[])),
        forge(HS, &header(&[(mark, "1"), ("crit", "[]")]), &claims(&[])),
        forge(HS, &header(&[]), &claims(&[("iss", &quoted)])),
        forge(HS, &header(&[]), &claims(&[("aud", &quoted)])),
        forge(HS, &header(&[]), &claims(&[("exp", &quoted)])),
        forge(HS, &header(&[]), &claims(&[("sub", "\"MARKED-TEXT\\n\"")])),
        forge(STRANGER, &header(&[]), &claims(&[("sub", &quoted)])),
    ];
    for token in tokens {
        let refusal = both().verify(&token, NOW).expect_err("each is refused");
        let shown = format!("{refusal} {refusal:?} {}", refusal.code());
        assert!(!shown.contains(mark), "{shown}");
        let label = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(refusal.code().chars().all(label), "{}", refusal.code());
    }
}
