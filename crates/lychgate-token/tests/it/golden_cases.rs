//! The table from which the golden tokens are made.
//!
//! It holds one token or more for each answer that a verifier can give; the wide catalogue of hostile tokens is in the
//! other tests, where tokens are too large or too many for a file.

use crate::support::*;
use lychgate_token::Algorithm;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) profiles: &'static [&'static str],
    pub(crate) now: u64,
    pub(crate) signer: Signer<'static>,
    pub(crate) header: String,
    pub(crate) claims: String,
    /// Changes the finished text.
    spoil: fn(String) -> String,
    pub(crate) expected: Expected,
}

pub(crate) enum Expected {
    /// By this profile.
    Accepted(&'static str),
    /// With this code.
    Refused(&'static str),
}
use Expected::{Accepted, Refused};

impl Case {
    pub(crate) fn token(&self, sign: fn(Signer<'_>, &str) -> String) -> String {
        let input = format!("{}.{}", b64(self.header.as_bytes()), b64(self.claims.as_bytes()));
        (self.spoil)(format!("{input}.{}", sign(self.signer, &input)))
    }

    fn at(self, now: u64) -> Self {
        Self { now, ..self }
    }

    fn spoilt(self, spoil: fn(String) -> String) -> Self {
        Self { spoil, ..self }
    }

    fn by(self, signer: Signer<'static>) -> Self {
        Self { signer, ..self }
    }

    fn among(self, profiles: &'static [&'static str]) -> Self {
        Self { profiles, ..self }
    }
}

type Changes<'a> = &'a [(&'a str, &'a str)];

fn own(name: &'static str, header_changes: Changes<'_>, claims_changes: Changes<'_>, expected: Expected) -> Case {
    let (header, claims) = (header(header_changes), claims(claims_changes));
    Case { name, profiles: &["own"], now: NOW, signer: HS, header, claims, spoil: |text| text, expected }
}

fn legacy(name: &'static str, header_changes: Changes<'_>, claims_changes: Changes<'_>, expected: Expected) -> Case {
    let (header, claims) = (legacy_header(header_changes), legacy_claims(claims_changes));
    Case { name, profiles: &["legacy"], signer: LEGACY, header, claims, ..own(name, &[], &[], expected) }
}

pub(crate) fn all() -> Vec<Case> {
    [accepted(), forms(), headers(), signatures(), times(), parties(), payloads()].into_iter().flatten().collect()
}

fn accepted() -> Vec<Case> {
    const RS: Changes<'_> = &[("alg", r#""RS256""#), ("kid", r#""rs-1""#)];
    const ES: Changes<'_> = &[("alg", r#""ES256""#), ("kid", r#""es-1""#)];
    const ED: Changes<'_> = &[("alg", r#""EdDSA""#), ("kid", r#""ed-1""#)];
    const HS384: Signer<'_> = Signer::Hmac(Algorithm::Hs384, HS384_SECRET.as_bytes());
    const HS512: Signer<'_> = Signer::Hmac(Algorithm::Hs512, HS512_SECRET.as_bytes());
    let foreign_header = [("alg", r#""EdDSA""#), ("kid", r#""ed-1""#), ("typ", r#""JWT""#)];
    vec![
        own("own HS256", &[], &[], Accepted("own")),
        own("own RS256", RS, &[], Accepted("own")).by(Signer::Rs),
        own("own ES256", ES, &[], Accepted("own")).by(Signer::Es),
        own("own EdDSA", ED, &[], Accepted("own")).by(Signer::Ed),
        own("own, typ in full and in capitals", &[("typ", r#""Application/AT+JWT""#)], &[], Accepted("own")),
        own("own, several audiences", &[], &[("aud", r#"["other","lychgate-test"]"#)], Accepted("own")),
        own("own, fractions of a second", &[], &[("exp", "1800000600.9"), ("nbf", "1799999999.1")], Accepted("own")),
        own("own, application claims", &[], &[("roles", r#"["admin"]"#), ("plan", r#"{"seats":3}"#)], Accepted("own")),
        own("own, subject beyond ASCII", &[], &[("sub", r#""Zo\u00eb 🙂""#)], Accepted("own")),
        legacy("legacy HS256", &[], &[], Accepted("legacy")),
        legacy("legacy HS384", &[("alg", r#""HS384""#)], &[], Accepted("legacy")).by(HS384),
        legacy("legacy HS512", &[("alg", r#""HS512""#)], &[], Accepted("legacy")).by(HS512),
        legacy("legacy without typ", &[("typ", "")], &[("username", r#""Bob""#)], Accepted("legacy")),
        legacy("legacy beside own", &[], &[], Accepted("legacy")).among(&["own", "legacy"]),
        legacy(
            "development token without exp",
            &[],
            &[("exp", ""), ("jti", r#""dev-test-token""#)],
            Accepted("development"),
        )
        .among(&["development"]),
        own(
            "foreign issuer, kid as one of ours",
            &foreign_header,
            &[("iss", r#""https://foreign.test""#)],
            Accepted("foreign"),
        )
        .by(Signer::Foreign)
        .among(&["own", "foreign"]),
    ]
}

fn forms() -> Vec<Case> {
    let refused = |name, spoil| own(name, &[], &[], Refused("malformed")).spoilt(spoil);
    vec![
        own("empty text", &[], &[], Refused("missing")).spoilt(|_| String::new()),
        refused("two parts", |text| text.rsplit_once('.').map(|(input, _)| input.to_owned()).unwrap_or_default()),
        refused("four parts", |text| text + "."),
        refused("five parts", |text| text + ".AA.AA"),
        refused("padded base64", |text| text + "="),
        refused("trailing line feed", |text| text + "\n"),
        refused("longer than 8 KiB", |text| text + &"A".repeat(8_192)),
        own("claim twice", &[], &[("x", r#"1,"sub":"mallory""#)], Refused("malformed")),
        own("claim twice, once in escapes", &[], &[("x", r#"1,"s\u0075b":"mallory""#)], Refused("malformed")),
        own("header member twice", &[("x", r#"1,"alg":"none""#)], &[], Refused("malformed")),
        own("lone surrogate", &[], &[("sub", r#""\ud800""#)], Refused("malformed")),
        own("number beyond a double", &[], &[("exp", "1e400")], Refused("malformed")),
        own("nested 17 deep", &[], &[("x", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]")], Refused("malformed")),
        own("nested 16 deep", &[], &[("x", "[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]")], Accepted("own")),
    ]
}

fn headers() -> Vec<Case> {
    let refused = |name, changes: Changes<'_>, code| own(name, changes, &[], Refused(code));
    vec![
        refused("alg none, unsigned", &[("alg", r#""none""#)], "wrong_algorithm").by(Signer::Nobody),
        refused("alg none, signed", &[("alg", r#""none""#)], "wrong_algorithm"),
        refused("alg in small letters", &[("alg", r#""hs256""#)], "wrong_algorithm"),
        refused("alg missing", &[("alg", "")], "malformed"),
        refused("kid unknown", &[("kid", r#""../../dev/null""#)], "unknown_key"),
        refused("kid missing", &[("kid", "")], "unknown_key"),
        refused("kid a number", &[("kid", "1")], "malformed"),
        refused("crit", &[("crit", r#"["exp"]"#)], "malformed"),
        refused("b64", &[("b64", "false")], "malformed"),
        refused("jku", &[("jku", r#""https://evil.test/keys""#)], "malformed"),
        refused("jwk", &[("jwk", r#"{"kty":"oct","k":"AAAA"}"#)], "malformed"),
        refused("x5c", &[("x5c", r#"["MIIB"]"#)], "malformed"),
        refused("zip", &[("zip", r#""DEF""#)], "malformed"),
        refused("refresh token", &[("typ", r#""rt+jwt""#)], "payload_token_type"),
        refused("own without typ", &[("typ", "")], "payload_token_type"),
        legacy("access token at a legacy issuer", &[("typ", r#""at+jwt""#)], &[], Refused("payload_token_type")),
    ]
}

fn signatures() -> Vec<Case> {
    const RS_PEM_AS_SECRET: Signer<'_> = Signer::Hmac(Algorithm::Hs256, RS_PUBLIC);
    const ES: Changes<'_> = &[("alg", r#""ES256""#), ("kid", r#""es-1""#)];
    // The literal token of a manual, signed with a key that nobody has.
    let printed = |_| {
        let claims = "eyJzdWIiOiJ1c2VyIn0";
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.dNsYhOKsYlKZzUmOJl8Zpf9SbJ4DJxhd3AU6pO-PWko")
    };
    let zeros = |text: String| {
        let input = text.rsplit_once('.').map(|(input, _)| input.to_owned()).unwrap_or_default();
        format!("{input}.{}", b64(&[0; 64]))
    };
    vec![
        own("another secret", &[], &[], Refused("bad_signature")).by(STRANGER),
        own("another secret, expired", &[], &[("exp", "1")], Refused("bad_signature")).by(STRANGER),
        own("no signature", &[], &[], Refused("bad_signature")).by(Signer::Nobody),
        own("signature of zeros", ES, &[], Refused("bad_signature")).spoilt(zeros),
        own("public key as secret", &[("kid", r#""rs-1""#)], &[], Refused("wrong_algorithm")).by(RS_PEM_AS_SECRET),
        own("public key as the secret", &[], &[], Refused("bad_signature")).by(RS_PEM_AS_SECRET),
        own("foreign key in our name", &[("alg", r#""EdDSA""#), ("kid", r#""ed-1""#)], &[], Refused("bad_signature"))
            .by(Signer::Foreign)
            .among(&["own", "foreign"]),
        legacy("token printed in a manual", &[], &[], Refused("bad_signature")).spoilt(printed).among(&[
            "own",
            "legacy",
            "development",
        ]),
    ]
}

fn times() -> Vec<Case> {
    vec![
        legacy("last second of the leeway", &[], &[], Accepted("legacy")).at(1_800_000_604),
        legacy("first second after the leeway", &[], &[], Refused("expired")).at(1_800_000_605),
        own("expired", &[], &[], Refused("expired")).at(1_800_001_000),
        own("not before, within the leeway", &[], &[("nbf", "1800000005")], Accepted("own")),
        own("not before, beyond the leeway", &[], &[("nbf", "1800000006")], Refused("not_yet_valid")),
        own("issued in the future", &[], &[("iat", "1800000006")], Refused("not_yet_valid")),
        own("exp a string", &[], &[("exp", r#""1800000600""#)], Refused("payload_claim_shape")),
        own("exp null", &[], &[("exp", "null")], Refused("payload_claim_shape")),
        own("exp negative", &[], &[("exp", "-1")], Refused("payload_claim_shape")),
        own("exp 2^53", &[], &[("exp", "9007199254740992")], Refused("payload_claim_shape")),
        own("nbf a string", &[], &[("nbf", r#""0""#)], Refused("payload_claim_shape")),
        own("a day", &[], &[("iat", "1800000000"), ("exp", "1800086400")], Accepted("own")),
        own("more than a day", &[], &[("iat", "1800000000"), ("exp", "1800086401")], Refused("payload_lifetime")),
        legacy("no exp", &[], &[("exp", "")], Refused("payload_claim_missing")),
        legacy("no exp, another jti", &[], &[("exp", ""), ("jti", r#""x""#)], Refused("payload_claim_missing"))
            .among(&["development"]),
    ]
}

fn parties() -> Vec<Case> {
    vec![
        own("iss of another", &[], &[("iss", r#""https://gate.test/""#)], Refused("wrong_issuer")),
        own("iss missing", &[], &[("iss", "")], Refused("wrong_issuer")),
        own("iss a list", &[], &[("iss", r#"["https://gate.test"]"#)], Refused("payload_claim_shape")),
        own("aud of another", &[], &[("aud", r#""other""#)], Refused("wrong_audience")),
        own("aud missing", &[], &[("aud", "")], Refused("wrong_audience")),
        own("aud empty", &[], &[("aud", "[]")], Refused("wrong_audience")),
        own("aud with a number", &[], &[("aud", r#"["lychgate-test",1]"#)], Refused("payload_claim_shape")),
        legacy("legacy with an iss", &[], &[("iss", r#""https://gate.test""#)], Refused("wrong_issuer")),
        legacy("legacy with an aud", &[], &[("aud", r#""lychgate-test""#)], Refused("wrong_audience")),
    ]
}

fn payloads() -> Vec<Case> {
    let shape = |name, json| own(name, &[], &[("sub", json)], Refused("payload_claim_shape"));
    vec![
        shape("sub a number", "42"),
        shape("sub empty", r#""""#),
        shape("sub with NUL", r#""alice\u0000""#),
        shape("sub with a line feed", r#""alice\nbob""#),
        shape("sub with a direction mark", r#""\u202eecila""#),
        own("sub missing", &[], &[("sub", "")], Refused("payload_claim_missing")),
        own("jti missing", &[], &[("jti", "")], Refused("payload_claim_missing")),
        own("sid missing", &[], &[("sid", "")], Refused("payload_claim_missing")),
        own("iat missing", &[], &[("iat", "")], Refused("payload_claim_missing")),
    ]
}
