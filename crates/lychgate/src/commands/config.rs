//! `config`: is it right, what does it come to, what could be written.

use clap::Subcommand;

use super::terminal::{complain, say, say_all};
use super::{ConfigArgs, ended};
use crate::config;

const CHECK_EXAMPLES: &str = "\
Example:
  lychgate config check --config lychgate.toml
      Every fault at once, each with its file and line, what is wrong, and what to do. Exit code 2 if there is any.";

const PRINT_EXAMPLES: &str = "\
Example:
  lychgate config print --config lychgate.toml --config overlay.toml
      Every setting with its value and where that came from. Secrets are redacted.";

#[derive(Subcommand)]
pub(super) enum Config {
    /// Report everything that is wrong with a configuration
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show the configuration that results from files and environment
    #[command(after_help = PRINT_EXAMPLES)]
    Print {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show every key there is, as Markdown
    Reference {
        /// Only this section, such as `limits`
        section: Option<String>,
    },
    /// Write a configuration from that of another server
    Import(super::import::Import),
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check { config } => check(&config),
            Self::Print { config } => {
                let loaded = config::load(&config.sources(false)?)?;
                Ok(say_all(&config::print(&loaded.config))?)
            }
            Self::Import(import) => import.run(),
            Self::Reference { section: None } => Ok(say_all(&config::reference())?),
            Self::Reference { section: Some(section) } => match config::reference_of(&section) {
                Ok(text) => Ok(say_all(&text)?),
                Err(known) => {
                    Err(ended(2, format!("there is no section \"{section}\"; there are {}", known.join(", "))))
                }
            },
        }
    }
}

fn check(args: &ConfigArgs) -> anyhow::Result<()> {
    let loaded = config::load(&args.sources(false)?)?;
    for notice in &loaded.notices {
        complain(&format!("warning: {notice}"));
    }
    let endpoints: Vec<_> = loaded
        .config
        .endpoints
        .iter()
        .map(|(name, endpoint)| format!("{name} at {}", endpoint.settings.path))
        .collect();
    let endpoints = if endpoints.is_empty() { "no endpoint".to_owned() } else { endpoints.join(", ") };
    Ok(say(&format!("The configuration is good: {endpoints}, listening on {}.", loaded.config.server.listen))?)
}
