//! What the application is told, and the hub that says which channels have somebody in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use lychgate_hub::{Drain, Hub, HubConfig, Registrar};
use lychgate_service::channels::Namespaces;
use lychgate_service::events::{ChannelWitness, EventLimits, EventSource, Outbox, OutboxParts, Sessions};
use lychgate_service::ports::clock::Clock;
use lychgate_store::SqliteStore;

use super::{Writers, sources, with_causes};
use crate::config::Config;

/// The outbox, where anybody is told anything.
///
/// # Errors
///
/// All reasons why somebody cannot be told, a sentence each.
pub(super) async fn outbox(
    config: &Config,
    store: &SqliteStore,
    clock: &Arc<dyn Clock>,
    writers: &Writers,
) -> Result<Option<Outbox>, Vec<String>> {
    let of_endpoints = config.endpoints_told().map(|(name, source)| (source, format!("endpoint.{name}.events")));
    let of_namespaces = config.namespaces_told().map(|(name, source)| (source, format!("namespace.{name}.events")));
    let (mut names, mut found, mut faults) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (name, key) in of_endpoints.chain(of_namespaces) {
        if !names.insert(name) {
            continue;
        }
        match sources::application(config, name, &key) {
            Ok(application) => found.push(EventSource { name: name.into(), application }),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if found.is_empty() {
        return Ok(None);
    }
    let limits = &config.events;
    let parts = OutboxParts {
        sources: found,
        events: Arc::new(store.clone()),
        clock: Arc::clone(clock),
        limits: EventLimits {
            queue_max: limits.queue_max,
            waiting_max: limits.waiting_max,
            batch_max: limits.batch_max,
            retry_max: limits.retry_max,
        },
    };
    let outbox = Outbox::start(parts, &writers.tasks, &writers.stop).await;
    let fault = |error| {
        vec![format!("database.url: what the application is to be told cannot be read: {}", with_causes(&error))]
    };
    outbox.map(Some).map_err(fault)
}

/// A hub that tells of the channels of namespaces, where anybody wants to know.
pub(super) fn hub(
    config: &Config,
    limits: HubConfig,
    outbox: Option<&Outbox>,
    namespaces: &Namespaces,
) -> (Registrar, Drain) {
    let Some(outbox) = outbox else { return Hub::new(limits) };
    let told: Vec<_> =
        config.namespaces_told().filter_map(|(name, source)| Some((name, outbox.source(source)?))).collect();
    if told.is_empty() {
        return Hub::new(limits);
    }
    Hub::witnessed(limits, Arc::new(ChannelWitness::new(outbox.clone(), namespaces.clone(), &told)))
}

/// Who is told of the connections of an endpoint.
pub(super) fn sessions(outbox: Option<&Outbox>, endpoint: &str, source: Option<&str>) -> Option<Sessions> {
    let outbox = outbox?;
    Some(Sessions::new(outbox.clone(), outbox.source(source?)?, endpoint))
}
