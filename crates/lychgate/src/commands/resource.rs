//! `resource`: what belongs to whom, from the operator's side.

use clap::Subcommand;
use lychgate_service::ports::registry::{Registry, Resource as Registered};
use serde_json::json;

use super::registry::{Common, PAGE_ENTRIES, no_resource, resource_name, user_name};
use super::terminal::{self, harmless, say, say_all};

const EXAMPLES: &str = "\
Examples:
  lychgate resource add entry:17 --owner alice
      alice owns it. Said again with another owner, it changes hands and keeps its members.
  lychgate resource add chat:5
      Nobody's; its members are added with `lychgate member add`.
  lychgate resource list --json
      One JSON object per line.
  lychgate resource remove entry:17

NAME is what an endpoint calls the resource; USER is the user as tokens name them.
A running server feels a change when it asks again, within policy.ask_again of the endpoint (60 s
by default). What is changed by its HTTP API, under [api], is felt at once.
All of them take --config FILE, which names the database.";

/// See [`EXAMPLES`].
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Resource {
    /// Register a resource, or give it another owner
    Add {
        /// Its name, such as entry:17
        #[arg(value_parser = resource_name)]
        name: String,
        /// Whom it belongs to; nobody, if it is not said
        #[arg(long, value_name = "USER", value_parser = user_name)]
        owner: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a resource and its members
    Remove {
        /// Its name
        #[arg(value_parser = resource_name)]
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// List all resources
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show one resource
    Show {
        /// Its name
        #[arg(value_parser = resource_name)]
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

impl Resource {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add { name, owner, common } => {
                let resource = Registered { name, owner };
                let is_new = common.with(async |registry| Ok(registry.put_resource(&resource).await?))?;
                let what = match (is_new, &resource.owner) {
                    (true, Some(owner)) => format!("is registered and belongs to {}", harmless(owner)),
                    (true, None) => "is registered and nobody's".to_owned(),
                    (false, Some(owner)) => format!("was registered and now belongs to {}", harmless(owner)),
                    (false, None) => "was registered and is now nobody's".to_owned(),
                };
                done(&common, &resource, &what)
            }
            Self::Remove { name, common } => {
                let removed = common.with(async |registry| {
                    let resource = find(registry, &name).await?;
                    if registry.remove_resource(&name).await? { Ok(resource) } else { Err(no_resource(&name)) }
                })?;
                done(&common, &removed, "and its members are removed")
            }
            Self::List { common } => common.with(async |registry| list(&common, registry).await),
            Self::Show { name, common } => {
                let resource = common.with(async |registry| find(registry, &name).await)?;
                if common.json {
                    say(&describe(&resource))?;
                } else {
                    say_all(&table(&[resource]))?;
                }
                Ok(())
            }
        }
    }
}

async fn find(registry: &dyn Registry, name: &str) -> anyhow::Result<Registered> {
    registry.find_resource(name).await?.ok_or_else(|| no_resource(name))
}

async fn list(common: &Common, registry: &dyn Registry) -> anyhow::Result<()> {
    let mut after = String::new();
    let mut rows = Vec::new();
    loop {
        let page = registry.list_resources(&after, PAGE_ENTRIES).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        if common.json {
            for resource in &page {
                say(&describe(resource))?;
            }
        } else {
            rows.extend(page);
        }
    }
    if !common.json {
        say_all(&table(&rows))?;
    }
    Ok(())
}

fn done(common: &Common, resource: &Registered, what: &str) -> anyhow::Result<()> {
    if common.json {
        say(&describe(resource))?;
    } else {
        say(&format!("{} {what}.", resource.name))?;
    }
    Ok(())
}

fn describe(resource: &Registered) -> String {
    json!({"name": resource.name, "owner": resource.owner}).to_string()
}

fn table(resources: &[Registered]) -> String {
    let mut rows = vec![["NAME", "OWNER"].map(str::to_owned).to_vec()];
    rows.extend(resources.iter().map(|resource| {
        vec![harmless(&resource.name), resource.owner.as_deref().map_or_else(|| "-".to_owned(), harmless)]
    }));
    terminal::table(&rows)
}
