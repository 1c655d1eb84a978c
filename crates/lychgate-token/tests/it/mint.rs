//! Minting: what goes out comes back in.

use crate::support::*;
use lychgate_token::{
    Algorithm, IssuerProfile, MintFault, Minter, NewClaims, ProfileKind, SigningKey, Token, Verifier, inspect,
};
use serde_json::json;

fn signing_keys() -> Vec<SigningKey> {
    let hmac = |algorithm, secret: &str| SigningKey::hmac(algorithm, secret.as_bytes(), Some("k")).expect("strong");
    let pem = |algorithm, pem| SigningKey::from_pem(algorithm, pem, Some("k")).expect("a private test key");
    vec![
        hmac(Algorithm::Hs256, HS_SECRET),
        hmac(Algorithm::Hs384, HS384_SECRET),
        hmac(Algorithm::Hs512, HS512_SECRET),
        pem(Algorithm::Rs256, RS_PRIVATE),
        pem(Algorithm::Rs256, key_file!("test-only-rs256.pkcs1.private")),
        pem(Algorithm::Es256, ES_PRIVATE),
        pem(Algorithm::EdDSA, ED_PRIVATE),
        SigningKey::generate_ed25519(Some("k")).expect("randomness").0,
    ]
}

fn own_minter() -> Minter {
    let key = SigningKey::hmac(Algorithm::Hs256, HS_SECRET.as_bytes(), Some("hs-1")).expect("strong");
    Minter::new(key, ISSUER.into(), AUDIENCE.into(), ProfileKind::Own).expect("an own minter")
}

fn legacy_minter() -> Minter {
    let key = SigningKey::hmac(Algorithm::Hs256, LEGACY_SECRET.as_bytes(), None).expect("strong");
    Minter::new(key, String::new(), String::new(), ProfileKind::Legacy).expect("a legacy minter")
}

fn alice() -> NewClaims {
    NewClaims { lifetime_s: Some(1800), ..NewClaims::session("alice", "session-1", "token-1") }
}

#[test]
fn every_kind_of_key_mints_what_its_public_half_verifies() {
    for key in signing_keys() {
        let algorithm = key.algorithm();
        let verifier = verifier(vec![IssuerProfile::own("own", ISSUER, AUDIENCE, vec![key.verifying_key()])]);
        let minter = Minter::new(key, ISSUER.into(), AUDIENCE.into(), ProfileKind::Own).expect("an own minter");
        let mut claims = alice();
        claims.extra.insert("roles".into(), json!(["a", {"b": 1.5}]));
        let token = minter.mint(&claims, NOW).expect("mintable claims");
        let read = verifier.verify(&token, NOW).expect("our own token");
        assert_eq!((read.sub.as_str(), read.exp, read.iat), ("alice", Some(NOW + 1800), Some(NOW)), "{algorithm}");
        assert_eq!((read.jti.as_deref(), read.sid.as_deref()), (Some("token-1"), Some("session-1")));
        assert_eq!((read.iss.as_deref(), read.aud.as_slice()), (Some(ISSUER), &[AUDIENCE.to_owned()][..]));
        assert_eq!(read.extra, claims.extra);
    }
}

#[test]
fn the_pem_and_the_signing_key_are_one_key() {
    let kinds = [
        (Algorithm::Rs256, RS_PRIVATE, "rs-1"),
        (Algorithm::Es256, ES_PRIVATE, "es-1"),
        (Algorithm::EdDSA, ED_PRIVATE, "ed-1"),
    ];
    for (algorithm, pem, kid) in kinds {
        let key = SigningKey::from_pem(algorithm, pem, Some(kid)).expect("a private test key");
        let minter = Minter::new(key, ISSUER.into(), AUDIENCE.into(), ProfileKind::Own).expect("an own minter");
        // `own_profile` reads the public halves from their own files.
        assert_eq!(code(both().verify(&minter.mint(&alice(), NOW).expect("mintable"), NOW)), "accepted", "{algorithm}");
    }
}

