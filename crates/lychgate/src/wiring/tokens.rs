//! The keys that this installation signs with, and whose tokens it takes.

use lychgate_service::issue::TokenShape;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::Clock;
use lychgate_service::ports::keys::{Keys, StoredKey};
use lychgate_service::ports::users::User;
use lychgate_token::{Algorithm, IssuerProfile, Minter, ProfileKind, SigningKey, Token, Verifier, VerifyingKey};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::config::{ClaimsKind, Config, Signing, SigningMethod};

/// The key that this installation signs with: configured, made once and kept, or made for this process alone.
///
/// # Errors
///
/// A sentence on what is wrong with the key or its store.
pub async fn signing_key(signing: &Signing, keys: &dyn Keys, clock: &dyn Clock) -> Result<SigningKey, String> {
    match signing {
        Signing::Secret(secret) => SigningKey::hmac(Algorithm::Hs256, secret.expose_secret().as_bytes(), None)
            .map_err(|fault| format!("tokens.secret: {fault}")),
        Signing::Ephemeral(SigningMethod::Hs256) => {
            SigningKey::hmac(Algorithm::Hs256, random_secret().expose_secret().as_bytes(), None)
                .map_err(|fault| fault.to_string())
        }
        Signing::Ephemeral(SigningMethod::EdDsa) => {
            SigningKey::generate_ed25519(Some(&fresh_id())).map(|(key, _)| key).map_err(|fault| fault.to_string())
        }
        Signing::DatabaseKey => stored_key(keys, clock).await,
    }
}

async fn stored_key(keys: &dyn Keys, clock: &dyn Clock) -> Result<SigningKey, String> {
    let in_store = |fault: StoreError| format!("database.url: the signing key: {fault}");
    let stored = match keys.signing_key().await.map_err(in_store)? {
        Some(stored) => stored,
        None => {
            let kid = fresh_id();
            let (_, pkcs8) = SigningKey::generate_ed25519(Some(&kid)).map_err(|fault| fault.to_string())?;
            let candidate = StoredKey {
                kid,
                algorithm: Algorithm::EdDSA.to_string(),
                pkcs8: SecretSlice::from(pkcs8.expose().to_vec()),
                created_at_s: clock.now().seconds(),
            };
            keys.load_or_insert_signing_key(candidate).await.map_err(in_store)?
        }
    };
    if stored.algorithm != Algorithm::EdDSA.to_string() {
        return Err(format!(
            "database.url: the signing key is for {}, which this version does not sign with",
            stored.algorithm
        ));
    }
    SigningKey::ed25519_from_pkcs8(stored.pkcs8.expose_secret(), Some(&stored.kid))
        .map_err(|fault| format!("database.url: the signing key: {fault}"))
}

fn fresh_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn random_secret() -> SecretString {
    SecretString::from(format!("{}{}", fresh_id(), fresh_id()))
}

pub(super) fn verifier(config: &Config, own_key: VerifyingKey, exempt_jti: Option<String>) -> Result<Verifier, String> {
    let own = IssuerProfile::own("own", &config.tokens.issuer, &config.tokens.audience, vec![own_key]);
    let mut profiles = vec![IssuerProfile { leeway_s: config.tokens.leeway.as_secs(), exempt_jti, ..own }];
    for (name, issuer) in &config.issuers {
        let settings = &issuer.settings;
        profiles.push(IssuerProfile {
            name: name.clone(),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            kind: match settings.claims {
                ClaimsKind::Own => ProfileKind::Own,
                ClaimsKind::Legacy => ProfileKind::Legacy,
                ClaimsKind::Named => ProfileKind::Named,
            },
            leeway_s: settings.leeway.as_secs(),
            lifetime_s_max: Some(settings.lifetime_max.as_secs()),
            keys: vec![issuer.key.clone()],
            exempt_jti: None,
        });
    }
    Verifier::new(profiles).map_err(|fault| format!("issuer: {fault}"))
}

pub(super) struct TestToken {
    pub(super) token: Token,
    pub(super) jti: String,
}

/// A token without an end, for one process of a development server. Verified like any other.
pub(super) fn mint_test_token(
    minter: &Minter,
    shape: &TokenShape,
    user: &User,
    clock: &dyn Clock,
) -> Result<TestToken, String> {
    let claims = shape.claims_of(user).map_err(|refused| refused.to_string())?;
    let jti = claims.jti.clone().unwrap_or_default();
    let token = minter.mint(&claims, clock.now().seconds()).map_err(|fault| fault.to_string())?;
    Ok(TestToken { token, jti })
}

/// The token that was supplied from outside, if this server accepts it as it would from anybody; else the fresh one.
pub(super) fn choose_test_token(config: &Config, fresh: Token, verifier: &Verifier, clock: &dyn Clock) -> Token {
    let Some(supplied) = &config.test_token else { return fresh };
    let supplied = Token::from(supplied.expose_secret());
    match verifier.verify(&supplied, clock.now().seconds()) {
        Ok(_) => supplied,
        Err(refusal) => {
            tracing::warn!(
                reason = refusal.code(),
                "WS_TEST_TOKEN is no token that this server accepts; a fresh one is handed out instead"
            );
            fresh
        }
    }
}
