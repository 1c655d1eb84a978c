//! Which profile a token belongs to, and which sets of profiles are refused.

use crate::support::*;
use lychgate_token::{Algorithm, IssuerProfile, LEEWAY_S_MAX, ProfileFault, Verifier, VerifyingKey};

const FOREIGN_ISSUER: &str = "https://foreign.test";

/// A foreign issuer whose key has the very id of one of ours.
fn foreign_profile() -> IssuerProfile {
    let key = pem_key(Algorithm::EdDSA, FOREIGN_PUBLIC, "ed-1");
    IssuerProfile { issuer: Some(FOREIGN_ISSUER.into()), ..IssuerProfile::legacy("foreign", vec![key]) }
}

#[test]
fn keys_are_never_pooled() {
    let verifier = verifier(vec![own_profile(), foreign_profile()]);
    let own_header = header(&[("alg", r#""EdDSA""#), ("kid", r#""ed-1""#)]);
    let foreign_header = header(&[("alg", r#""EdDSA""#), ("kid", r#""ed-1""#), ("typ", r#""JWT""#)]);
    let foreign_claims = claims(&[("iss", r#""https://foreign.test""#), ("aud", "")]);
    let code_of = |signer, header: &str, claims: &str| code(verifier.verify(&forge(signer, header, claims), NOW));

    assert_eq!(code_of(Signer::Ed, &own_header, &claims(&[])), "accepted");
    assert_eq!(code_of(Signer::Foreign, &foreign_header, &foreign_claims), "accepted");
    // Each issuer's key, in the other's name.
    assert_eq!(code_of(Signer::Foreign, &own_header, &claims(&[])), "bad_signature");
    assert_eq!(code_of(Signer::Ed, &foreign_header, &foreign_claims), "bad_signature");
    // And in nobody's or an unknown one's.
    assert_eq!(code_of(Signer::Ed, &own_header, &claims(&[("iss", "")])), "wrong_issuer");
    for iss in [r#""https://unknown.test""#, r#""""#] {
        let unknown = claims(&[("iss", iss), ("aud", "")]);
        assert_eq!(code_of(Signer::Foreign, &foreign_header, &unknown), "wrong_issuer");
        assert_eq!(code_of(Signer::Ed, &own_header, &unknown), "wrong_issuer");
        assert_eq!(code_of(STRANGER, &header(&[]), &unknown), "bad_signature");
    }
}

#[test]
fn a_legacy_issuer_may_be_named_or_not() {
    let verifier = verifier(vec![foreign_profile()]);
    let header = header(&[("alg", r#""EdDSA""#), ("kid", r#""ed-1""#), ("typ", "")]);
    for (iss, expected) in
        [("", "accepted"), (r#""https://foreign.test""#, "accepted"), (r#""https://gate.test""#, "wrong_issuer")]
    {
        let token = forge(Signer::Foreign, &header, &claims(&[("iss", iss), ("aud", "")]));
        assert_eq!(code(verifier.verify(&token, NOW)), expected, "{iss}");
    }
}

#[test]
fn profiles_without_an_issuer_are_tried_by_key() {
    let key = |secret: &str| VerifyingKey::hmac(Algorithm::Hs256, secret.as_bytes(), None).expect("a strong secret");
    let first = IssuerProfile::legacy("first", vec![key(STRANGER_SECRET)]);
    // Two keys without an id: the present and the previous secret.
    let second = IssuerProfile::legacy("second", vec![key(HS_SECRET), key(LEGACY_SECRET)]);
    let verifier = verifier(vec![own_profile(), first, second]);
    for (signer, expected) in [(STRANGER, "first"), (HS, "second"), (LEGACY, "second")] {
        let claims = verifier.verify(&forge(signer, &legacy_header(&[]), &legacy_claims(&[])), NOW).expect("valid");
        assert_eq!(&*claims.issuer_profile, expected);
    }
    let unknown = Signer::Hmac(Algorithm::Hs256, b"a secret of nobody at all");
    assert_eq!(code(verifier.verify(&forge(unknown, &legacy_header(&[]), &legacy_claims(&[])), NOW)), "bad_signature");
}

#[test]
fn one_secret_in_two_kinds_of_profile_keeps_them_apart() {
    let legacy = IssuerProfile::legacy("legacy", vec![hs_key(None)]);
    let own = IssuerProfile::own("own", ISSUER, AUDIENCE, vec![hs_key(None)]);
    let verifier = verifier(vec![own, legacy]);
    let own_header = header(&[("kid", "")]);
    let profile_of = |header: &str, claims: &str| {
        verifier.verify(&forge(HS, header, claims), NOW).map(|claims| claims.issuer_profile.to_string())
    };
    assert_eq!(profile_of(&own_header, &claims(&[])).as_deref(), Ok("own"));
    assert_eq!(profile_of(&legacy_header(&[]), &legacy_claims(&[])).as_deref(), Ok("legacy"));
    assert!(profile_of(&legacy_header(&[]), &claims(&[])).is_err(), "a legacy token in our name");
    assert!(profile_of(&own_header, &legacy_claims(&[])).is_err(), "an own token without its claims");
}

#[test]
fn without_profiles_nothing_is_accepted() {
    let none = verifier(vec![]);
    assert_eq!(code(none.verify(&forge(HS, &header(&[]), &claims(&[])), NOW)), "wrong_algorithm");
}

#[test]
fn unsound_profiles_are_refused() {
    type Fault = fn(&ProfileFault) -> bool;
    type Change = fn(&mut IssuerProfile);
    let cases: [(Change, Fault); 14] = [
        (|p| p.name.clear(), |f| matches!(f, ProfileFault::NoName)),
        (|p| p.issuer = None, |f| matches!(f, ProfileFault::Incomplete { .. })),
        (|p| p.audience = None, |f| matches!(f, ProfileFault::Incomplete { .. })),
        (|p| p.issuer = Some(String::new()), |f| matches!(f, ProfileFault::Blank { .. })),
        (|p| p.issuer = Some(" \t".into()), |f| matches!(f, ProfileFault::Blank { .. })),
        (|p| p.audience = Some(String::new()), |f| matches!(f, ProfileFault::Blank { .. })),
        (|p| p.exempt_jti = Some(String::new()), |f| matches!(f, ProfileFault::Blank { .. })),
        (|p| p.leeway_s = LEEWAY_S_MAX + 1, |f| matches!(f, ProfileFault::Leeway { leeway_s: 61, .. })),
        (|p| p.leeway_s = u64::MAX, |f| matches!(f, ProfileFault::Leeway { .. })),
        (|p| p.lifetime_s_max = Some(0), |f| matches!(f, ProfileFault::Lifetime { .. })),
        (|p| p.keys.clear(), |f| matches!(f, ProfileFault::KeyCount { keys: 0, .. })),
        (|p| p.keys.push(hs_key(Some("hs-1"))), |f| matches!(f, ProfileFault::DuplicateKid { .. })),
        (
            |p| p.keys = (0..65).map(|index| hs_key(Some(&format!("k{index}")))).collect(),
            |f| matches!(f, ProfileFault::KeyCount { keys: 65, .. }),
        ),
        (|p| p.keys = (0..17).map(|_| hs_key(None)).collect(), |f| matches!(f, ProfileFault::TooMany { .. })),
    ];
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut profile = own_profile();
        change(&mut profile);
        let fault = Verifier::new(vec![legacy_profile(), profile]).expect_err("an unsound profile");
        assert!(expected(&fault), "case {index}: {fault}");
    }
    let mut bounds = own_profile();
    bounds.leeway_s = LEEWAY_S_MAX;
    bounds.keys = (0..64).map(|index| hs_key(Some(&format!("k{index}")))).collect();
    assert!(Verifier::new(vec![legacy_profile(), bounds]).is_ok());
}

#[test]
fn profiles_are_told_apart() {
    let twice = Verifier::new(vec![legacy_profile(), legacy_profile()]);
    assert_eq!(twice.expect_err("one name"), ProfileFault::DuplicateName { profile: "legacy".into() });
    let mut namesake = foreign_profile();
    namesake.issuer = Some(ISSUER.into());
    let twice = Verifier::new(vec![own_profile(), namesake]);
    assert_eq!(twice.expect_err("one issuer"), ProfileFault::DuplicateIssuer { profile: "foreign".into() });
    let many = |count: usize| {
        let profile = |index: usize| IssuerProfile::legacy(&format!("p{index}"), vec![hs_key(Some("k"))]);
        Verifier::new((0..count).map(profile).collect())
    };
    assert!(many(16).is_ok());
    assert!(matches!(many(17), Err(ProfileFault::TooMany { .. })));
}
