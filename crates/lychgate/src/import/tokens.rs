//! Whose tokens are taken.
//!
//! **Invariant:** a key is trusted for what it was trusted for, or not at all.

use super::Group;
use super::ours::{Ours, Section, quoted};
use super::picture::Picture;
use super::regex;
use super::report::Report;

/// The variable that the secret goes to.
const SECRET_ENV: &str = "CENTRIFUGO_TOKEN_SECRET";

/// The least length of a shared secret, in bytes.
const SECRET_BYTES_MIN: usize = 32;

const ABOUT: &str = "Your backend's tokens, with sub and exp.";

/// What namespaces have to know.
pub(super) struct Tokens {
    /// Whether a token for a channel is signed with a key of its own, which is not trusted here.
    pub(super) have_other_keys_for_channels: bool,
}

/// Writes `[issuer.NAME]` for each key.
pub(super) fn write(picture: &Picture, report: &mut Report<'_>, ours: &mut Ours) -> Tokens {
    refuse_what_is_insecure(picture, report);
    let names = Names::read(picture, report);
    let keys = ["hmac_secret_key", "rsa_public_key", "ecdsa_public_key"].map(|key| format!("client.token.{key}"));
    if is_sub_the_user(picture, report, &keys) {
        let mut sections = Vec::new();
        for key in keys.iter().filter(|key| picture.text(key).is_some()) {
            if names.issuer.is_some() && !sections.is_empty() {
                let text = "One issuer has one key here, and another one is written for it. Take that away and write this one, if your backend signs with it.";
                report.note(Group::Decide, key, text);
                continue;
            }
            sections.extend(issuer(picture, report, &names, key));
        }
        if let Some(key) = keys.iter().find(|key| picture.has(key)) {
            names.note_what_may_be_there(report, key);
        }
        ours.extend(sections);
    }
    let have_other_keys_for_channels = picture.flag("client.subscription_token.enabled");
    if have_other_keys_for_channels {
        let text = "Tokens for channels had keys of their own. An issuer is trusted for both kinds of tokens here, so those keys are not; until you have decided whose tokens open channels, none do (rule = \"none\" in place of \"token\"), but for those about which your backend is asked. Connection tokens that name other channels open nothing.";
        report.note(Group::Decide, "client.subscription_token.enabled", text);
    }
    for leaf in picture.leaves().iter().filter(|leaf| leaf.path.starts_with("client.subscription_token.")) {
        if leaf.path != "client.subscription_token.enabled" {
            let text = "It is about tokens for channels with keys of their own, which are not trusted here.";
            report.note(Group::Gone, &leaf.path, text);
        }
    }
    Tokens { have_other_keys_for_channels }
}

/// The issuer whose tokens are signed with the key at `key`, if there is one.
fn issuer(picture: &Picture, report: &mut Report<'_>, names: &Names, key: &str) -> Option<Section> {
    let value = picture.text(key)?;
    if key.ends_with("hmac_secret_key") {
        let fetch = how_to_fetch(report.file(), &picture.shown(key));
        let mut text = format!(
            "The secret is not repeated here. It has to be in the variable {SECRET_ENV} where the server starts: {fetch}."
        );
        if value.len() < SECRET_BYTES_MIN {
            text = format!(
                "{text} It has {} bytes, and {SECRET_BYTES_MIN} are the least here: make a new one, for your backend and for this server.",
                value.len()
            );
        }
        report.note(Group::ToDo, key, text);
        let mut issuer = Section::new("issuer.backend").about(ABOUT);
        let others = "HS384 and HS512 were taken too: write the one that your backend uses";
        issuer.put_with("algorithm", quoted("HS256"), others);
        issuer.put("secret_env", quoted(SECRET_ENV));
        names.write(&mut issuer);
        return Some(issuer);
    }
    let (name, algorithm) = match key.ends_with("rsa_public_key") {
        true => ("backend-rsa", "RS256"),
        false => ("backend-ecdsa", "ES256"),
    };
    let file = format!("{name}.pem");
    report.note(Group::ToDo, key, format!("Write the public key into the file {file}, beside the configuration."));
    let mut issuer = Section::new(format!("issuer.{name}")).about(ABOUT);
    issuer.put("algorithm", quoted(algorithm));
    issuer.put("public_key_file", quoted(&file));
    names.write(&mut issuer);
    Some(issuer)
}

