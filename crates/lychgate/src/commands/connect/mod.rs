//! `connect`: a client for the terminal and for scripts.
//!
//! **Invariant:** the token and the password are sent to the server and nowhere else; no line of output holds either.

mod login;
pub(super) mod outcome;
mod output;
mod session;
pub(super) mod target;
pub(super) mod transport;

use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use self::session::Work;
use self::target::{Target, TokenPlace};
use super::terminal::{self, complain};
use super::{block_on, ended};
use crate::config::parse_time;

const EXAMPLES: &str = "\
Examples:
  lychgate connect ws://127.0.0.1:8000/ws --user alice
      Log in at http://127.0.0.1:8000/token, connect, send what is typed, show what comes. Ctrl-C closes.
  lychgate connect ws://127.0.0.1:8000/ws --user a@example.com --login-path /auth/login --login-field email --login-json
      The same where the server takes {\"email\", \"password\"} at another path.
  LYCHGATE_TOKEN=$(cat token.txt) lychgate connect wss://example.com/ws
      With a token that is there already.
  echo '{\"type\":\"test\",\"payload\":{\"message\":\"Hello\"}}' | lychgate connect ws://127.0.0.1:8000/ws
      From a pipe: every line is sent, an answer to it is waited for, then the connection is closed.
  lychgate connect ws://127.0.0.1:8000/ws --type test --payload '{\"message\":\"Hello\"}' --json
      One message, one answer, JSON out.
  lychgate connect ws://127.0.0.1:8000/ws --listen
      Show what comes until Ctrl-C.

Frames go to standard output, everything else to standard error.

Exit codes:
  0  closed in good order
  2  wrong usage
  3  refused, or closed for a reason that connecting again does not change
  4  cannot connect, or the connection was lost
  5  login failed
  6  no answer in time";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Connect {
    /// The endpoint: ws:// or wss://
    url: String,
    /// The token; other users of this machine can see it here, so prefer LYCHGATE_TOKEN or --token-file
    #[arg(long, conflicts_with_all = ["token_file", "user"])]
    token: Option<String>,
    /// A file that holds the token
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    /// Log in as this user first; the password is asked for
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Take the password from the first line of standard input; further lines are sent
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Where to log in; --login-path on the same host when it is not said
    #[arg(long, value_name = "URL", requires = "user", conflicts_with = "login_path")]
    login_url: Option<String>,
    /// Where to log in, on the same host
    #[arg(long, value_name = "PATH", requires = "user", default_value = "/token", value_parser = target::login_path)]
    login_path: String,
    /// The field of the login that holds the name
    #[arg(long, value_name = "FIELD", requires = "user", default_value = "username")]
    login_field: String,
    /// Log in with JSON instead of a form
    #[arg(long, requires = "user")]
    login_json: bool,
    /// How the token is sent: query:NAME or header
    #[arg(long, value_name = "PLACE", default_value = "query:token", value_parser = TokenPlace::parse)]
    token_place: TokenPlace,
    /// Send one message of this type, wait for one answer, and close
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    /// The payload of that message, as JSON
    #[arg(long, value_name = "JSON", requires = "message_type", value_parser = payload)]
    payload: Option<Box<serde_json::value::RawValue>>,
    /// Send nothing; show what comes until the connection ends
    #[arg(long, conflicts_with = "message_type")]
    listen: bool,
    /// How long to wait for the answer to a message that does not come from a terminal; 0s does not wait
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = wait)]
    wait: Duration,
    /// Write one JSON object per event to standard output, for programs
    #[arg(long)]
    json: bool,
}

fn payload(text: &str) -> Result<Box<serde_json::value::RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
}

fn wait(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "write a number and its unit: 500ms, 5s, 1m".to_owned())
}

impl Connect {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let target = Target::parse(&self.url).map_err(|wrong| ended(2, wrong))?;
        let mut input = BufReader::new(io::stdin());
        let token = match &self.user {
            None => self.given_token()?,
            Some(user) => Some(self.log_in(&target, user, &mut input)?),
        };
        if token.is_some() && !target.is_private() {
            complain("warning: the token travels unencrypted; use wss:// beyond this machine");
        }
        let work = match &self.message_type {
            Some(name) => {
                let payload = self.payload.as_ref().map_or("{}", |payload| payload.get());
                Work::One(format!("{{\"type\":{},\"payload\":{payload}}}", serde_json::Value::from(name.as_str())))
            }
            None if self.listen => Work::Listen,
            None if input.get_ref().is_terminal() => Work::Talk(lines_of(input)?),
            None => Work::Pipe(lines_of(input)?),
        };
        let output = output::Output::new(self.json);
        let end = block_on(session::run(&target, token.as_ref(), &self.token_place, work, self.wait, &output))?;
        output.end(&end)?;
        match end.exit_code() {
            0 => Ok(()),
            // What happened has been said by the output already.
            code => Err(ended(code, "")),
        }
    }

    fn given_token(&self) -> anyhow::Result<Option<SecretString>> {
        let token = if let Some(token) = &self.token {
            Some(token.clone())
        } else if let Some(path) = &self.token_file {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|error| ended(2, format!("cannot read {}: {error}", path.display())))?)
        } else {
            std::env::var("LYCHGATE_TOKEN").ok()
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        if self.token_file.is_some() && token.is_none() {
            return Err(ended(2, "the token file is empty"));
        }
        Ok(token.map(SecretString::from))
    }

    fn log_in(&self, target: &Target, user: &str, input: &mut BufReader<io::Stdin>) -> anyhow::Result<SecretString> {
        let login = match &self.login_url {
            Some(url) => Target::parse_http(url).map_err(|wrong| ended(2, wrong))?,
            None => target.at(&self.login_path),
        };
        if !login.is_private() {
            complain("warning: the password travels unencrypted; use wss:// beyond this machine");
        }
        let password = if self.password_stdin {
            terminal::password_from(input)?
        } else {
            terminal::ask_password(&format!("Password for {}", terminal::harmless(user)))?
        };
        let form = login::Form { field: &self.login_field, is_json: self.login_json };
        block_on(login::log_in(&login, form, user, password.expose_secret()))
    }
}

/// Lines of standard input, read by a thread that ends with the process.
///
/// The queue holds a few: a terminal is slower than that, and a pipe waits.
fn lines_of(mut input: BufReader<io::Stdin>) -> anyhow::Result<tokio::sync::mpsc::Receiver<String>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            loop {
                let mut line = String::new();
                // An unreadable input ends like one that is over: what was read has been sent.
                if !matches!(input.read_line(&mut line), Ok(bytes) if bytes > 0) {
                    return;
                }
                let line = line.trim_end_matches(['\r', '\n']).to_owned();
                if !line.is_empty() && sender.blocking_send(line).is_err() {
                    return;
                }
            }
        })
        .context("cannot read standard input")?;
    Ok(receiver)
}
