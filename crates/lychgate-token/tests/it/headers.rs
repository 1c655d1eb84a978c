//! Hostile headers: algorithms, key ids, keys that come with the token, extensions, types.

use crate::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lychgate_token::{Algorithm, IssuerProfile, Token, VerifyingKey};

fn own(changes: &[(&str, &str)]) -> &'static str {
    code(verify_own(&header(changes), &claims(&[])))
}

#[test]
fn each_algorithm_is_accepted_from_its_own_key() {
    assert_eq!(own(&[]), "accepted");
    for (signer, alg, kid) in
        [(Signer::Rs, "RS256", "rs-1"), (Signer::Es, "ES256", "es-1"), (Signer::Ed, "EdDSA", "ed-1")]
    {
        let header = header(&[("alg", &format!("{alg:?}")), ("kid", &format!("{kid:?}"))]);
        assert_eq!(code(both().verify(&forge(signer, &header, &claims(&[])), NOW)), "accepted", "{alg}");
    }
    for (algorithm, secret) in [(Algorithm::Hs384, HS384_SECRET), (Algorithm::Hs512, HS512_SECRET)] {
        let key = VerifyingKey::hmac(algorithm, secret.as_bytes(), None).expect("a strong secret");
        let verifier = verifier(vec![IssuerProfile::legacy("legacy", vec![key])]);
        let header = legacy_header(&[("alg", &format!("\"{algorithm}\""))]);
        let token = forge(Signer::Hmac(algorithm, secret.as_bytes()), &header, &legacy_claims(&[]));
        assert_eq!(code(verifier.verify(&token, NOW)), "accepted", "{algorithm}");
    }
}

#[test]
fn no_algorithm_is_no_signature() {
    for spelling in ["none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000", "", "null"] {
        for kid in ["", r#""hs-1""#, r#""unknown""#] {
            let header = header(&[("alg", &format!("\"{spelling}\"")), ("kid", kid)]);
            for signer in [Signer::Nobody, HS] {
                let token = forge(signer, &header, &claims(&[]));
                assert_eq!(code(both().verify(&token, NOW)), "wrong_algorithm", "{header}");
            }
        }
    }
    for json in ["", "null", "1", "[\"HS256\"]", "{}", "true"] {
        assert_eq!(own(&[("alg", json)]), "malformed", "{json}");
    }
}

#[test]
fn the_algorithm_is_compared_exactly() {
    for spelling in
        ["hs256", "Hs256", "HS256 ", "HS2560", "HS384", "HS512", "RS256", "EdDSA", "ES256", "PS256", "ES256K"]
    {
        assert_eq!(own(&[("alg", &format!("\"{spelling}\""))]), "wrong_algorithm", "{spelling}");
    }
}

/// The key of one kind, used as the other: RFC 8725 section 2.1.
#[test]
fn a_public_key_is_no_shared_secret() {
    let der = |pem: &[u8]| {
        let text = std::str::from_utf8(pem).expect("PEM is text");
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(body).expect("PEM is base64")
    };
    for (pem, kid) in [(RS_PUBLIC, "rs-1"), (ES_PUBLIC, "es-1"), (ED_PUBLIC, "ed-1")] {
        let text = std::str::from_utf8(pem).expect("PEM is text");
        let der = der(pem);
        let raw = der[der.len() - 32..].to_vec();
        let forms = [
            pem.to_vec(),
            text.trim().as_bytes().to_vec(),
            format!(" {text}").into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            STANDARD.encode(&der).into_bytes(),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64(&raw)).into_bytes(),
            raw,
            der,
        ];
        for secret in forms {
            for (algorithm, signer) in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]
                .map(|algorithm| (algorithm, Signer::Hmac(algorithm, &secret)))
            {
                let alg = format!("\"{algorithm}\"");
                let with_kid = header(&[("alg", &alg), ("kid", &format!("{kid:?}"))]);
                assert_eq!(
                    code(both().verify(&forge(signer, &with_kid, &claims(&[])), NOW)),
                    "wrong_algorithm",
                    "{kid} as {algorithm}"
                );
                // Claiming the secret's id reaches the secret, and the secret is another.
                let with_secrets_kid = header(&[("alg", &alg)]);
                let code = code(both().verify(&forge(signer, &with_secrets_kid, &claims(&[])), NOW));
                assert!(matches!(code, "wrong_algorithm" | "bad_signature"), "{code}");
            }
        }
    }
}

