//! Tokens from the command line: minted with the configured key, read without any.

use std::collections::BTreeMap;

use lychgate_token::{Algorithm, IssuerProfile, Token, Verifier, VerifyingKey};
use serde_json::Value;

use crate::support::{Place, Ran, SECRET};

const HS256: &str = "[tokens]\nsigning = \"hs256\"\nsecret_env = \"MINE\"\nissuer = \"https://gate.example\"\naudience = \"app\"\nlifetime = \"7m\"\n";
const EDDSA: &str = "[database]\nurl = \"sqlite:keys.db\"\n";

fn minted(ran: Ran) -> String {
    let token = ran.expect(0).out.trim().to_owned();
    assert_eq!(token.split('.').count(), 3, "{token}");
    token
}

fn inspected(place: &Place, token: &str) -> Value {
    serde_json::from_str(&place.feed(token, &["token", "inspect", "--json"]).expect(0).out).unwrap()
}

#[test]
fn a_token_is_signed_with_the_configured_secret() {
    let place = Place::with(&[("lychgate.toml", HS256)]);
    let environment = BTreeMap::from([("MINE", SECRET)]);
    let token = minted(place.run_in(&environment, &["token", "mint", "--sub", "alice"]));

    let verifier = |secret: &str| {
        let key = VerifyingKey::hmac(Algorithm::Hs256, secret.as_bytes(), None).unwrap();
        Verifier::new(vec![IssuerProfile::own("own", "https://gate.example", "app", vec![key])]).unwrap()
    };
    let issued = inspected(&place, &token)["claims"]["iat"].as_u64().unwrap();
    let token = Token::from(token);
    let claims = verifier(SECRET).verify(&token, issued).unwrap();
    assert_eq!((claims.sub.as_str(), claims.exp), ("alice", Some(issued + 7 * 60)));
    assert!(verifier("another secret, and just as long as it").verify(&token, issued).is_err());

    let refused = place.run(&["token", "mint", "--sub", "alice"]).expect(2);
    assert!(refused.err.contains("the variable MINE is not set"), "{}", refused.err);
}

#[test]
fn a_token_is_signed_with_the_key_in_the_database() {
    let place = Place::with(&[("lychgate.toml", EDDSA)]);
    let mint = |arguments: &[&str]| {
        inspected(&place, &minted(place.run(&[&["token", "mint", "--sub", "bob"], arguments].concat())))
    };
    let (first, second) = (mint(&[]), mint(&["--lifetime", "90s"]));
    assert_eq!(first["header"]["alg"], "EdDSA");
    assert_eq!(first["header"]["kid"], second["header"]["kid"], "the key is made once and kept");
    assert_ne!(first["claims"]["jti"], second["claims"]["jti"]);
    let lifetime = |token: &Value| token["claims"]["exp"].as_u64().unwrap() - token["claims"]["iat"].as_u64().unwrap();
    assert_eq!([lifetime(&first), lifetime(&second)], [1800, 90]);
    assert!(place.path.join("keys.db").exists());

    for wrong in ["0s", "30", "soon"] {
        place.run(&["token", "mint", "--sub", "bob", "--lifetime", wrong]).expect(2);
    }
    place.run(&["token", "mint"]).expect(2);
}

#[test]
fn a_token_is_read_without_a_key_and_without_a_verdict() {
    let place = Place::new();
    // {"alg":"HS256","typ":"JWT"} . {"sub":"user","exp":1000000000} . nonsense
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIiwiZXhwIjoxMDAwMDAwMDAwfQ.bm9uc2Vuc2U";
    let ran = place.feed(&format!("Bearer {token}\n"), &["token", "inspect"]).expect(0);
    assert!(ran.out.contains("\"alg\": \"HS256\"") && ran.out.contains("\"sub\": \"user\""), "{}", ran.out);
    assert!(ran.out.contains("expired    2001-09-09T01:46:40Z  ") && ran.out.contains(" ago"), "{}", ran.out);
    assert!(ran.err.starts_with("Nothing is verified here"), "{}", ran.err);
    assert_eq!(place.run(&["token", "inspect", token]).expect(0).out, ran.out);
    assert_eq!(place.feed(token, &["token", "inspect", "-"]).expect(0).out, ran.out);
    assert_eq!(inspected(&place, token)["verified"], false);

    for wrong in ["", "abc", "a.b.c", &"x".repeat(100_000)] {
        let ran = place.feed(wrong, &["token", "inspect"]).expect(1);
        assert!(ran.err.contains("cannot be read as a token"), "{}", ran.err);
    }
}
