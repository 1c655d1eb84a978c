//! What the application is told of: the limits, and whether those who are named can be told.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::{Faults, Notice, Place};
use super::outside::{Source, SourceKind};
use super::section::section;
use super::shape::{Count, Time, cite};
use super::{Config, Raw};

section! {
    /// Events that the application is told: who came and went (`endpoint.NAME.events`), and which channels have subscribers
    /// (`namespace.NAME.events`). They are stored in the database until the application has taken them.
    EventsSettings = "events" {
        /// Stored events that wait for one source. Further ones are lost, and the source is told how many.
        waiting_max: u64 = Count::of(1, 100_000_000), 100_000;
        /// Events in memory that wait to be stored. Further ones are lost, and the source is told how many.
        queue_max: usize = Count::of(16, 10_000_000), 65_536;
        /// Events of one call.
        batch_max: u32 = Count::of(1, 10_000), 100;
        /// The longest pause before a call that failed is made again. The first pause is a quarter of a second.
        retry_max: Duration = Time { least: Duration::from_secs(1), most: Duration::from_secs(3_600) }, Duration::from_secs(30);
    }
}

impl Config {
    /// The endpoints of whose connections somebody is told, each with the source.
    pub fn endpoints_told(&self) -> impl Iterator<Item = (&str, &str)> {
        let told = self.endpoints.iter().map(|(name, endpoint)| (name, &endpoint.settings.events));
        told.filter_map(|(name, source)| Some((name.as_str(), source.as_deref()?)))
    }

    /// The namespaces of whose channels somebody is told, each with the source.
    pub fn namespaces_told(&self) -> impl Iterator<Item = (&str, &str)> {
        let told = self.namespaces.iter().map(|(name, namespace)| (name, &namespace.settings.events));
        told.filter_map(|(name, source)| Some((name.as_str(), source.as_deref()?)))
    }
}

/// Checks that whoever is named can be told.
pub(super) fn can_be_told(
    raw: &Raw,
    sources: &BTreeMap<String, Source>,
    faults: &mut Faults,
    notices: &mut Vec<Notice>,
) {
    let endpoints =
        raw.endpoints.iter().map(|(name, endpoint)| (format!("endpoint.{name}"), &endpoint.settings.events));
    let namespaces =
        raw.namespaces.iter().map(|(name, namespace)| (format!("namespace.{name}"), &namespace.settings.events));
    let mut is_used = false;
    for (section, source) in endpoints.chain(namespaces) {
        let Some(source) = source else { continue };
        is_used = true;
        let key = format!("{section}.events");
        let fault = match (raw.sources.contains_key(source), sources.get(source)) {
            (false, _) => Some((
                format!("there is no source {}", cite(source)),
                format!("Write [source.{source}] with the url of the application, and its secret"),
            )),
            // What is wrong with it is told where it stands.
            (true, None) => None,
            (true, Some(found)) if found.kind() == SourceKind::Database => Some((
                format!("source.{source} is a database, which cannot be told anything"),
                "Name a source with an http:// or https:// address".to_owned(),
            )),
            (true, Some(found)) => found.secret.is_none().then(|| {
                let wrong = format!("calls to the application are signed, and source.{source} has no secret");
                (wrong, format!("Set secret_env or secret_file in [source.{source}]"))
            }),
        };
        if let Some((wrong, remedy)) = fault
            && !faults.concern(&key)
            && !faults.concern(&format!("source.{source}"))
        {
            faults.add(raw.place_or(&key, &section), key, wrong, remedy);
        }
    }
    let least = raw.limits.connections_max as u64;
    if is_used && raw.events.waiting_max < least && !matches!(raw.place("events.waiting_max"), Place::Nowhere) {
        let text = format!(
            "{} is less than limits.connections_max: when all connections end at once, some of that may be lost",
            raw.events.waiting_max
        );
        notices.push(Notice { place: raw.place("events.waiting_max"), key: "events.waiting_max".to_owned(), text });
    }
}
