//! Variables under which other programs know our settings.
//!
//! They let a deployment that already sets them move here without renaming anything.
//! An alias lies over the files and below `LYCHGATE__…`; whenever it changes what a file says, a notice says so.
//!
//! **Invariant:** an alias never switches the way tokens are signed; it can only disagree, and that is a fault.

use secrecy::SecretString;

use super::fault::{Faults, Notice, Place};
use super::settings::SigningMethod;
use super::source::Sources;
use super::tree::{Node, Table, Value};

/// Aliases of `tokens.secret`, in the order they are named to the user.
pub(super) const SECRETS: [&str; 3] = ["JWT_SECRET_KEY", "SECRET_KEY", "JWT_SECRET"];

/// The variable that may name the signing algorithm.
pub(super) const ALGORITHM: &str = "ALGORITHM";

const TEST_TOKEN: &str = "WS_TEST_TOKEN";

/// An alias of one setting: its name, the key, and how its text becomes the setting's.
struct Alias {
    variable: &'static str,
    section: &'static str,
    key: &'static str,
    translate: fn(&str, Option<&str>) -> Option<String>,
    remedy: &'static str,
}

const ALIASES: [Alias; 4] = [
    Alias {
        variable: "ACCESS_TOKEN_EXPIRE_MINUTES",
        section: "tokens",
        key: "lifetime",
        translate: |text, _| text.parse::<u64>().ok().map(|minutes| format!("{minutes}m")),
        remedy: "Set it to a whole number of minutes, or remove it",
    },
    Alias {
        variable: "JWT_EXPIRATION_HOURS",
        section: "tokens",
        key: "lifetime",
        translate: |text, _| text.parse::<u64>().ok().map(|hours| format!("{hours}h")),
        remedy: "Set it to a whole number of hours, or remove it",
    },
    Alias {
        variable: "WS_PORT",
        section: "server",
        key: "listen",
        translate: |text, current| {
            let port: u16 = text.parse().ok()?;
            let mut address: std::net::SocketAddr = current.unwrap_or("127.0.0.1:8000").parse().ok()?;
            address.set_port(port);
            Some(address.to_string())
        },
        remedy: "Set it to a port, or remove it; the address comes from server.listen",
    },
    Alias {
        variable: "LOG_LEVEL",
        section: "log",
        key: "level",
        translate: |text, _| {
            let level = text.to_ascii_lowercase();
            Some(match level.as_str() {
                "warning" => "warn".to_owned(),
                "critical" | "fatal" => "error".to_owned(),
                _ => level,
            })
        },
        remedy: "Set it to error, warn, info, debug or trace, or remove it",
    },
];

/// Lays the aliases over the files.
pub(super) fn overlay(root: &mut Table, sources: &Sources, faults: &mut Faults, notices: &mut Vec<Notice>) {
    for alias in &ALIASES {
        let Some(text) = sources.variable(alias.variable).map(str::trim).filter(|text| !text.is_empty()) else {
            continue;
        };
        let key = format!("{}.{}", alias.section, alias.key);
        let place = Place::Environment(alias.variable.to_owned());
        let in_file = lookup(root, alias.section, alias.key);
        let current = in_file.and_then(|node| match &node.value {
            Value::Text(text) | Value::Variable(text) => Some(text.clone()),
            _ => None,
        });
        let Some(value) = (alias.translate)(text, current.as_deref()) else {
            faults.add(place, key, "this is not a value of the setting it stands for", alias.remedy);
            continue;
        };
        let own = format!("LYCHGATE__{}__{}", alias.section.to_uppercase(), alias.key.to_uppercase());
        match sources.variable(&own) {
            Some(other) if other.trim() != value => faults.add(
                place.clone(),
                key.clone(),
                format!("it says {value}, and {own} says something else"),
                format!("Set one of the two; {own} is the name this server documents"),
            ),
            _ => {}
        }
        if let Some(node) = in_file
            && current.as_deref() != Some(value.as_str())
        {
            // Nothing but another alias has come out of the environment by now.
            if let Place::Environment(other) = &node.place {
                let wrong = format!("it says {value}, and {other} says something else");
                faults.add(place.clone(), key.clone(), wrong, "Set one of the two");
                continue;
            }
            let text = format!("sets {value}, over {}", node.place);
            notices.push(Notice { place: place.clone(), key, text });
        }
        let mut above = Table::default();
        above.0.push((alias.key.to_owned(), Node { value: Value::Variable(value), place: place.clone() }));
        let section = Node { value: Value::Table(above), place };
        root.overlay(Table(vec![(alias.section.to_owned(), section)]));
    }
}

fn lookup<'a>(root: &'a Table, section: &str, key: &str) -> Option<&'a Node> {
    let find = |table: &'a Table, key: &str| table.0.iter().find(|(name, _)| name == key).map(|(_, node)| node);
    match &find(root, section)?.value {
        Value::Table(table) => find(table, key),
        _ => None,
    }
}

/// Holds `ALGORITHM` against `tokens.signing`.
pub(super) fn check_algorithm(
    signing: SigningMethod,
    sources: &Sources,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) {
    let Some(named) = sources.variable(ALGORITHM).map(str::trim).filter(|text| !text.is_empty()) else { return };
    let (word, agrees) = match signing {
        SigningMethod::EdDsa => ("eddsa", named.eq_ignore_ascii_case("EdDSA")),
        SigningMethod::Hs256 => ("hs256", named.eq_ignore_ascii_case("HS256")),
    };
    if agrees {
        return;
    }
    let place = Place::Environment(ALGORITHM.to_owned());
    if sources.dev {
        let text = "is ignored: --dev signs with a key of its own".to_owned();
        notices.push(Notice { place, key: "tokens.signing".to_owned(), text });
        return;
    }
    let remedy = if named.eq_ignore_ascii_case("HS256") {
        "Write signing = \"hs256\" under [tokens] if that is what you want, or remove the variable"
    } else if named.eq_ignore_ascii_case("EdDSA") {
        "Write signing = \"eddsa\" under [tokens] if that is what you want, or remove the variable"
    } else {
        "Own tokens are signed with EdDSA or HS256: remove the variable, and set signing under [tokens]"
    };
    faults.add(
        place,
        "tokens.signing",
        format!("the variable disagrees with signing = \"{word}\", and a variable does not switch it"),
        remedy,
    );
}

/// The development server's test token, if one is supplied.
pub(super) fn test_token(sources: &Sources, notices: &mut Vec<Notice>) -> Option<SecretString> {
    let token = sources.variable(TEST_TOKEN).map(str::trim).filter(|token| !token.is_empty())?;
    if sources.dev {
        return Some(SecretString::from(token));
    }
    let text = "is ignored: there is no test token outside --dev".to_owned();
    notices.push(Notice { place: Place::Environment(TEST_TOKEN.to_owned()), key: "test token".to_owned(), text });
    None
}
