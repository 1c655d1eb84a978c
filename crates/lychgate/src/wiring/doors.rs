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
use lychgate_service::target::Target;

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
    let policy = &endpoint.policy;
    let question = Question {
        key: format!("endpoint.{name}.policy"),
        rule: policy.rule,
        source: &policy.source,
        query: policy.query.as_deref(),
        resource: policy.resource.as_deref().unwrap_or(&endpoint.settings.channel),
        target: &endpoint.settings.path,
        hides_foreign: policy.hide_foreign,
    };
    let access = access(authorities, question).await?;
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

/// Who may enter, as it was written.
pub(super) struct Question<'a> {
    /// The section that says so.
    pub(super) key: String,
    pub(super) rule: Rule,
    pub(super) source: &'a str,
    pub(super) query: Option<&'a str>,
    /// The resource's name, as a template.
    pub(super) resource: &'a str,
    /// What that template may use.
    pub(super) target: &'a Target,
    pub(super) hides_foreign: bool,
}

/// Who may enter, and whom that has to be asked of.
///
/// # Errors
///
/// A sentence on why nobody can be asked.
pub(super) async fn access(authorities: &Authorities<'_>, question: Question<'_>) -> Result<Access, String> {
    let relation = match question.rule {
        Rule::Any => return Ok(Access::Any),
        Rule::Grants => return Ok(Access::Granted),
        Rule::Owner => Relation::Owner,
        Rule::Member => Relation::Member,
    };
    let is_own = question.source == OWN;
    let rights: Arc<dyn Rights> = if is_own {
        Arc::new(RegistryRights::new(Arc::clone(&authorities.registry)))
    } else {
        let parameters = question.target.slots().iter().map(|slot| slot.name.to_string()).collect();
        let uses = Uses { query: question.query, parameters };
        sources::rights(authorities.config, question.source, &question.key, uses).await?
    };
    let resource = naming::compile(question.resource, question.target)
        .map_err(|fault| format!("{}.resource: {fault}", question.key))?;
    let resource: Arc<dyn Naming> = Arc::new(resource);
    Ok(Access::Asked { relation, resource, rights, hides_foreign: question.hides_foreign, is_own })
}

fn naming(
    name: &str,
    key: &str,
    template: &str,
    endpoint: &Endpoint,
) -> Result<lychgate_service::template::TextTemplate, String> {
    naming::compile(template, &endpoint.settings.path).map_err(|fault| format!("endpoint.{name}.{key}: {fault}"))
}
