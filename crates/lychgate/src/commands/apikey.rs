//! `apikey`: the keys that programs of the application show to the HTTP API, from the operator's side.
//!
//! **Invariant:** a key is printed once, by the command that makes it, and by no other.

use std::sync::Arc;

use clap::Subcommand;
use lychgate_service::api_key_office::{ApiKeyNotMade, ApiKeyOffice, Scope, is_api_key_name};
use lychgate_service::ports::api_keys::{API_KEY_NAME_BYTES_MAX, StoredApiKey};
use lychgate_service::ports::clock::SystemClock;
use serde_json::json;

use super::ended;
use super::registry::{Common, PAGE_ENTRIES};
use super::terminal::{self, complain, harmless, say, say_all};

const EXAMPLES: &str = "\
Examples:
  lychgate apikey create shop --scope registry:read --scope registry:write
      Prints the key, once. Keep it where the program finds it that shows it.
  lychgate apikey create news --scope channels:publish > news.key
      For `lychgate publish news … --key-file news.key`.
  KEY=$(lychgate apikey create shop --scope registry:write)
      Standard output holds the key alone.
  lychgate apikey list --json
      One JSON object per line; never a key.
  lychgate apikey revoke shop

Scopes:
  registry:read     to read resources and members
  registry:write    to change them
  channels:publish  to publish in channels
  channels:read     to read who is in them and what they keep
  channels:manage   to subscribe, unsubscribe and disconnect clients

The server serves the API with `enabled = true` under [api].
All of them take --config FILE, which names the database.";

/// See [`EXAMPLES`].
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum ApiKey {
    /// Make a key and print it
    Create {
        /// What logs and lists call it; a name is given once, for good
        #[arg(value_parser = key_name)]
        name: String,
        /// What it is good for; may be given more than once
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
        #[command(flatten)]
        common: Common,
    },
    /// List all keys, the revoked ones too
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Make a key worth nothing, from the next request on
    Revoke {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

impl ApiKey {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { name, scopes, common } => {
                let (key, stored) = with_office(&common, async |office| match office.make(&name, &scopes).await {
                    Err(ApiKeyNotMade::Taken) => Err(ended(
                        1,
                        format!("there is, or was, a key called {}; choose another name", harmless(&name)),
                    )),
                    made => Ok(made?),
                })?;
                if common.json {
                    let mut shown = shown(&stored);
                    shown["key"] = key.expose().into();
                    say(&shown.to_string())?;
                } else {
                    say(key.expose())?;
                    let scopes = stored.scopes.join(" ");
                    complain(&format!(
                        "{name} is made, for {scopes}. The key is shown this once; it cannot be shown again."
                    ));
                }
                Ok(())
            }
            Self::List { common } => with_office(&common, async |office| list(&common, office).await),
            Self::Revoke { name, common } => {
                let was_good = with_office(&common, async |office| Ok(office.revoke(&name).await?))?;
                let Some(was_good) = was_good else {
                    return Err(ended(1, format!("there is no key \"{}\"", harmless(&name))));
                };
                if common.json {
                    say(&json!({"name": name, "revoked": true, "was_good": was_good}).to_string())?;
                } else {
                    say(&format!("{name} {}.", if was_good { "is revoked" } else { "was revoked already" }))?;
                }
                Ok(())
            }
        }
    }
}

fn with_office<T>(common: &Common, work: impl AsyncFnOnce(&ApiKeyOffice) -> anyhow::Result<T>) -> anyhow::Result<T> {
    common.with_store(async |store| {
        let office = ApiKeyOffice::new(Arc::new(store.clone()), Arc::new(SystemClock));
        work(&office).await
    })
}

async fn list(common: &Common, office: &ApiKeyOffice) -> anyhow::Result<()> {
    let mut after = String::new();
    let mut rows = vec![["NAME", "SCOPES", "CREATED", "LAST USED", "STATE"].map(str::to_owned).to_vec()];
    loop {
        let page = office.list(&after, PAGE_ENTRIES).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        for key in &page {
            if common.json {
                say(&shown(key).to_string())?;
            } else {
                rows.push(row(key));
            }
        }
    }
    if !common.json {
        say_all(&terminal::table(&rows))?;
    }
    Ok(())
}

fn row(key: &StoredApiKey) -> Vec<String> {
    let state = key.revoked_at_s.map_or("good".to_owned(), |at_s| format!("revoked {}", time(at_s)));
    let last_used = key.last_used_at_s.map_or("never".to_owned(), time);
    vec![harmless(&key.name), harmless(&key.scopes.join(" ")), time(key.created_at_s), last_used, state]
}

fn shown(key: &StoredApiKey) -> serde_json::Value {
    json!({
        "name": key.name,
        "scopes": key.scopes,
        "created_at": time(key.created_at_s),
        "last_used_at": key.last_used_at_s.map(time),
        "revoked": key.revoked_at_s.is_some(),
        "revoked_at": key.revoked_at_s.map(time),
    })
}

fn time(unix_s: u64) -> String {
    let second = i64::try_from(unix_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

fn key_name(text: &str) -> Result<String, String> {
    if is_api_key_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a key's name has 1 to {API_KEY_NAME_BYTES_MAX} characters of visible ASCII and no blanks"))
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::named(text).ok_or_else(|| {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        format!("there is no scope \"{}\"; there are {}", harmless(text), known.join(" and "))
    })
}
