//! What the commands `resource`, `member` and `apikey` share: the database, and how names are read and told.

use anyhow::Context as _;
use clap::Args;
use lychgate_service::ports::registry::{REGISTRY_NAME_BYTES_MAX, Registry, is_resource_name, is_user_name};
use lychgate_store::SqliteStore;

use super::{ConfigArgs, block_on, ended, terminal};
use crate::config;

/// How many entries are read at once, so that a million of them take the memory of one page.
pub(super) const PAGE_ENTRIES: u32 = 500;

#[derive(Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigArgs,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    /// Opens the register for one piece of work.
    pub(super) fn with<T>(&self, work: impl AsyncFnOnce(&dyn Registry) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.with_store(async |store| work(store).await)
    }

    /// Opens the database for one piece of work.
    pub(super) fn with_store<T>(&self, work: impl AsyncFnOnce(&SqliteStore) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (database, _) = config::load_accounts(&self.config.sources(false)?)?;
        block_on(async {
            let store = lychgate_store::open(&database.url).await.context("database.url")?;
            let result = work(&store).await;
            store.close().await;
            result
        })
    }
}

/// The name of a resource: the same characters that a channel's name may have.
pub(super) fn resource_name(text: &str) -> Result<String, String> {
    if is_resource_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a name has 1 to {REGISTRY_NAME_BYTES_MAX} characters of visible ASCII and no blanks"))
    }
}

/// A user as tokens name them.
pub(super) fn user_name(text: &str) -> Result<String, String> {
    if is_user_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a user has 1 to {REGISTRY_NAME_BYTES_MAX} bytes without control characters"))
    }
}

pub(super) fn no_resource(name: &str) -> anyhow::Error {
    ended(1, format!("there is no resource \"{}\"", terminal::harmless(name)))
}
