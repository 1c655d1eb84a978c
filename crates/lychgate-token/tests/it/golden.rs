//! The golden tokens in `fixtures/tokens`, which other languages read as well.
//!
//! `LYCHGATE_BLESS=1 cargo test -p lychgate-token golden` writes the file anew from [`golden_cases`](crate::golden_cases).
//! The result is the same each time: an ECDSA signature, which is drawn at random, is kept from the file for as long as
//! it verifies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::golden_cases::{self, Case, Expected};
use crate::support::*;
use lychgate_token::{Algorithm, IssuerProfile, ProfileKind, Token, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The whole file; `fixtures/tokens/README.md` describes it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    about: String,
    keys: BTreeMap<String, Key>,
    profiles: BTreeMap<String, Profile>,
    cases: Vec<GoldenCase>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    algorithm: String,
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_pem: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    kind: String,
    issuer: Option<String>,
    audience: Option<String>,
    leeway_s: u64,
    lifetime_s_max: Option<u64>,
    exempt_jti: Option<String>,
    keys: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenCase {
    name: String,
    profiles: Vec<String>,
    now: u64,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[test]
fn golden_tokens_are_judged_as_recorded() {
    let golden = read_file();
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for case in &golden.cases {
        let verifier = verifier(&golden, case);
        let result = verifier.verify(&Token::from(case.token.as_str()), case.now);
        match (result, &case.accepted, &case.refused) {
            (Ok(claims), Some(accepted), None) => {
                let read = json!({
                    "profile": &*claims.issuer_profile,
                    "sub": claims.sub, "exp": claims.exp, "iat": claims.iat, "nbf": claims.nbf, "iss": claims.iss,
                    "aud": claims.aud, "jti": claims.jti, "sid": claims.sid, "extra": claims.extra,
                });
                assert_eq!(&read, accepted, "{}", case.name);
                *outcomes.entry("accepted").or_default() += 1;
            }
            (Err(refusal), None, Some(refused)) => {
                assert_eq!(refusal.code(), refused, "{}", case.name);
                *outcomes.entry(refusal.code()).or_default() += 1;
            }
            (result, ..) => panic!("{}: {result:?} was not expected", case.name),
        }
    }
    for code in [
        "accepted",
        "missing",
        "malformed",
        "unknown_key",
        "wrong_algorithm",
        "bad_signature",
        "expired",
        "not_yet_valid",
        "wrong_issuer",
        "wrong_audience",
        "payload_token_type",
        "payload_claim_missing",
        "payload_claim_shape",
        "payload_lifetime",
    ] {
        assert!(outcomes.contains_key(code), "no golden token is {code}");
    }
}

#[test]
fn the_golden_file_is_what_its_generator_makes() {
    let path = path();
    let recorded = std::fs::read_to_string(&path).ok();
    let mut text = serde_json::to_string_pretty(&generate(recorded.as_deref())).expect("JSON");
    text.push('\n');
    if std::env::var_os("LYCHGATE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the fixture can be written");
        return;
    }
    assert!(recorded.as_deref() == Some(text.as_str()), "{} is stale; run with LYCHGATE_BLESS=1", path.display());
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tokens/golden.json")
}

fn read_file() -> Golden {
    let text = std::fs::read_to_string(path()).expect("the fixture is there");
    serde_json::from_str(&text).expect("the fixture is of its form")
}

fn verifier(golden: &Golden, case: &GoldenCase) -> Verifier {
    let profiles = case.profiles.iter().map(|name| {
        let Profile { kind, issuer, audience, leeway_s, lifetime_s_max, exempt_jti, keys } = &golden.profiles[name];
        let keys = keys.iter().map(|key| verifying_key(&golden.keys[key])).collect();
        IssuerProfile {
            name: name.clone(),
            issuer: issuer.clone(),
            audience: audience.clone(),
            kind: if kind == "own" { ProfileKind::Own } else { ProfileKind::Legacy },
            leeway_s: *leeway_s,
            lifetime_s_max: *lifetime_s_max,
            keys,
            exempt_jti: exempt_jti.clone(),
        }
    });
    crate::support::verifier(profiles.collect())
}

fn verifying_key(key: &Key) -> VerifyingKey {
    let algorithm: Algorithm = key.algorithm.parse().expect("a known algorithm");
    let kid = key.kid.as_deref();
    match (&key.secret, &key.public_pem) {
        (Some(secret), None) => VerifyingKey::hmac(algorithm, secret.as_bytes(), kid).expect("a strong test secret"),
        (None, Some(pem)) => VerifyingKey::from_pem(algorithm, pem.as_bytes(), kid).expect("a public test key"),
        _ => panic!("a key has either a secret or a public half"),
    }
}

fn generate(recorded: Option<&str>) -> Golden {
    let recorded: Option<Golden> = recorded.and_then(|text| serde_json::from_str(text).ok());
    let secret = |algorithm: &str, kid: Option<&str>, secret: &str| Key {
        algorithm: algorithm.into(),
        kid: kid.map(Into::into),
        secret: Some(secret.into()),
        public_pem: None,
    };
    let public = |algorithm: &str, kid: &str, pem: &[u8]| Key {
        algorithm: algorithm.into(),
        kid: Some(kid.into()),
        secret: None,
        public_pem: Some(String::from_utf8_lossy(pem).into_owned()),
    };
    let keys = [
        ("hs-1", secret("HS256", Some("hs-1"), HS_SECRET)),
        ("rs-1", public("RS256", "rs-1", RS_PUBLIC)),
        ("es-1", public("ES256", "es-1", ES_PUBLIC)),
        ("ed-1", public("EdDSA", "ed-1", ED_PUBLIC)),
        ("foreign-ed-1", public("EdDSA", "ed-1", FOREIGN_PUBLIC)),
        ("legacy", secret("HS256", None, LEGACY_SECRET)),
        ("legacy-384", secret("HS384", None, HS384_SECRET)),
        ("legacy-512", secret("HS512", None, HS512_SECRET)),
    ];
    let legacy = |keys: &[&str]| Profile {
        kind: "legacy".into(),
        issuer: None,
        audience: None,
        leeway_s: 5,
        lifetime_s_max: None,
        exempt_jti: None,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    let own = Profile {
        kind: "own".into(),
        issuer: Some(ISSUER.into()),
        audience: Some(AUDIENCE.into()),
        lifetime_s_max: Some(86_400),
        ..legacy(&["hs-1", "rs-1", "es-1", "ed-1"])
    };
    let foreign = Profile {
        issuer: Some("https://foreign.test".into()),
        audience: Some(AUDIENCE.into()),
        leeway_s: 30,
        ..legacy(&["foreign-ed-1"])
    };
    let development = Profile { exempt_jti: Some("dev-test-token".into()), ..legacy(&["legacy"]) };
    let profiles = [
        ("own", own),
        ("foreign", foreign),
        ("legacy", legacy(&["legacy", "legacy-384", "legacy-512"])),
        ("development", development),
    ];
    Golden {
        about: "TEST KEYS ONLY: the private halves are public. Written by crates/lychgate-token/tests/it/golden.rs."
            .into(),
        keys: keys.map(|(name, key)| (name.to_owned(), key)).into(),
        profiles: profiles.map(|(name, profile)| (name.to_owned(), profile)).into(),
        cases: golden_cases::all().into_iter().map(|case| golden_case(case, recorded.as_ref())).collect(),
    }
}

fn golden_case(case: Case, recorded: Option<&Golden>) -> GoldenCase {
    let mut token = case.token(sign);
    if matches!(case.signer, Signer::Es)
        && let Some(earlier) = recorded.and_then(|golden| golden.cases.iter().find(|other| other.name == case.name))
        && let (Some((old_input, _)), Some((input, _))) = (earlier.token.rsplit_once('.'), token.rsplit_once('.'))
        && old_input == input
        && code(both().verify(&Token::from(earlier.token.as_str()), NOW)) == "accepted"
    {
        token.clone_from(&earlier.token);
    }
    let (accepted, refused) = match case.expected {
        Expected::Accepted(profile) => (Some(expected_claims(profile, &case.claims)), None),
        Expected::Refused(code) => (None, Some(code.to_owned())),
    };
    let profiles = case.profiles.iter().map(|profile| (*profile).to_owned()).collect();
    GoldenCase { name: case.name.to_owned(), profiles, now: case.now, token, accepted, refused }
}

/// Reads the claims as the simplest reader would, for comparison with the crate's own reading.
fn expected_claims(profile: &str, json: &str) -> Value {
    let mut extra: Map<String, Value> = serde_json::from_str(json).expect("accepted claims are JSON");
    let mut claims = json!({ "profile": profile });
    for name in ["sub", "iss", "jti", "sid"] {
        claims[name] = extra.remove(name).unwrap_or_default();
    }
    for name in ["exp", "iat", "nbf"] {
        let seconds = extra.remove(name).and_then(|value| value.as_f64()).map(|value| value.floor() as u64);
        claims[name] = json!(seconds);
    }
    claims["aud"] = match extra.remove("aud") {
        None => json!([]),
        Some(Value::String(one)) => json!([one]),
        Some(list) => list,
    };
    claims["extra"] = Value::Object(extra);
    claims
}
