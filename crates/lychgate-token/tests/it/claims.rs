//! Claims of genuine tokens: types, ranges, times, issuers, audiences, names.

use crate::support::*;
use lychgate_token::{IssuerProfile, PayloadFault, ProfileKind, Refusal};

fn own(changes: &[(&str, &str)]) -> &'static str {
    code(verify_own(&header(&[]), &claims(changes)))
}

fn legacy(changes: &[(&str, &str)]) -> &'static str {
    code(verify_legacy(&legacy_header(&[]), &legacy_claims(changes)))
}

#[test]
fn what_was_signed_is_what_is_returned() {
    let json = claims(&[("aud", r#"["other","lychgate-test"]"#), ("nbf", "1799999000.75"), ("role", r#"["admin"]"#)]);
    let claims = verify_own(&header(&[]), &json).expect("a valid token");
    assert_eq!(claims.sub, "alice");
    assert_eq!((claims.exp, claims.iat, claims.nbf), (Some(1_800_000_600), Some(1_799_999_990), Some(1_799_999_000)));
    assert_eq!(claims.iss.as_deref(), Some(ISSUER));
    assert_eq!(claims.aud, ["other", AUDIENCE]);
    assert_eq!((claims.jti.as_deref(), claims.sid.as_deref()), (Some("token-1"), Some("session-1")));
    assert_eq!(&*claims.issuer_profile, "own");
    assert_eq!(serde_json::to_string(&claims.extra).expect("JSON"), r#"{"role":["admin"]}"#);

    let claims =
        verify_legacy(&legacy_header(&[]), &legacy_claims(&[("username", r#""Bob""#)])).expect("a valid token");
    assert_eq!((claims.sub.as_str(), &*claims.issuer_profile), ("bob", "legacy"));
    assert_eq!((claims.iat, claims.nbf, claims.iss, claims.jti, claims.sid), (None, None, None, None, None));
    assert!(claims.aud.is_empty());
    assert_eq!(claims.extra["username"], "Bob");
}

#[test]
fn own_tokens_have_all_claims() {
    for (claim, expected) in [
        ("exp", "payload_claim_missing"),
        ("iat", "payload_claim_missing"),
        ("sub", "payload_claim_missing"),
        ("jti", "payload_claim_missing"),
        ("sid", "payload_claim_missing"),
        ("iss", "wrong_issuer"),
        ("aud", "wrong_audience"),
    ] {
        assert_eq!(own(&[(claim, "")]), expected, "{claim}");
    }
    assert_eq!(own(&[]), "accepted");
}

#[test]
fn legacy_tokens_have_two() {
    assert_eq!(legacy(&[]), "accepted");
    assert_eq!(legacy(&[("sub", "")]), "payload_claim_missing");
    assert_eq!(legacy(&[("exp", "")]), "payload_claim_missing");
}

#[test]
fn times_are_numbers_in_range() {
    for claim in ["exp", "nbf", "iat"] {
        for json in [
            "\"1800000600\"",
            "null",
            "true",
            "[1800000600]",
            "{}",
            "-1",
            "-0.5",
            "-9223372036854775808",
            "9007199254740992",
            "9223372036854775807",
            "18446744073709551615",
            "18446744073709551616",
            "1e16",
            "1e300",
        ] {
            assert_eq!(own(&[(claim, json)]), "payload_claim_shape", "{claim} {json}");
            assert_eq!(legacy(&[(claim, json)]), "payload_claim_shape", "{claim} {json}");
        }
        for json in ["1e400", "-1e400", "NaN", "Infinity", "0x6B49D200", "1800000600n", "01800000600", ""] {
            let text = claims(&[]).replacen('{', &format!("{{\"{claim}_\":{json},"), 1);
            assert_eq!(code(verify_own(&header(&[]), &text)), "malformed", "{claim} {json}");
        }
    }
    for json in ["1800000600", "1800000600.0", "1.8000006e9", "1800000600.999", "18000006000e-1"] {
        let exp = verify_legacy(&legacy_header(&[]), &legacy_claims(&[("exp", json)])).expect("a valid token").exp;
        assert_eq!(exp, Some(1_800_000_600), "{json}");
    }
    assert_eq!(legacy(&[("exp", "9007199254740991")]), "accepted");
    assert_eq!(legacy(&[("nbf", "0"), ("iat", "-0.0")]), "accepted");
}

#[test]
fn expiry_is_half_open_and_has_the_leeway() {
    let verifier = both();
    let token = forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[]));
    assert_eq!(code(verifier.verify(&token, 1_800_000_600)), "accepted");
    assert_eq!(code(verifier.verify(&token, 1_800_000_604)), "accepted");
    let refusal = verifier.verify(&token, 1_800_000_605).expect_err("expired");
    assert_eq!(refusal, Refusal::Expired { exp: 1_800_000_600, now: 1_800_000_605 });
    assert_eq!(code(verifier.verify(&token, u64::MAX)), "expired");
    assert_eq!(legacy(&[("exp", "0")]), "expired");
    assert_eq!(legacy(&[("exp", "1799999950")]), "expired");

    let strict = crate::support::verifier(vec![IssuerProfile { leeway_s: 0, ..legacy_profile() }]);
    assert_eq!(code(strict.verify(&token, 1_800_000_599)), "accepted");
    assert_eq!(code(strict.verify(&token, 1_800_000_600)), "expired");
}

#[test]
fn the_future_begins_after_the_leeway() {
    for claim in ["nbf", "iat"] {
        assert_eq!(legacy(&[(claim, "1800000005")]), "accepted", "{claim}");
        let refusal = verify_legacy(&legacy_header(&[]), &legacy_claims(&[(claim, "1800000006")]));
        assert_eq!(refusal, Err(Refusal::NotYetValid { from: 1_800_000_006, now: NOW }), "{claim}");
        assert_eq!(own(&[(claim, "1800000006")]), "not_yet_valid", "{claim}");
    }
    // The beginning of all time, where subtracting the leeway would wrap.
    let token = forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[("nbf", "3")]));
    assert_eq!(code(both().verify(&token, 0)), "accepted");
    let token = forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[("nbf", "6")]));
    assert_eq!(code(both().verify(&token, 0)), "not_yet_valid");
}

#[test]
fn lifetimes_are_capped() {
    // The own profile allows a day.
    assert_eq!(own(&[("iat", "1799999990"), ("exp", "1800086390")]), "accepted");
    assert_eq!(own(&[("iat", "1799999990"), ("exp", "1800086391")]), "payload_lifetime");
    assert_eq!(own(&[("exp", "9007199254740991")]), "payload_lifetime");
    // Where `iat` is unknown, what is left bounds it.
    let capped = verifier(vec![IssuerProfile { lifetime_s_max: Some(600), ..legacy_profile() }]);
    let with = |changes: &[(&str, &str)]| {
        code(capped.verify(&forge(LEGACY, &legacy_header(&[]), &legacy_claims(changes)), NOW))
    };
    assert_eq!(with(&[("exp", "1800000605")]), "accepted");
    assert_eq!(with(&[("exp", "1800000606")]), "payload_lifetime");
    assert_eq!(with(&[("exp", "1800000605"), ("iat", "1800000005")]), "accepted");
    assert_eq!(with(&[("exp", "1800000605"), ("iat", "1800000004")]), "payload_lifetime");
}

#[test]
fn subjects_are_names() {
    let longest = format!("\"{}\"", "s".repeat(255));
    let longer = format!("\"{}\"", "s".repeat(256));
    let huge = format!("\"{}\"", "s".repeat(4_000));
    for json in [r#""a""#, r#""42""#, r#""zoë@example.com""#, r#""a b""#, r#""\u0041""#, &longest] {
        assert_eq!(own(&[("sub", json)]), "accepted", "{json}");
        assert_eq!(legacy(&[("sub", json)]), "accepted", "{json}");
    }
    for json in [
        "1",
        "null",
        "true",
        r#"["alice"]"#,
        r#"{"id":"alice"}"#,
        r#""""#,
        r#""a\u0000""#,
        r#""a\r\nb""#,
        r#""a\tb""#,
        r#""\u007f""#,
        r#""\u0085""#,
        r#""a\u200bb""#,
        r#""\u202eecila""#,
        r#""\ufeffalice""#,
        r#""a\u2028b""#,
        r#""\udb40\udc61""#,
        &longer,
        &huge,
    ] {
        for claim in ["sub", "jti", "sid"] {
            assert_eq!(own(&[(claim, json)]), "payload_claim_shape", "{claim} {json}");
            assert_eq!(legacy(&[(claim, json)]), "payload_claim_shape", "{claim} {json}");
        }
    }
    let refusal = verify_own(&header(&[]), &claims(&[("sub", "1")])).expect_err("a number is no name");
    assert_eq!(refusal, Refusal::Payload(PayloadFault::ClaimShape("sub")));
}

#[test]
fn the_issuer_is_compared_whole() {
    assert_eq!(own(&[]), "accepted");
    for json in [
        r#""""#,
        r#""https://gate.test/""#,
        r#""https://gate.tes""#,
        r#""HTTPS://GATE.TEST""#,
        r#""https://gate.test.evil.test""#,
        r#"" https://gate.test""#,
    ] {
        assert_eq!(own(&[("iss", json)]), "wrong_issuer", "{json}");
        // The legacy profile has no issuer, so any that is present is another's.
        assert_eq!(legacy(&[("iss", json)]), "wrong_issuer", "{json}");
    }
    for json in ["null", "1", r#"["https://gate.test"]"#] {
        assert_eq!(own(&[("iss", json)]), "payload_claim_shape", "{json}");
        assert_eq!(legacy(&[("iss", json)]), "payload_claim_shape", "{json}");
    }
}

#[test]
fn the_audience_is_us() {
    for json in [r#""lychgate-test""#, r#"["lychgate-test"]"#, r#"["a","lychgate-test"]"#] {
        assert_eq!(own(&[("aud", json)]), "accepted", "{json}");
        assert_eq!(legacy(&[("aud", json)]), "wrong_audience", "{json}");
    }
    for json in [
        r#""""#,
        "[]",
        r#""lychgate""#,
        r#""lychgate-test ""#,
        r#""Lychgate-Test""#,
        r#"["lychgate","-test"]"#,
        r#""a,lychgate-test""#,
        r#"["lychgate-test\u0000"]"#,
    ] {
        assert_eq!(own(&[("aud", json)]), "wrong_audience", "{json}");
        assert_eq!(legacy(&[("aud", json)]), "wrong_audience", "{json}");
    }
    let many = |count: usize| format!("[{}\"lychgate-test\"]", "\"a\",".repeat(count - 1));
    assert_eq!(own(&[("aud", &many(16))]), "accepted");
    assert_eq!(own(&[("aud", &many(17))]), "payload_claim_shape");
    for json in ["null", "1", "{}", r#"{"lychgate-test":1}"#, r#"["lychgate-test",1]"#, r#"[["lychgate-test"]]"#] {
        assert_eq!(own(&[("aud", json)]), "payload_claim_shape", "{json}");
        assert_eq!(legacy(&[("aud", json)]), "payload_claim_shape", "{json}");
    }
}

#[test]
fn one_token_may_lack_its_expiry() {
    let exempting = verifier(vec![IssuerProfile { exempt_jti: Some("dev-1".into()), ..legacy_profile() }]);
    let with = |changes: &[(&str, &str)]| {
        code(exempting.verify(&forge(LEGACY, &legacy_header(&[]), &legacy_claims(changes)), NOW))
    };
    assert_eq!(with(&[("exp", ""), ("jti", r#""dev-1""#)]), "accepted");
    for jti in ["", r#""dev-2""#, r#""DEV-1""#, r#""dev-1 ""#, r#""dev-""#] {
        assert_eq!(with(&[("exp", ""), ("jti", jti)]), "payload_claim_missing", "{jti}");
    }
    // It is excused from having one, not from keeping one.
    assert_eq!(with(&[("exp", "1"), ("jti", r#""dev-1""#)]), "expired");
    assert_eq!(with(&[("exp", "null"), ("jti", r#""dev-1""#)]), "payload_claim_shape");
    // Another profile's exemption does not count.
    let token = forge(LEGACY, &legacy_header(&[]), &legacy_claims(&[("exp", ""), ("jti", r#""dev-1""#)]));
    assert_eq!(code(both().verify(&token, NOW)), "payload_claim_missing");
}

#[test]
fn where_names_are_asked_for_they_have_to_be_there() {
    let judge = |kind, issuer: Option<&str>, audience: Option<&str>, changes: &[(&str, &str)]| {
        let [issuer, audience] = [issuer, audience].map(|name| name.map(str::to_owned));
        let verifier = verifier(vec![IssuerProfile { kind, issuer, audience, ..legacy_profile() }]);
        code(verifier.verify(&forge(LEGACY, &legacy_header(&[]), &legacy_claims(changes)), NOW))
    };
    let (iss, aud) = (("iss", r#""app""#), ("aud", r#""gate""#));
    for (issuer, audience, changes, named, legacy) in [
        (Some("app"), Some("gate"), &[iss, aud][..], "accepted", "accepted"),
        (Some("app"), Some("gate"), &[iss], "wrong_audience", "accepted"),
        (Some("app"), Some("gate"), &[aud], "wrong_issuer", "accepted"),
        (Some("app"), None, &[], "wrong_issuer", "accepted"),
        (Some("app"), None, &[iss], "accepted", "accepted"),
        (None, Some("gate"), &[], "wrong_audience", "accepted"),
        (None, Some("other"), &[aud], "wrong_audience", "wrong_audience"),
        (None, None, &[], "accepted", "accepted"),
    ] {
        assert_eq!(judge(ProfileKind::Named, issuer, audience, changes), named, "{issuer:?} {audience:?} {changes:?}");
        assert_eq!(
            judge(ProfileKind::Legacy, issuer, audience, changes),
            legacy,
            "{issuer:?} {audience:?} {changes:?}"
        );
    }
}
