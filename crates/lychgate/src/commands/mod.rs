//! The command line: what can be asked for, and how each answer ends the process.
//!
//! **Invariant:** no command prints a token, a password or a key, except `token mint` and `apikey create`, whose answer
//! is one.

mod apikey;
mod channels;
mod config;
mod connect;
mod endpoints;
mod exchange;
mod import;
mod member;
mod registry;
mod resource;
mod revoking;
mod serve;
mod session;
mod terminal;
mod token;
mod user;
mod user_import;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Faults, Sources};

const ABOUT: &str = "The gate in front of an application's live features: sockets come in with a token, and what is said inside reaches those who may hear it.";

const EXAMPLES: &str = "\
Examples:
  lychgate serve --dev
      A server to look around with: a demo user, nothing kept, this machine alone.
  lychgate serve --config lychgate.toml
      The real one.
  lychgate user add alice --config lychgate.toml
      An account; the password is asked for.
  lychgate connect ws://127.0.0.1:8000/ws --user alice
      Log in, connect, type lines.
  lychgate publish news '{\"text\":\"We are open\"}' --key-file shop.key
      To everybody in a channel of a running server.

Exit codes:
  0  done
  1  the command was understood and failed
  2  wrong usage, or a configuration that cannot be used
  `lychgate connect --help` lists those of connect.";

/// What was asked for.
#[derive(Parser)]
#[command(name = "lychgate", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Check, print, explain or import a configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Show what a configuration serves, who may enter, and how each refusal looks
    Endpoints(endpoints::Endpoints),
    /// Manage the accounts that may log in
    #[command(subcommand)]
    User(user::User),
    /// Manage the register of resources and their owners
    #[command(subcommand)]
    Resource(resource::Resource),
    /// Manage the members of registered resources
    #[command(subcommand)]
    Member(member::Member),
    /// Manage the keys that programs show to the HTTP API
    #[command(subcommand, name = "apikey")]
    ApiKey(apikey::ApiKey),
    /// See who is logged in, and end sessions
    #[command(subcommand)]
    Session(session::Session),
    /// Publish in a channel of a running server
    Publish(channels::Publish),
    /// List the channels of a running server that somebody hears
    Channels(channels::Channels),
    /// Show who is in a channel of a running server
    Presence(channels::Presence),
    /// Show what a channel of a running server keeps
    History(channels::History),
    /// Make a token, look into one, or revoke it
    #[command(subcommand)]
    Token(token::Token),
    /// Talk to an endpoint from the terminal
    Connect(connect::Connect),
}

/// Which configuration a command goes by.
#[derive(Args)]
struct ConfigArgs {
    /// Configuration file; give it several times to lay one over the other
    ///
    /// Without it: the file named by LYCHGATE_CONFIG, else lychgate.toml in the working directory.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl ConfigArgs {
    fn sources(&self, dev: bool) -> Result<Sources, Faults> {
        let mut paths = self.config.clone();
        if paths.is_empty()
            && let Some(path) = std::env::var_os("LYCHGATE_CONFIG").filter(|path| !path.is_empty())
        {
            paths.push(PathBuf::from(path));
        }
        Sources::gather(&paths, dev)
    }
}

/// An end with an exit code of its own.
#[derive(Debug)]
struct Ended {
    code: u8,
    text: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Ended {}

/// An error that ends the process with `code` after `text`; nothing is printed when that is empty.
fn ended(code: u8, text: impl Into<String>) -> anyhow::Error {
    Ended { code, text: text.into() }.into()
}

/// Reads the command line, does what it says, and gives the exit code.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Endpoints(command) => command.run(),
        Command::User(command) => command.run(),
        Command::Resource(command) => command.run(),
        Command::Member(command) => command.run(),
        Command::ApiKey(command) => command.run(),
        Command::Session(command) => command.run(),
        Command::Publish(command) => command.run(),
        Command::Channels(command) => command.run(),
        Command::Presence(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Connect(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }) {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    if let Some(faults) = error.downcast_ref::<Faults>() {
        let count = faults.iter().count();
        let things = if count == 1 { "one fault" } else { "these faults" };
        terminal::complain(&format!("lychgate: the configuration has {things} ({count}):\n\n{faults}"));
        return ExitCode::from(2);
    }
    if let Some(ended) = error.downcast_ref::<Ended>() {
        if !ended.text.is_empty() {
            terminal::complain(&format!("lychgate: {ended}"));
        }
        return ExitCode::from(ended.code);
    }
    terminal::complain(&format!("lychgate: {error:#}"));
    ExitCode::FAILURE
}

/// A runtime for a command that waits for a few things.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A thread that still waits for the terminal must not keep the process.
    runtime.shutdown_background();
    result
}