#[test]
fn the_wire_form_is_fixed() {
    let token = own_minter().mint(&alice(), NOW).expect("mintable claims");
    let seen = inspect(token.expose()).expect("well formed");
    assert_eq!(json!(seen.header), json!({"alg": "HS256", "typ": "at+jwt", "kid": "hs-1"}));
    let parts: Vec<&str> = token.expose().split('.').collect();
    assert_eq!(parts[0], b64(br#"{"alg":"HS256","typ":"at+jwt","kid":"hs-1"}"#));
    let expected = concat!(
        r#"{"iss":"https://gate.test","sub":"alice","aud":"lychgate-test","exp":1800001800,"iat":1800000000,"#,
        r#""jti":"token-1","sid":"session-1"}"#
    );
    assert_eq!(parts[1], b64(expected.as_bytes()));

    let bob = NewClaims { sub: "bob".into(), lifetime_s: Some(60), ..NewClaims::default() };
    let token = legacy_minter().mint(&bob, NOW).expect("mintable claims");
    let seen = inspect(token.expose()).expect("well formed");
    assert_eq!(json!(seen.header), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(json!(seen.claims), json!({"sub": "bob", "exp": NOW + 60, "iat": NOW}));
    assert_eq!(code(both().verify(&token, NOW)), "accepted");
}

#[test]
fn what_could_not_be_verified_is_not_minted() {
    let extra = |name: &str, value: serde_json::Value| {
        let mut claims = alice();
        claims.extra.insert(name.into(), value);
        claims
    };
    let mut deep = json!(1);
    for _ in 0..16 {
        deep = json!([deep]);
    }
    let mut many = alice();
    many.extra.extend((0..58).map(|index| (format!("c{index}"), json!(1))));
    let cases = [
        (NewClaims { sub: String::new(), ..alice() }, MintFault::Claim("sub")),
        (NewClaims { sub: "a\nb".into(), ..alice() }, MintFault::Claim("sub")),
        (NewClaims { sub: "s".repeat(256), ..alice() }, MintFault::Claim("sub")),
        (NewClaims { sid: None, ..alice() }, MintFault::Claim("sid")),
        (NewClaims { sid: Some("\0".into()), ..alice() }, MintFault::Claim("sid")),
        (NewClaims { jti: None, ..alice() }, MintFault::Claim("jti")),
        (NewClaims { lifetime_s: Some(0), ..alice() }, MintFault::Lifetime),
        (NewClaims { lifetime_s: Some(u64::MAX), ..alice() }, MintFault::Lifetime),
        (NewClaims { lifetime_s: Some(1 << 53), ..alice() }, MintFault::Lifetime),
        (extra("fill", json!("x".repeat(6_200))), MintFault::TooLarge),
        (extra("deep", deep), MintFault::TooLarge),
        (many, MintFault::TooLarge),
    ];
    for (claims, expected) in cases {
        assert_eq!(own_minter().mint(&claims, NOW).err(), Some(expected), "{claims:?}");
    }
    for name in ["sub", "exp", "iat", "nbf", "iss", "aud", "jti", "sid"] {
        assert_eq!(own_minter().mint(&extra(name, json!("x")), NOW).err(), Some(MintFault::Reserved), "{name}");
    }
    assert_eq!(
        code(both().verify(&own_minter().mint(&extra("fill", json!("x".repeat(5_000))), NOW).expect("fits"), NOW)),
        "accepted"
    );
}

#[test]
fn own_minters_have_an_issuer_and_an_audience() {
    for (issuer, audience) in [("", AUDIENCE), (ISSUER, ""), (" ", AUDIENCE)] {
        let key = SigningKey::hmac(Algorithm::Hs256, HS_SECRET.as_bytes(), None).expect("strong");
        let minter = Minter::new(key, issuer.into(), audience.into(), ProfileKind::Own);
        assert_eq!(minter.err(), Some(MintFault::Incomplete));
    }
}

/// The life of the test token of a development server.
#[test]
fn a_token_without_expiry_is_for_one_id() {
    let claims = NewClaims { sub: "user".into(), jti: Some("dev-test".into()), ..NewClaims::default() };
    let token = legacy_minter().mint(&claims, NOW).expect("mintable claims");
    let years_later = NOW + 10 * 365 * 86_400;
    assert_eq!(code(both().verify(&token, years_later)), "payload_claim_missing");
    let exempting = verifier(vec![IssuerProfile { exempt_jti: Some("dev-test".into()), ..legacy_profile() }]);
    assert_eq!(code(exempting.verify(&token, years_later)), "accepted");
}

/// The next key is published before it is used, and the old one is kept while its tokens live.
#[test]
fn keys_rotate_without_a_gap() {
    let [old, new, lost] =
        ["old", "new", "lost"].map(|kid| SigningKey::generate_ed25519(Some(kid)).expect("randomness").0);
    let accepts = |keys: Vec<&SigningKey>| -> Verifier {
        let keys = keys.into_iter().map(SigningKey::verifying_key).collect();
        verifier(vec![IssuerProfile::own("own", ISSUER, AUDIENCE, keys)])
    };
    let mint = |key: &SigningKey| -> Token {
        let minter = Minter::new(key.clone(), ISSUER.into(), AUDIENCE.into(), ProfileKind::Own).expect("a minter");
        minter.mint(&alice(), NOW).expect("mintable claims")
    };
    let during = accepts(vec![&old, &new]);
    assert_eq!(code(during.verify(&mint(&old), NOW)), "accepted");
    assert_eq!(code(during.verify(&mint(&new), NOW)), "accepted");
    let after = accepts(vec![&new]);
    assert_eq!(code(after.verify(&mint(&old), NOW)), "unknown_key");
    assert_eq!(code(after.verify(&mint(&new), NOW)), "accepted");
    assert_eq!(code(during.verify(&mint(&lost), NOW)), "unknown_key");
}

#[test]
fn inspection_verifies_nothing_and_says_so_by_its_type() {
    let token = forge(Signer::Nobody, r#"{"alg":"none","crit":["x"]}"#, r#"{"sub":7}"#);
    let seen = inspect(token.expose()).expect("well formed");
    assert_eq!(json!(seen.header), json!({"alg": "none", "crit": ["x"]}));
    assert_eq!(json!(seen.claims), json!({"sub": 7}));
    assert_eq!(inspect("").expect_err("nothing").code(), "missing");
    for text in ["a.b", "a.b.c", &"a".repeat(9_000), &format!("{}.{}.", b64(b"[]"), b64(b"{}"))] {
        assert_eq!(inspect(text).expect_err("no token").code(), "malformed");
    }
}
