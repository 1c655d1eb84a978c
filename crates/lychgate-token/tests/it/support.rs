//! Keys, profiles and a forger that signs whatever text it is given.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use lychgate_token::{Algorithm, Claims, IssuerProfile, Refusal, Token, Verifier, VerifyingKey};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://gate.test";
pub(crate) const AUDIENCE: &str = "lychgate-test";

pub(crate) const HS_SECRET: &str = "TEST-ONLY hs256 secret of the golden tokens";
pub(crate) const HS384_SECRET: &str = "TEST-ONLY hs384 secret of the golden tokens, and longer";
pub(crate) const HS512_SECRET: &str = "TEST-ONLY hs512 secret of the golden tokens, the longest of all of them";
pub(crate) const LEGACY_SECRET: &str = "TEST-ONLY secret of an issuer before us";
pub(crate) const STRANGER_SECRET: &str = "TEST-ONLY secret that no profile knows of";

macro_rules! key_file {
    ($name:literal) => {
        include_bytes!(concat!("../../../../fixtures/tokens/keys/", $name, ".pem"))
    };
}
pub(crate) use key_file;

pub(crate) const RS_PRIVATE: &[u8] = key_file!("test-only-rs256.private");
pub(crate) const RS_PUBLIC: &[u8] = key_file!("test-only-rs256.public");
pub(crate) const ES_PRIVATE: &[u8] = key_file!("test-only-es256.private");
pub(crate) const ES_PUBLIC: &[u8] = key_file!("test-only-es256.public");
pub(crate) const ED_PRIVATE: &[u8] = key_file!("test-only-ed25519.private");
pub(crate) const ED_PUBLIC: &[u8] = key_file!("test-only-ed25519.public");
pub(crate) const FOREIGN_PRIVATE: &[u8] = key_file!("test-only-ed25519-foreign.private");
pub(crate) const FOREIGN_PUBLIC: &[u8] = key_file!("test-only-ed25519-foreign.public");

/// Who signs a forged token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer<'a> {
    Hmac(Algorithm, &'a [u8]),
    Rs,
    Es,
    Ed,
    Foreign,
    Nobody,
}

pub(crate) const HS: Signer<'static> = Signer::Hmac(Algorithm::Hs256, HS_SECRET.as_bytes());
pub(crate) const LEGACY: Signer<'static> = Signer::Hmac(Algorithm::Hs256, LEGACY_SECRET.as_bytes());
pub(crate) const STRANGER: Signer<'static> = Signer::Hmac(Algorithm::Hs256, STRANGER_SECRET.as_bytes());

/// Signs the texts as they are, however malformed.
pub(crate) fn forge(signer: Signer<'_>, header: &str, claims: &str) -> Token {
    let input = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
    let signature = sign(signer, &input);
    Token::from(format!("{input}.{signature}"))
}

pub(crate) fn sign(signer: Signer<'_>, input: &str) -> String {
    let reason = "a test key";
    let (key, algorithm) = match signer {
        Signer::Hmac(algorithm, secret) => (EncodingKey::from_secret(secret), algorithm.as_str()),
        Signer::Rs => (EncodingKey::from_rsa_pem(RS_PRIVATE).expect(reason), "RS256"),
        Signer::Es => (EncodingKey::from_ec_pem(ES_PRIVATE).expect(reason), "ES256"),
        Signer::Ed => (EncodingKey::from_ed_pem(ED_PRIVATE).expect(reason), "EdDSA"),
        Signer::Foreign => (EncodingKey::from_ed_pem(FOREIGN_PRIVATE).expect(reason), "EdDSA"),
        Signer::Nobody => return String::new(),
    };
    jsonwebtoken::crypto::sign(input.as_bytes(), &key, algorithm.parse().expect(reason)).expect(reason)
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The JSON text of an object: `base` with some members replaced, added, or (by an empty text) removed.
fn object(base: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let unchanged = base.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let members = unchanged.chain(changes).filter(|(_, json)| !json.is_empty());
    let members: Vec<String> = members.map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The header of an own token signed by [`HS`], changed.
pub(crate) fn header(changes: &[(&str, &str)]) -> String {
    object(&[("alg", r#""HS256""#), ("typ", r#""at+jwt""#), ("kid", r#""hs-1""#)], changes)
}

/// The claims of an own token that is valid at [`NOW`], changed.
pub(crate) fn claims(changes: &[(&str, &str)]) -> String {
    let base = [
        ("iss", r#""https://gate.test""#),
        ("sub", r#""alice""#),
        ("aud", r#""lychgate-test""#),
        ("exp", "1800000600"),
        ("iat", "1799999990"),
        ("jti", r#""token-1""#),
        ("sid", r#""session-1""#),
    ];
    object(&base, changes)
}

/// The header of a legacy token signed by [`LEGACY`], changed.
pub(crate) fn legacy_header(changes: &[(&str, &str)]) -> String {
    object(&[("alg", r#""HS256""#), ("typ", r#""JWT""#)], changes)
}

/// The claims of a legacy token that is valid at [`NOW`], changed.
pub(crate) fn legacy_claims(changes: &[(&str, &str)]) -> String {
    object(&[("sub", r#""bob""#), ("exp", "1800000600")], changes)
}

pub(crate) fn hs_key(kid: Option<&str>) -> VerifyingKey {
    VerifyingKey::hmac(Algorithm::Hs256, HS_SECRET.as_bytes(), kid).expect("a strong test secret")
}

pub(crate) fn pem_key(algorithm: Algorithm, pem: &[u8], kid: &str) -> VerifyingKey {
    VerifyingKey::from_pem(algorithm, pem, Some(kid)).expect("a public test key")
}

/// Our own issuer, with a key of every kind.
pub(crate) fn own_profile() -> IssuerProfile {
    let keys = vec![
        hs_key(Some("hs-1")),
        pem_key(Algorithm::Rs256, RS_PUBLIC, "rs-1"),
        pem_key(Algorithm::Es256, ES_PUBLIC, "es-1"),
        pem_key(Algorithm::EdDSA, ED_PUBLIC, "ed-1"),
    ];
    IssuerProfile { lifetime_s_max: Some(86_400), ..IssuerProfile::own("own", ISSUER, AUDIENCE, keys) }
}

/// An older issuer: one shared secret, no key id, no `iss`, no `aud`.
pub(crate) fn legacy_profile() -> IssuerProfile {
    let key = VerifyingKey::hmac(Algorithm::Hs256, LEGACY_SECRET.as_bytes(), None).expect("a strong test secret");
    IssuerProfile::legacy("legacy", vec![key])
}

pub(crate) fn verifier(profiles: Vec<IssuerProfile>) -> Verifier {
    Verifier::new(profiles).expect("profiles of the tests are sound")
}

/// A verifier with [`own_profile`] and [`legacy_profile`].
pub(crate) fn both() -> Verifier {
    verifier(vec![own_profile(), legacy_profile()])
}

pub(crate) fn verify_own(header: &str, claims: &str) -> Result<Claims, Refusal> {
    both().verify(&forge(HS, header, claims), NOW)
}

pub(crate) fn verify_legacy(header: &str, claims: &str) -> Result<Claims, Refusal> {
    both().verify(&forge(LEGACY, header, claims), NOW)
}

/// The code of a refusal, or "accepted".
pub(crate) fn code(result: Result<Claims, Refusal>) -> &'static str {
    result.map_or_else(Refusal::code, |_| "accepted")
}
