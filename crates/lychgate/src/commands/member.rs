//! `member`: who may enter a registered resource besides its owner, from the operator's side.

use clap::{Args, Subcommand};
use lychgate_service::ports::registry::Registry;
use serde_json::json;

use super::ended;
use super::registry::{Common, PAGE_ENTRIES, no_resource, resource_name, user_name};
use super::terminal::{self, harmless, say, say_all};

const EXAMPLES: &str = "\
Examples:
  lychgate member add chat:5 alice
  lychgate member list chat:5 --json
      One JSON object per line.
  lychgate member remove chat:5 alice

RESOURCE was registered with `lychgate resource add`; USER is the user as tokens name them.
The owner of a resource may enter it without being listed.
A running server feels a change when it asks again, within policy.ask_again of the endpoint (60 s
by default). What is changed by its HTTP API, under [api], is felt at once.
All of them take --config FILE, which names the database.";

/// See [`EXAMPLES`].
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Member {
    /// List a user as a member of a resource
    Add(Membership),
    /// End a membership
    Remove(Membership),
    /// List the members of a resource
    List {
        /// The resource's name
        #[arg(value_parser = resource_name)]
        resource: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Membership {
    /// The resource's name, such as chat:5
    #[arg(value_parser = resource_name)]
    resource: String,
    /// The user, as tokens name them
    #[arg(value_parser = user_name)]
    user: String,
    #[command(flatten)]
    common: Common,
}

impl Member {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(Membership { resource, user, common }) => {
                let is_new = common.with(async |registry| {
                    registry.add_member(&resource, &user).await?.ok_or_else(|| no_resource(&resource))
                })?;
                let (verb, end) = if is_new { ("is a", "") } else { ("was a", " already") };
                done(&common, &resource, &user, verb, end)
            }
            Self::Remove(Membership { resource, user, common }) => {
                common.with(async |registry| {
                    if registry.remove_member(&resource, &user).await? {
                        return Ok(());
                    }
                    match registry.find_resource(&resource).await? {
                        Some(_) => Err(ended(1, format!("\"{}\" is no member of {resource}", harmless(&user)))),
                        None => Err(no_resource(&resource)),
                    }
                })?;
                done(&common, &resource, &user, "is no", " any more")
            }
            Self::List { resource, common } => common.with(async |registry| list(&common, registry, &resource).await),
        }
    }
}

async fn list(common: &Common, registry: &dyn Registry, resource: &str) -> anyhow::Result<()> {
    let mut after = String::new();
    let mut rows = vec![vec!["USER".to_owned()]];
    loop {
        let page = registry.list_members(resource, &after, PAGE_ENTRIES).await?;
        let page = page.ok_or_else(|| no_resource(resource))?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for user in &page {
            if common.json {
                say(&describe(resource, user))?;
            } else {
                rows.push(vec![harmless(user)]);
            }
        }
    }
    if !common.json {
        say_all(&terminal::table(&rows))?;
    }
    Ok(())
}

fn done(common: &Common, resource: &str, user: &str, verb: &str, end: &str) -> anyhow::Result<()> {
    if common.json {
        say(&describe(resource, user))?;
    } else {
        say(&format!("{} {verb} member of {resource}{end}.", harmless(user)))?;
    }
    Ok(())
}

fn describe(resource: &str, user: &str) -> String {
    json!({"resource": resource, "user": user}).to_string()
}
