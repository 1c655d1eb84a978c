//! Whom each endpoint lets in, from what its configuration says and who can be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use lychgate_protocol::channel::ChannelName;
use lychgate_service::admission::Door;
use lychgate_service::directory::{AccountsDirectory, AskedDirectory};
use lychgate_service::identity::{IdentityRule, Lookup};
use lychgate_service::naming;
use lychgate_service::policy::{Access, Naming, Policy};
use lychgate_service::ports::directory::Directory;
use lychgate_service::ports::registry::Registry;
use lychgate_service::ports::rights::{Relation, Rights};
use lychgate_service::ports::users::Users;
use lychgate_service::registry_rights::RegistryRights;

use super::sources::{self, Uses};
use crate::config::{Config, Endpoint, OWN, Rule};

/// Who can be asked about people and rights.
pub(super) struct Authorities<'a> {
    pub(super) users: Arc<dyn Users>,
    pub(super) registry: Arc<dyn Registry>,
    pub(super) config: &'a Config,
}

/// The door of every endpoint by its name.
///
/// # Errors
///
/// All reasons why one cannot be made, a sentence each: a source that cannot be opened, a query that it refuses.
pub(super) async fn doors(authorities: &Authorities<'_>) -> Result<BTreeMap<String, Door>, Vec<String>> {
    let mut doors = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, endpoint) in &authorities.config.endpoints {
        match door(authorities, name, endpoint).await {
            Ok(door) => {
                doors.insert(name.clone(), door);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(doors) } else { Err(faults) }
}

async fn door(authorities: &Authorities<'_>, name: &str, endpoint: &Endpoint) -> Result<Door, String> {
    let identity = identity(authorities, name, endpoint).await?;
    let access = access(authorities, name, endpoint).await?;
    let channel = naming(name, "channel", &endpoint.settings.channel, endpoint)?;
    let policy = match channel.as_constant().map(ChannelName::new) {
        Some(Ok(channel)) => Policy::new(channel, access),
        Some(Err(fault)) => return Err(format!("endpoint.{name}.channel: {fault}")),
        None => Policy::named(Arc::new(channel), access),
    };
    let policy = match &endpoint.settings.inbox {
        None => policy,
        Some(inbox) => policy.with_inbox(Arc::new(naming(name, "inbox", inbox, endpoint)?)),
    };
    Ok(Door { identity, policy })
}

async fn identity(authorities: &Authorities<'_>, name: &str, endpoint: &Endpoint) -> Result<IdentityRule, String> {
    let settings = &endpoint.identity;
    let lookup = if settings.must_exist || settings.must_be_active {
        let directory: Arc<dyn Directory> = if settings.lookup == OWN {
            Arc::new(AccountsDirectory::new(Arc::clone(&authorities.users)))
        } else {
            let uses = Uses { query: settings.query.as_deref(), parameters: Vec::new() };
            let key = format!("endpoint.{name}.identity");
            Arc::new(AskedDirectory::new(sources::rights(authorities.config, &settings.lookup, &key, uses).await?))
        };
        Some(Lookup {
            directory,
            subject: settings.subject.0,
            must_be_active: settings.must_be_active,
            when_unavailable: settings.when_unavailable.0,
        })
    } else {
        None
    };
    Ok(IdentityRule {
        lookup,
        subject_kind: settings.subject_kind.0,
        anonymous: settings.anonymous.as_deref().map(Into::into),
        path_user: settings.path_user.as_deref().map(Into::into),
    })
}

async fn access(authorities: &Authorities<'_>, name: &str, endpoint: &Endpoint) -> Result<Access, String> {
    let settings = &endpoint.policy;
    let relation = match settings.rule {
        Rule::Any => return Ok(Access::Any),
        Rule::Grants => return Ok(Access::Granted),
        Rule::Owner => Relation::Owner,
        Rule::Member => Relation::Member,
    };
    let is_own = settings.source == OWN;
    let rights: Arc<dyn Rights> = if is_own {
        Arc::new(RegistryRights::new(Arc::clone(&authorities.registry)))
    } else {
        let parameters = endpoint.settings.path.slots().iter().map(|slot| slot.name.to_string()).collect();
        let uses = Uses { query: settings.query.as_deref(), parameters };
        let key = format!("endpoint.{name}.policy");
        sources::rights(authorities.config, &settings.source, &key, uses).await?
    };
    let template = settings.resource.as_deref().unwrap_or(&endpoint.settings.channel);
    let resource: Arc<dyn Naming> = Arc::new(naming(name, "policy.resource", template, endpoint)?);
    Ok(Access::Asked { relation, resource, rights, hides_foreign: settings.hide_foreign, is_own })
}

fn naming(
    name: &str,
    key: &str,
    template: &str,
    endpoint: &Endpoint,
) -> Result<lychgate_service::template::TextTemplate, String> {
    naming::compile(template, &endpoint.settings.path).map_err(|fault| format!("endpoint.{name}.{key}: {fault}"))
}
