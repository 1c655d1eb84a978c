//! `config print`: the configuration as it stands, each value with its origin.
//!
//! **Invariant:** the output is itself a configuration, except that secrets are redacted.

use std::fmt::Write as _;

use super::Config;
use super::fault::Place;
use super::section::Section;
use super::settings::IssuerSettings;

/// The whole configuration as TOML, with a comment that says where each value comes from.
pub fn print(config: &Config) -> String {
    let mut out = String::new();
    section(&mut out, config, "server", &config.server);
    section(&mut out, config, "log", &config.log);
    section(&mut out, config, "database", &config.database);
    section(&mut out, config, "tokens", &config.tokens);
    for (name, issuer) in &config.issuers {
        section::<IssuerSettings>(&mut out, config, &format!("issuer.{name}"), &issuer.settings);
    }
    section(&mut out, config, "accounts", &config.accounts);
    section(&mut out, config, "login", &config.login);
    section(&mut out, config, "sessions", &config.sessions);
    section(&mut out, config, "revocations", &config.revocations);
    section(&mut out, config, "ticket", &config.ticket);
    section(&mut out, config, "api", &config.api);
    section(&mut out, config, "events", &config.events);
    section(&mut out, config, "limits", &config.limits);
    section(&mut out, config, "redis", &config.redis_settings);
    for (name, source) in &config.source_settings {
        section(&mut out, config, &format!("source.{name}"), source);
    }
    for (name, board) in &config.boards {
        section(&mut out, config, &format!("board.{name}"), board);
    }
    for (name, namespace) in &config.namespaces {
        section(&mut out, config, &format!("namespace.{name}"), &namespace.settings);
        section(&mut out, config, &format!("namespace.{name}.policy"), &namespace.policy);
    }
    for (name, route) in &config.routes {
        section(&mut out, config, &format!("route.{name}"), route);
    }
    for (name, profile) in &config.profile_settings {
        section(&mut out, config, &format!("profile.{name}"), profile);
    }
    for (name, endpoint) in &config.endpoints {
        section(&mut out, config, &format!("endpoint.{name}"), &endpoint.settings);
        section(&mut out, config, &format!("endpoint.{name}.identity"), &endpoint.identity);
        section(&mut out, config, &format!("endpoint.{name}.policy"), &endpoint.policy);
        section(&mut out, config, &format!("endpoint.{name}.stream"), &endpoint.stream);
        section(&mut out, config, &format!("endpoint.{name}.codec"), &endpoint.codec);
        for (kind, rule) in &endpoint.rules {
            section(&mut out, config, &format!("endpoint.{name}.codec.in.{kind}"), rule);
        }
    }
    out
}

fn section<S: Section>(out: &mut String, config: &Config, header: &str, section: &S) {
    if !out.is_empty() {
        out.push('\n');
    }
    // Writing to a string cannot fail.
    let _ = writeln!(out, "[{header}]");
    for (name, value) in section.show() {
        let Some(value) = value else { continue };
        let origin = match config.places.get(&format!("{header}.{name}")) {
            None => "default".to_owned(),
            Some(place @ Place::File { .. }) => place.to_string(),
            Some(Place::Environment(variable)) => format!("${variable}"),
            Some(Place::Nowhere) => String::new(),
        };
        let _ = writeln!(out, "{name} = {value}  # {origin}");
    }
}
