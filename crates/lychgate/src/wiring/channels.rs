//! Namespaces and what stands behind them: who may enter, what is kept, how it is written.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderName;
use lychgate_gateway::http::api::channels::ChannelsApi;
use lychgate_gateway::ws::channels::{ChannelsSettings, Clients, OnConnect};
use lychgate_hub::Registrar;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::channels::{
    Asked, Callback, ChannelAccess, ChannelPattern, Member, Namespace, Namespaces, Operator, Roster,
};
use lychgate_service::journal::{Journal, JournalParts};
use lychgate_service::limits::Rate;
use lychgate_service::local_broker::LocalBroker;
use lychgate_service::policy::{Access, Policy};
use lychgate_service::ports::broker::{Broker, Retention};
use lychgate_service::ports::clock::Clock;
use lychgate_service::revocations::Revocations;
use lychgate_store::SqliteStore;
use lychgate_token::Verifier;

use super::doors::{self, Authorities, Question};
use super::sources;
use super::{Writers, with_causes};
use crate::config::{self, Config, Endpoint, NamespaceRule};

/// All namespaces.
///
/// # Errors
///
/// All reasons why one cannot be made, a sentence each: a source that cannot be opened, a query that it refuses.
pub(super) async fn namespaces(authorities: &Authorities<'_>) -> Result<Namespaces, Vec<String>> {
    let mut list = Vec::new();
    let mut faults = Vec::new();
    for (name, namespace) in &authorities.config.namespaces {
        match made(authorities, name, namespace).await {
            Ok(namespace) => list.push(namespace),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Namespaces::new(list).map_err(|twins| vec![twins.to_string()])
}

async fn made(authorities: &Authorities<'_>, name: &str, namespace: &config::Namespace) -> Result<Namespace, String> {
    let config::Namespace { settings, policy } = namespace;
    // Both were checked with the configuration.
    let missing = |key: &str| format!("namespace.{name}.{key}: it is missing");
    let pattern: ChannelPattern = settings.channel.clone().ok_or_else(|| missing("channel"))?;
    let rule = policy.rule.ok_or_else(|| missing("policy.rule"))?;
    let access = match rule {
        NamespaceRule::Token => Access::Vouched,
        NamespaceRule::Nobody => Access::Nobody,
        NamespaceRule::Of(rule) => {
            let own = pattern.template();
            let question = Question {
                key: format!("namespace.{name}.policy"),
                rule,
                source: &policy.source,
                query: policy.query.as_deref(),
                resource: policy.resource.as_deref().unwrap_or(&own),
                target: pattern.target(),
                // A subscription is refused with one word, whatever the reason.
                hides_foreign: false,
            };
            doors::access(authorities, question).await?
        }
    };
    let retention = Retention {
        publications_max: settings.history_size,
        time_to_live: settings.history_ttl,
        position_time_to_live: settings.history_meta_ttl.max(settings.history_ttl),
        is_durable: settings.history_durable,
        newest_alone: settings.recovery_mode.0,
    };
    let callback = |key: &str, source: Option<&str>| {
        let application = |source| sources::application(authorities.config, source, &format!("namespace.{name}.{key}"));
        source.map(application).transpose().map(|application| application.map(Callback::new))
    };
    // Channels name themselves; a policy of a namespace never makes a name.
    let unnamed = ChannelName::new(name).map_err(|fault| format!("namespace.{name}: {fault}"))?;
    Ok(Namespace {
        name: name.into(),
        pattern,
        policy: Policy::new(unnamed, access),
        anonymous: policy.anonymous,
        ask_again_every: Some(policy.ask_again),
        subscribers_max: settings.subscribers_max,
        publish: settings.publish.0,
        publication_bytes_max: settings.publication_bytes_max,
        presence: settings.presence.0,
        lists: true,
        join_leave: settings.join_leave.0,
        announces: settings.join_leave.0 != Asked::Never,
        history: (settings.history_size > 0).then_some((retention, settings.history.0)),
        recovery: settings.recovery.0,
        deltas: settings.deltas && settings.history_size > 0,
        on_subscribe: callback("on_subscribe", settings.on_subscribe.as_deref())?,
        on_publish: callback("on_publish", settings.on_publish.as_deref())?,
        on_sub_refresh: callback("on_sub_refresh", settings.on_sub_refresh.as_deref())?,
    })
}

/// Where publications go: through the journal, where a namespace is durable.
///
/// # Errors
///
/// A sentence on why what was stored cannot be read.
pub(super) async fn durable(
    local: Arc<LocalBroker>,
    namespaces: &Namespaces,
    store: &SqliteStore,
    clock: &Arc<dyn Clock>,
    writers: &Writers,
) -> Result<Arc<dyn Broker>, Vec<String>> {
    let is_durable = |namespace: &Namespace| namespace.history.is_some_and(|(retention, _)| retention.is_durable);
    if !namespaces.iter().any(is_durable) {
        return Ok(local);
    }
    let parts = JournalParts {
        local,
        publications: Arc::new(store.clone()),
        rules: Arc::new(namespaces.clone()),
        clock: Arc::clone(clock),
    };
    let journal = Journal::start(parts, &writers.tasks, writers.stop.clone()).await;
    let fault = |error| format!("database.url: what channels have kept cannot be read: {}", with_causes(&error));
    journal.map(|journal| Arc::new(journal) as Arc<dyn Broker>).map_err(|error| vec![fault(error)])
}

/// What endpoints with `kind = "channels"` share.
pub(super) struct Channels {
    pub(super) access: Arc<ChannelAccess>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) roster: Arc<Roster>,
    pub(super) clients: Arc<Clients>,
}

impl Channels {
    pub(super) fn new(
        namespaces: Namespaces,
        broker: Arc<dyn Broker>,
        verifier: Arc<Verifier>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let access = Arc::new(ChannelAccess::new(namespaces, verifier, revocations, clock));
        Self { access, broker, roster: Arc::default(), clients: Arc::default() }
    }

    /// What the application may do with them; nothing, where there are none.
    pub(super) fn api(&self, config: &Config, registrar: &Registrar) -> Option<ChannelsApi> {
        let (access, broker, roster) = (Arc::clone(&self.access), Arc::clone(&self.broker), Arc::clone(&self.roster));
        (!config.namespaces.is_empty()).then(|| ChannelsApi {
            operator: Arc::new(Operator::new(access, broker, roster, registrar.clone())),
            clients: Arc::clone(&self.clients),
            publications_max: config.limits.publications_per_answer,
            node: Member::fresh_client(),
            started: Instant::now(),
        })
    }

    /// What one of them is told.
    ///
    /// # Errors
    ///
    /// A sentence on why the application cannot be asked.
    pub(super) fn settings(
        &self,
        config: &Config,
        name: &str,
        endpoint: &Endpoint,
    ) -> Result<ChannelsSettings, String> {
        let asked = &endpoint.settings;
        let callback = |key: &str, source: &Option<String>| {
            let application = |source| sources::application(config, source, &format!("endpoint.{name}.{key}"));
            source.as_deref().map(application).transpose().map(|application| application.map(Callback::new))
        };
        // Their names were checked with the configuration.
        let names = |list: &[String]| list.iter().filter_map(|name| HeaderName::try_from(name.as_str()).ok()).collect();
        let on_connect = callback("on_connect", &asked.on_connect)?.map(|callback| OnConnect {
            callback,
            headers: names(&asked.on_connect_headers),
            emulated_headers: names(&asked.on_connect_emulated_headers),
        });
        let limits = &config.limits;
        let (per_second, burst) = config.message_rate(endpoint);
        // A client that comes back names all its channels at once.
        let channels = u32::try_from(limits.channels_per_connection).unwrap_or(u32::MAX);
        Ok(ChannelsSettings {
            on_rpc: callback("on_rpc", &asked.on_rpc)?,
            on_connect,
            on_refresh: callback("on_refresh", &asked.on_refresh)?,
            access: Arc::clone(&self.access),
            broker: Arc::clone(&self.broker),
            roster: Arc::clone(&self.roster),
            clients: Arc::clone(&self.clients),
            channels_max: limits.channels_per_connection,
            publications_max: limits.publications_per_answer,
            command_rate: Rate::new(per_second, 1_000, burst.saturating_add(channels)),
        })
    }
}
