//! Secrets and keys: found where the configuration says, judged, and never repeated.
//!
//! **Invariant:** a secret that is named must be there and be strong; nothing else is taken in its place.
//!
//! **Absent on purpose:** no secret is ever made up here, and development uses none that is configured.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lychgate_token::secret::{WeakSecret, strength};
use lychgate_token::{Algorithm, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};

use super::alias::{self, SECRETS};
use super::fault::{Faults, Notice, Place};
use super::settings::{IssuerSettings, SigningMethod};
use super::source::Sources;
use super::{Issuer, Raw};

/// What our own tokens are signed with.
#[derive(Clone)]
pub enum Signing {
    /// The Ed25519 key in the database, made at the first start.
    DatabaseKey,
    /// HS256 with this secret.
    Secret(SecretString),
    /// Development: a key of this kind that the process makes for itself and forgets.
    Ephemeral(SigningMethod),
}

/// The most that is read of a file with a secret or a key.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The places of one secret, as a section names them.
struct Named<'a> {
    section: String,
    secret: Option<&'a SecretString>,
    file: Option<&'a PathBuf>,
    variable: Option<&'a str>,
}

impl Named<'_> {
    /// The keys that are set.
    fn keys(&self) -> Vec<&'static str> {
        let set = [
            ("secret", self.secret.is_some()),
            ("secret_file", self.file.is_some()),
            ("secret_env", self.variable.is_some()),
        ];
        set.into_iter().filter_map(|(key, is_set)| is_set.then_some(key)).collect()
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }
}

/// What our own tokens are signed with; nothing when a fault was reported.
pub(super) fn own(raw: &Raw, sources: &Sources, faults: &mut Faults, notices: &mut Vec<Notice>) -> Option<Signing> {
    let tokens = &raw.tokens;
    alias::check_algorithm(tokens.signing, sources, faults, notices);
    let named = Named {
        section: "tokens".to_owned(),
        secret: tokens.secret.as_ref(),
        file: tokens.secret_file.as_ref(),
        variable: tokens.secret_env.as_deref(),
    };
    if sources.dev {
        unused(&named, raw, sources, notices, "is ignored: --dev signs with a key of its own");
        return Some(Signing::Ephemeral(tokens.signing));
    }
    if faults.concern("tokens.signing") {
        return None;
    }
    match tokens.signing {
        SigningMethod::EdDsa => {
            let why = "is not used: signing = \"eddsa\" keeps its key in the database";
            unused(&named, raw, sources, notices, why);
            Some(Signing::DatabaseKey)
        }
        SigningMethod::Hs256 => own_secret(&named, raw, sources, faults, notices).map(Signing::Secret),
    }
}

