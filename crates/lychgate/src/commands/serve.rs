//! `serve`: configuration in, server out.

use clap::Args;

use super::{ConfigArgs, ended, terminal};
use crate::{config, lifecycle};

const EXAMPLES: &str = "\
Examples:
  lychgate serve --dev
      With the built-in example: user \"user\", password \"password\", port 8000 of this machine alone.
  lychgate serve --config lychgate.toml
  lychgate serve --config lychgate.toml --config overlay.toml
      The second file lies over the first, key by key.

Every setting can also come from a variable: LYCHGATE__SERVER__LISTEN=0.0.0.0:8000.
SIGTERM or Ctrl-C drains: clients are told to come back, over the time server.drain_spread.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    /// Development: loopback alone, keys and accounts in memory, a demo user, a test token
    #[arg(long)]
    dev: bool,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let loaded = config::load(&self.config.sources(self.dev)?)?;
        for notice in &loaded.notices {
            terminal::complain(&format!("warning: {notice}"));
        }
        lifecycle::serve(loaded.config).map_err(|error| ended(2, format!("{error:#}")))
    }
}
