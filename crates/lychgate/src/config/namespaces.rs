//! Checks of namespaces: each says what it is for, and no channel can belong to two.

use lychgate_service::naming;

use super::Raw;
use super::endpoint::EndpointKind;
use super::entrance::{OWN, Rule};
use super::fault::{Faults, Place};
use super::namespace::{Namespace, NamespaceRule};
use super::shape::cite;

/// Runs every check on every namespace, and on the endpoints that serve them.
pub(super) fn all(raw: &Raw, faults: &mut Faults) {
    let mut report = Report { raw, faults };
    for (name, namespace) in &raw.namespaces {
        is_whole(name, namespace, &mut report);
        can_be_asked(name, namespace, &mut report);
        has_no_twin(name, namespace, &mut report);
    }
    for (name, endpoint) in &raw.endpoints {
        if endpoint.settings.kind == EndpointKind::Channels {
            if raw.namespaces.is_empty() {
                report.add(
                    &format!("endpoint.{name}"),
                    "kind",
                    "there is no channel that its clients could name",
                    "Write a [namespace.NAME] with channel and policy",
                );
            }
            if let Some(inbox) = &endpoint.settings.inbox {
                has_an_inbox(name, inbox, &mut report);
            }
            if !endpoint.settings.path.slots().is_empty() {
                report.add(
                    &format!("endpoint.{name}"),
                    "path",
                    "its clients name their channels themselves, so its path says nothing",
                    "Write a path without parameters, such as \"/connection/websocket\"",
                );
            }
        }
    }
}

struct Report<'a> {
    raw: &'a Raw,
    faults: &'a mut Faults,
}

impl Report<'_> {
    fn add(&mut self, section: &str, key: &str, wrong: impl Into<String>, remedy: impl Into<String>) {
        let whole = format!("{section}.{key}");
        if !self.faults.concern(&whole) {
            let places = &self.raw.places;
            let place = places.get(&whole).or_else(|| places.get(section)).cloned().unwrap_or(Place::Nowhere);
            self.faults.add(place, whole, wrong, remedy);
        }
    }
}

fn is_whole(name: &str, namespace: &Namespace, report: &mut Report<'_>) {
    let section = format!("namespace.{name}");
    if namespace.settings.channel.is_none() {
        let remedy = format!("Write the form of its channels' names: channel = \"{name}:{{topic}}\"");
        report.add(&section, "channel", "it is missing", remedy);
    }
    if namespace.policy.rule.is_none() {
        let remedy = format!("Say who may subscribe: [namespace.{name}.policy] with rule = \"any\", or another one");
        report.add(&section, "policy.rule", "it is missing", remedy);
    }
    if namespace.settings.history_durable && namespace.settings.history_size == 0 {
        let remedy = "Write a history_size, such as 100, or remove history_durable";
        report.add(&section, "history_durable", "nothing is kept that could outlive the server", remedy);
    }
    if namespace.settings.recovery_mode.0 && namespace.settings.history_size == 0 {
        let remedy = "Write a history_size, such as 1, or remove recovery_mode";
        report.add(&section, "recovery_mode", "nothing is kept that a client could get", remedy);
    }
    if namespace.policy.anonymous && namespace.policy.rule != Some(NamespaceRule::Of(Rule::Any)) {
        let wrong = "nobody vouches for a visitor, so no rule but \"any\" can let them in";
        report.add(&section, "policy.anonymous", wrong, "Remove it, or write rule = \"any\"");
    }
}

fn can_be_asked(name: &str, namespace: &Namespace, report: &mut Report<'_>) {
    let (section, policy) = (format!("namespace.{name}"), &namespace.policy);
    if policy.source != OWN && !report.raw.sources.contains_key(&policy.source) {
        let wrong = format!("there is no source {}", cite(&policy.source));
        report.add(&section, "policy.source", wrong, format!("Write [source.{}] with its url", policy.source));
    }
    let settings = &namespace.settings;
    for (key, source) in [
        ("on_subscribe", &settings.on_subscribe),
        ("on_publish", &settings.on_publish),
        ("on_sub_refresh", &settings.on_sub_refresh),
    ] {
        if let Some(source) = source
            && !report.raw.sources.contains_key(source)
        {
            let wrong = format!("there is no source {}", cite(source));
            report.add(&section, key, wrong, format!("Write [source.{source}] with its url"));
        }
    }
    let Some(pattern) = &namespace.settings.channel else { return };
    if let Some(resource) = &policy.resource
        && let Err(fault) = naming::compile(resource, pattern.target())
    {
        let names: Vec<String> = pattern.target().slots().iter().map(|slot| format!("{{{}}}", slot.name)).collect();
        let remedy = format!("Use {{user.id}}, {{user.name}} and what the channel's name holds: {}", names.join(", "));
        report.add(&section, "policy.resource", format!("{}: {fault}", cite(resource)), remedy);
    }
}

/// An inbox is a channel like any other, so it needs a namespace; what stands behind the user is not known yet.
fn has_an_inbox(name: &str, inbox: &str, report: &mut Report<'_>) {
    let beginning = inbox.split('{').next().unwrap_or_default();
    let namespaces = &report.raw.namespaces;
    let mut prefixes = namespaces.values().filter_map(|other| other.settings.channel.as_ref());
    if !prefixes.any(|pattern| beginning.starts_with(pattern.prefix())) {
        let wrong = format!("no namespace has channels that begin with {}", cite(beginning));
        let remedy = format!(
            "Write one: [namespace.inbox] with channel = \"{beginning}{{name}}\" and policy = {{ rule = \"none\" }}"
        );
        report.add(&format!("endpoint.{name}"), "inbox", wrong, remedy);
    }
}

fn has_no_twin(name: &str, namespace: &Namespace, report: &mut Report<'_>) {
    let Some(pattern) = &namespace.settings.channel else { return };
    let mut earlier = report.raw.namespaces.iter().take_while(|(other, _)| *other != name);
    let twin = earlier
        .find(|(_, other)| other.settings.channel.as_ref().is_some_and(|other| other.prefix() == pattern.prefix()));
    if let Some((twin, _)) = twin {
        let wrong = format!("it begins like that of namespace.{twin}, so a channel could belong to either");
        report.add(&format!("namespace.{name}"), "channel", wrong, "Let its names begin with another text");
    }
}
