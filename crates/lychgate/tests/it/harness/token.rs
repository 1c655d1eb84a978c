//! Tokens, good ones and hostile ones, signed with the secret that the test's server has.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};

/// The secret of every server that a test configures.
pub(crate) const SECRET: &str = "the secret of one test server, 7d1f0a55c2";

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokens/keys/", $name, ".pem"))
    };
}

/// A private key of somebody else, and its public half as everybody has it.
pub(crate) const RS_PRIVATE: &str = key_file!("test-only-rs256.private");
pub(crate) const RS_PUBLIC: &str = key_file!("test-only-rs256.public");
pub(crate) const ES_PRIVATE: &str = key_file!("test-only-es256.private");

/// Where the public half lies, for configurations.
pub(crate) const RS_PUBLIC_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokens/keys/test-only-rs256.public.pem");

/// Who signs.
#[derive(Clone, Copy)]
pub(crate) enum Signer<'a> {
    Hmac(&'a [u8]),
    Rs,
    Es,
    Nobody,
}

/// The one whom servers of tests believe.
pub(crate) const OURS: Signer<'static> = Signer::Hmac(SECRET.as_bytes());

/// Now, in whole seconds.
pub(crate) fn now() -> u64 {
    now_exactly() as u64
}

/// Now, in seconds.
pub(crate) fn now_exactly() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}

/// A token of `sub` that is good for ten minutes.
pub(crate) fn own(sub: &str) -> String {
    own_until(sub, now() + 600)
}

/// A token of `sub` that is good until `exp`.
pub(crate) fn own_until(sub: &str, exp: u64) -> String {
    let sub = serde_json::Value::from(sub).to_string();
    sign(&header(&[]), &claims(&[("sub", &sub), ("exp", &exp.to_string())]))
}

/// A token of the server's own secret with these texts, however wrong they are.
pub(crate) fn sign(header: &str, claims: &str) -> String {
    forge(OURS, header, claims)
}

/// A token of `signer` with these texts, however wrong they are.
pub(crate) fn forge(signer: Signer<'_>, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", part(header.as_bytes()), part(claims.as_bytes()));
    let why = "a key of the tests";
    let (key, algorithm) = match signer {
        Signer::Hmac(secret) => (EncodingKey::from_secret(secret), Algorithm::HS256),
        Signer::Rs => (EncodingKey::from_rsa_pem(RS_PRIVATE.as_bytes()).expect(why), Algorithm::RS256),
        Signer::Es => (EncodingKey::from_ec_pem(ES_PRIVATE.as_bytes()).expect(why), Algorithm::ES256),
        Signer::Nobody => return format!("{input}."),
    };
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &key, algorithm).expect(why);
    format!("{input}.{signature}")
}

/// The header of a good token, with some members replaced, added, or (by an empty text) left out.
pub(crate) fn header(changes: &[(&str, &str)]) -> String {
    object(&[("alg", r#""HS256""#), ("typ", r#""at+jwt""#)], changes)
}

/// The claims of a good token, changed in the same way.
pub(crate) fn claims(changes: &[(&str, &str)]) -> String {
    let (exp, iat) = ((now() + 600).to_string(), now().to_string());
    let base = [
        ("iss", r#""lychgate""#),
        ("aud", r#""lychgate""#),
        ("sub", r#""alice""#),
        ("exp", &exp),
        ("iat", &iat),
        ("jti", r#""token-1""#),
        ("sid", r#""session-1""#),
    ];
    object(&base, changes)
}

/// One part of a token.
pub(crate) fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The JSON inside one part of a token.
pub(crate) fn unpart(part: &str) -> serde_json::Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url without padding");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn object(base: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let unchanged = base.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let members = unchanged.chain(changes).filter(|(_, json)| !json.is_empty());
    let members: Vec<String> = members.map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}