#[test]
fn keys_and_addresses_in_a_header_are_refused() {
    let jwk = format!(r#"{{"kty":"oct","k":"{}"}}"#, b64(STRANGER_SECRET.as_bytes()));
    let url = r#""https://evil.test/keys""#;
    let certificates = r#"["MIIB"]"#;
    let refused = [
        ("jwk", jwk.as_str()),
        ("jku", url),
        ("x5u", url),
        ("x5c", certificates),
        ("x5t", r#""AAAA""#),
        ("x5t#S256", r#""AAAA""#),
        ("x5t#S512", r#""AAAA""#),
        ("jku", "null"),
        ("crit", r#"["exp"]"#),
        ("crit", r#"["b64"]"#),
        ("crit", "[]"),
        ("crit", "null"),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", r#""DEF""#),
        ("enc", r#""A256GCM""#),
    ];
    for change in refused {
        // Even a token that our own key signed: its issuer wants something that is not done here.
        assert_eq!(own(&[change]), "malformed", "{change:?}");
        let token = forge(STRANGER, &header(&[change]), &claims(&[]));
        assert_eq!(code(both().verify(&token, NOW)), "malformed", "{change:?}");
    }
    for taken in [("cty", r#""x""#), ("x5", "1"), ("application", r#"{"a":1}"#)] {
        assert_eq!(own(&[taken]), "accepted", "{taken:?}");
    }
}

#[test]
fn an_unencoded_payload_is_not_taken() {
    // RFC 7797: the claims are not base64url, and the signature covers them raw.
    let input = format!("{}.{}", b64(header(&[("b64", "false"), ("crit", r#"["b64"]"#)]).as_bytes()), claims(&[]));
    let token = Token::from(format!("{input}.{}", sign(HS, &input)));
    assert_eq!(code(both().verify(&token, NOW)), "malformed");
}

#[test]
fn a_key_id_is_only_looked_up() {
    assert_eq!(own(&[]), "accepted");
    let long = format!("\"{}\"", "k".repeat(128));
    for kid in [
        r#""HS-1""#,
        r#""hs-1 ""#,
        r#""hs-""#,
        r#""hs-11""#,
        r#""""#,
        r#""hs-1\u0000""#,
        r#""../../../dev/null""#,
        r#""/proc/sys/kernel/randomize_va_space""#,
        r#""' UNION SELECT 'secret' --""#,
        r#""https://evil.test/key""#,
        r#""*""#,
        &long,
    ] {
        assert_eq!(own(&[("kid", kid)]), "unknown_key", "{kid}");
    }
    let longer = format!("\"{}\"", "k".repeat(129));
    for kid in [longer.as_str(), "1", "null", r#"["hs-1"]"#, r#"{"a":"hs-1"}"#] {
        assert_eq!(own(&[("kid", kid)]), "malformed", "{kid}");
    }
    // A token without a key id is for keys without one, and the own profile has none.
    assert_eq!(
        code(verifier(vec![own_profile()]).verify(&forge(HS, &header(&[("kid", "")]), &claims(&[])), NOW)),
        "unknown_key"
    );
}

#[test]
fn a_key_id_of_128_bytes_in_escapes_fits() {
    let kid = "k".repeat(128);
    let escaped = format!("\"{}\"", "\\u006b".repeat(128));
    let verifier = verifier(vec![IssuerProfile::own("own", ISSUER, AUDIENCE, vec![hs_key(Some(&kid))])]);
    assert_eq!(code(verifier.verify(&forge(HS, &header(&[("kid", &escaped)]), &claims(&[])), NOW)), "accepted");
}

#[test]
fn headers_are_bounded() {
    let with_fill = |bytes: usize| own(&[("fill", &format!("\"{}\"", "x".repeat(bytes)))]);
    assert_eq!(with_fill(1_400), "accepted");
    assert_eq!(with_fill(1_500), "malformed");
    let names: Vec<String> = (0..14).map(|index| format!("h{index}")).collect();
    let members: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(own(&members[..13]), "accepted");
    assert_eq!(own(&members), "malformed");
}

#[test]
fn a_token_of_another_type_is_refused() {
    for typ in [r#""at+jwt""#, r#""AT+JWT""#, r#""application/at+jwt""#, r#""Application/AT+jwt""#] {
        assert_eq!(own(&[("typ", typ)]), "accepted", "{typ}");
    }
    for typ in
        ["", r#""JWT""#, r#""rt+jwt""#, r#""refresh+jwt""#, r#""at+jwt ""#, r#""logout+jwt""#, r#""""#, r#""JOSE""#]
    {
        assert_eq!(own(&[("typ", typ)]), "payload_token_type", "{typ}");
    }
    let legacy = |typ: &str| code(verify_legacy(&legacy_header(&[("typ", typ)]), &legacy_claims(&[])));
    for typ in ["", r#""JWT""#, r#""jwt""#] {
        assert_eq!(legacy(typ), "accepted", "{typ}");
    }
    for typ in [r#""at+jwt""#, r#""rt+jwt""#, r#""JWT ""#, r#""""#, r#""JWE""#] {
        assert_eq!(legacy(typ), "payload_token_type", "{typ}");
    }
    for typ in ["null", "1", r#"["at+jwt"]"#] {
        assert_eq!(own(&[("typ", typ)]), "malformed", "{typ}");
        assert_eq!(legacy(typ), "malformed", "{typ}");
    }
}

#[test]
fn zero_signatures_verify_nowhere() {
    for (alg, kid, length) in
        [("ES256", "es-1", 64), ("EdDSA", "ed-1", 64), ("RS256", "rs-1", 256), ("HS256", "hs-1", 32)]
    {
        let header = header(&[("alg", &format!("{alg:?}")), ("kid", &format!("{kid:?}"))]);
        let input = format!("{}.{}", b64(header.as_bytes()), b64(claims(&[]).as_bytes()));
        for byte in [0x00, 0xFF] {
            let token = Token::from(format!("{input}.{}", b64(&vec![byte; length])));
            assert_eq!(code(both().verify(&token, NOW)), "bad_signature", "{alg}");
        }
    }
}

#[test]
fn an_unsigned_token_learns_nothing_of_its_claims() {
    let hostile = [
        ("exp", "1"),
        ("exp", "\"soon\""),
        ("nbf", "9000000000"),
        ("aud", r#""another""#),
        ("sub", "7"),
        ("sub", ""),
        ("iss", r#""https://elsewhere.test""#),
        ("iss", "7"),
    ];
    for change in hostile {
        assert_eq!(
            code(both().verify(&forge(STRANGER, &header(&[]), &claims(&[change])), NOW)),
            "bad_signature",
            "{change:?}"
        );
        let refresh = header(&[("typ", r#""rt+jwt""#)]);
        assert_eq!(
            code(both().verify(&forge(STRANGER, &refresh, &claims(&[change])), NOW)),
            "bad_signature",
            "{change:?}"
        );
        // The same claims, signed, are told apart from a bad signature.
        assert_ne!(code(verify_own(&header(&[]), &claims(&[change]))), "bad_signature", "{change:?}");
    }
}

/// A manual printed this token as one that works; its key is known to nobody.
#[test]
fn the_test_token_of_a_manual_is_refused() {
    let printed =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIn0.dNsYhOKsYlKZzUmOJl8Zpf9SbJ4DJxhd3AU6pO-PWko";
    let mut exempting = legacy_profile();
    exempting.exempt_jti = Some("dev-test-token".into());
    let verifier = verifier(vec![own_profile(), exempting]);
    assert_eq!(code(verifier.verify(&Token::from(printed), NOW)), "bad_signature");
    // The same claims from a known key are refused for what they lack, and taken once they have it.
    let ours = |claims: &str| code(verifier.verify(&forge(LEGACY, r#"{"alg":"HS256","typ":"JWT"}"#, claims), NOW));
    assert_eq!(ours(r#"{"sub":"user"}"#), "payload_claim_missing");
    assert_eq!(ours(r#"{"sub":"user","jti":"dev-test-token"}"#), "accepted");
}