fn refuse_what_is_insecure(picture: &Picture, report: &mut Report<'_>) {
    for (key, text) in [
        (
            "client.insecure",
            "Connections without a token that may do everything. It is not carried over: there is nothing like it.",
        ),
        (
            "client.insecure_skip_token_signature_verify",
            "Tokens that nobody has signed. It is not carried over: signatures are always checked.",
        ),
    ] {
        if picture.flag(key) {
            report.note(Group::Decide, key, text);
        }
    }
    for (key, text) in [
        (
            "client.user_id_http_header",
            "A header that says who somebody is. It is not believed here: have your proxy bring a token.",
        ),
        (
            "client.token.jwks_public_endpoint",
            "An address that keys are fetched from. None are: write the public key into a file and name it as an [issuer.NAME]. Until then no such token is taken.",
        ),
        (
            "client.token.hmac_previous_secret_key",
            "The secret before this one. It is not carried over, since it cannot be given an end here: write it as an [issuer.NAME] of its own, and take that away in time.",
        ),
        (
            "client.token.hmac_previous_secret_key_valid_until",
            "Until when the secret before this one is good. An issuer has no end here.",
        ),
    ] {
        if picture.text(key).is_some() {
            report.note(Group::Decide, key, text);
        }
    }
    // Nobody without a name has a token here, whether it says so or not.
    picture.settle("client.disallow_anonymous_connection_tokens");
}

/// Whether `sub` names the user. Where another claim does, the wrong people would be let in by `sub`.
fn is_sub_the_user(picture: &Picture, report: &mut Report<'_>, keys: &[String]) -> bool {
    let claim = "client.token.user_id_claim";
    if picture.text(claim).is_none_or(|claim| claim == "sub") {
        return true;
    }
    let text = "Another claim than sub named the user. It is always sub here, so no key is trusted: have your backend put the user into sub, then write the [issuer.NAME].";
    for key in keys.iter().map(String::as_str).chain([claim]).filter(|key| picture.has(key)) {
        report.note(Group::Decide, key, text);
    }
    false
}

/// What tokens have to say of where they come from and whom they are for.
struct Names {
    issuer: Option<String>,
    audience: Option<String>,
}

impl Names {
    fn read(picture: &Picture, report: &mut Report<'_>) -> Self {
        let mut name = |plain: &str, pattern: &str| {
            let exact = picture.text(plain);
            let (Some(regex), None) = (picture.text(pattern), &exact) else {
                return exact;
            };
            Some(regex::literal(&regex).unwrap_or_else(|| {
                let text = "A pattern that the name in the token had to match. One name is written here, and until you write it no token has it.";
                report.note(Group::Decide, pattern, text);
                "write-the-name-here".to_owned()
            }))
        };
        Self {
            issuer: name("client.token.issuer", "client.token.issuer_regex"),
            audience: name("client.token.audience", "client.token.audience_regex"),
        }
    }

    fn write(&self, issuer: &mut Section) {
        if self.issuer.is_some() || self.audience.is_some() {
            issuer.put_with("claims", quoted("named"), "iss and aud have to be there, as before");
        }
        for (key, name) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if let Some(name) = name {
                issuer.put(key, quoted(name));
            }
        }
        issuer.put("leeway", quoted("5s"));
        issuer.put_with("lifetime_max", quoted("366d"), "as long as before; less is better");
    }

    fn note_what_may_be_there(&self, report: &mut Report<'_>, key: &str) {
        let text = match (&self.issuer, &self.audience) {
            (Some(_), Some(_)) => "Tokens need an end (exp) and a user (sub) here.",
            (None, None) => {
                "Tokens need an end (exp) and a user (sub) here, and those that carry iss or aud are refused until issuer or audience is written."
            }
            (Some(_), None) => {
                "Tokens need an end (exp) and a user (sub) here, and those that carry aud are refused until audience is written."
            }
            (None, Some(_)) => {
                "Tokens need an end (exp) and a user (sub) here, and those that carry iss are refused until issuer is written."
            }
        };
        report.note(Group::Decide, key, text);
    }
}

/// How the value of a key is got out of a file, in words for a shell where that is easy.
fn how_to_fetch(file: &str, key: &str) -> String {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if file.ends_with(".json") && is_plain(file) && is_plain(key) {
        format!("export {SECRET_ENV}=\"$(jq -r .{key} {file})\" takes it from there")
    } else {
        format!("it is the value of {key} in the file")
    }
}