fn own_secret(
    named: &Named<'_>,
    raw: &Raw,
    sources: &Sources,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> Option<SecretString> {
    let aliases: Vec<(&str, &str)> =
        SECRETS.iter().filter_map(|name| sources.variable(name).map(|value| (*name, value))).collect();
    let names_alias = named.variable.is_some_and(|variable| SECRETS.contains(&variable));
    let is_explicit = !named.keys().is_empty();
    if !is_explicit || names_alias {
        // Two aliases with different values: nobody can say which one the operator means.
        if aliases.iter().any(|(_, value)| aliases.first().is_some_and(|(_, first)| value != first)) {
            let names: Vec<_> = aliases.iter().map(|(name, _)| *name).collect();
            let (place, wrong) = (Place::Environment(names.join(", ")), "these variables hold different values");
            faults.add(place, "tokens.secret", wrong, "Set one of them, or give all of them the same value");
            return None;
        }
    } else {
        for (name, _) in &aliases {
            let text = format!("is not used: tokens.{} names the secret", named.keys().join(" and "));
            notices.push(notice(Place::Environment((*name).to_owned()), "tokens.secret", text));
        }
    }
    if is_explicit {
        return find(named, raw, sources, faults);
    }
    let Some((name, value)) = aliases.first() else {
        // A key of the three that could not even be read has its own fault already.
        if !["secret", "secret_file", "secret_env"].iter().any(|key| faults.concern(&named.key(key))) {
            faults.add(
                raw.place("tokens.signing"),
                "tokens.secret",
                "signing = \"hs256\" needs a secret, and none is named",
                format!(
                    "Make one with `openssl rand -base64 48`, then set secret_file or secret_env, or one of the variables {}",
                    SECRETS.join(", ")
                ),
            );
        }
        return None;
    };
    judge(value, Place::Environment((*name).to_owned()), "tokens.secret", faults)
}

/// Foreign issuers with their keys.
pub(super) fn foreign(
    raw: &Raw,
    sources: &Sources,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) -> BTreeMap<String, Issuer> {
    let mut all = BTreeMap::new();
    for (name, settings) in &raw.issuers {
        let section = format!("issuer.{name}");
        let named = Named {
            section: section.clone(),
            secret: settings.secret.as_ref(),
            file: settings.secret_file.as_ref(),
            variable: settings.secret_env.as_deref(),
        };
        if sources.dev && !named.keys().is_empty() {
            let text = "is left out: --dev uses no configured secret".to_owned();
            notices.push(notice(raw.place(&section), &section, text));
            continue;
        }
        if let Some(key) = foreign_key(&named, settings, raw, sources, faults) {
            all.insert(name.clone(), Issuer { settings: settings.clone(), key });
        }
    }
    all
}

fn foreign_key(
    named: &Named<'_>,
    settings: &IssuerSettings,
    raw: &Raw,
    sources: &Sources,
    faults: &mut Faults,
) -> Option<VerifyingKey> {
    let place = raw.place(&named.section);
    let Some(algorithm) = settings.algorithm else {
        let key = named.key("algorithm");
        if !faults.concern(&key) {
            faults.add(
                place,
                key,
                "it is missing",
                "Write the one algorithm this issuer signs with, such as \"HS256\"",
            );
        }
        return None;
    };
    let algorithm = algorithm.0;
    let made = if matches!(algorithm, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512) {
        if settings.public_key_file.is_some() {
            let key = named.key("public_key_file");
            let wrong = format!("{algorithm} is checked with a shared secret, never with a public key");
            faults.add(raw.place(&key), key, wrong, "Remove it and name the secret, or name the algorithm of the key");
            return None;
        }
        if named.keys().is_empty() {
            if !["secret", "secret_file", "secret_env"].iter().any(|key| faults.concern(&named.key(key))) {
                let wrong = format!("{algorithm} needs the issuer's secret, and none is named");
                faults.add(place, named.key("secret"), wrong, "Set secret_file or secret_env");
            }
            return None;
        }
        let secret = find(named, raw, sources, faults)?;
        VerifyingKey::hmac(algorithm, secret.expose_secret().as_bytes(), None)
    } else {
        if let Some(key) = named.keys().first() {
            let key = named.key(key);
            let wrong = format!("{algorithm} is checked with a public key, never with a secret");
            faults.add(raw.place(&key), key, wrong, "Remove it and name the key with public_key_file");
            return None;
        }
        let key = named.key("public_key_file");
        let Some(path) = &settings.public_key_file else {
            if !faults.concern(&key) {
                let wrong = format!("{algorithm} needs the issuer's public key, and none is named");
                faults.add(place, key, wrong, "Name its PEM file");
            }
            return None;
        };
        let pem = read_file(path, raw.place(&key), &key, faults)?;
        VerifyingKey::from_pem(algorithm, pem.as_bytes(), None)
    };
    made.map_err(|fault| {
        faults.add(
            raw.place(&named.section),
            &named.section,
            format!("its key cannot be used: {fault}"),
            format!("Give the issuer's own key for {algorithm}"),
        );
    })
    .ok()
}

/// Reads the one secret that a section names.
fn find(named: &Named<'_>, raw: &Raw, sources: &Sources, faults: &mut Faults) -> Option<SecretString> {
    if let [first, .., last] = named.keys().as_slice() {
        let key = named.key(last);
        let wrong = format!("the secret is named twice: by {first} and by {last}");
        faults.add(raw.place(&key), key, wrong, "Keep one of the two");
        return None;
    }
    if let Some(secret) = named.secret {
        let key = named.key("secret");
        return judge(secret.expose_secret(), raw.place(&key), &key, faults);
    }
    if let Some(path) = named.file {
        let key = named.key("secret_file");
        let text = read_file(path, raw.place(&key), &key, faults)?;
        return judge(text.trim_end_matches(['\r', '\n']), raw.place(&key), &key, faults);
    }
    let variable = named.variable?;
    let key = named.key("secret_env");
    match sources.variable(variable) {
        Some(secret) => judge(secret, Place::Environment(variable.to_owned()), &key, faults),
        None => {
            // What looks like a secret put here by mistake is not repeated.
            let is_plainly_a_name = variable.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                && (variable.len() < 32 || variable.contains('_'));
            let name = if is_plainly_a_name { variable } else { "named here" };
            let wrong = format!("the variable {name} is not set");
            let remedy = "Set it where the server is started, or name another one; nothing else is used in its place";
            faults.add(raw.place(&key), key, wrong, remedy);
            None
        }
    }
}

pub(super) fn judge(secret: &str, place: Place, key: &str, faults: &mut Faults) -> Option<SecretString> {
    let wrong = match strength(secret.as_bytes()) {
        Ok(()) => return Some(SecretString::from(secret)),
        Err(WeakSecret::Blank) => "the secret is blank".to_owned(),
        Err(WeakSecret::Short { bytes }) => {
            format!("the secret has {bytes} bytes; 32 are the least (RFC 7518 section 3.2)")
        }
        Err(WeakSecret::WellKnown) => {
            "the secret is a published default or a repeated pattern, which anybody can sign with".to_owned()
        }
    };
    faults.add(place, key, wrong, "Make one with `openssl rand -base64 48`");
    None
}

/// The path is not repeated: people write the secret itself there by mistake.
pub(super) fn read_file(path: &Path, place: Place, key: &str, faults: &mut Faults) -> Option<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => Some(text),
        Err(error) => {
            faults.add(
                place,
                key,
                format!("the file named here cannot be read: {error}"),
                "Check the path, which is relative to the working directory, and its permissions",
            );
            None
        }
    }
}

/// A notice for every secret of our own that is set and not used.
fn unused(named: &Named<'_>, raw: &Raw, sources: &Sources, notices: &mut Vec<Notice>, why: &str) {
    for key in named.keys() {
        let key = named.key(key);
        notices.push(notice(raw.place(&key), &key, why.to_owned()));
    }
    let elsewhere: Vec<&str> = raw.issuers.values().filter_map(|issuer| issuer.secret_env.as_deref()).collect();
    for name in SECRETS {
        let is_set = sources.variable(name).is_some_and(|value| !value.trim().is_empty());
        if is_set && named.variable != Some(name) && !elsewhere.contains(&name) {
            notices.push(notice(Place::Environment(name.to_owned()), "tokens.secret", why.to_owned()));
        }
    }
}

fn notice(place: Place, key: &str, text: String) -> Notice {
    Notice { place, key: key.to_owned(), text }
}
