//! `token`: make one with this server's key, look into one with no key at all, or take some back.

use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{Timestamp, ToSpan as _};
use lychgate_service::ports::clock::{Clock as _, SystemClock};
use lychgate_token::{Minter, NewClaims, ProfileKind, TOKEN_BYTES_MAX, inspect};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::revoking::{REVOKE_EXAMPLES, Revoke};
use super::terminal::{complain, say, say_all};
use super::{ConfigArgs, block_on, ended};
use crate::config::{self, Loaded, Signing, parse_time, show_time};
use crate::wiring;

const MINT_EXAMPLES: &str = "\
Examples:
  lychgate token mint --sub alice --config lychgate.toml
  lychgate token mint --sub batch-job --lifetime 24h > token.txt
  LYCHGATE_TOKEN=$(lychgate token mint --sub alice) lychgate connect ws://127.0.0.1:8000/ws

The token is signed with the configured key: the one in the database, or the HS256 secret.
Whether an account of that name exists is not asked.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  lychgate token inspect < token.txt
  pbpaste | lychgate token inspect --json

No key is needed, and nothing is verified: anybody can write a token that reads like this.";

#[derive(Subcommand)]
pub(super) enum Token {
    /// Make a token
    #[command(after_help = MINT_EXAMPLES)]
    Mint(Mint),
    /// Show what a token says, without verifying it
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(Inspect),
    /// Take tokens back before they are over
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Mint {
    /// Whose token it is
    #[arg(long, value_name = "NAME")]
    sub: String,
    /// How long it is good for, such as 30m; tokens.lifetime when it is not said
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    lifetime: Option<Duration>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Args)]
pub(super) struct Inspect {
    /// The token; - or nothing reads standard input, which keeps it out of the list of processes
    token: Option<String>,
    /// Answer in JSON, for programs
    #[arg(long)]
    json: bool,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match parse_time(text) {
        Some(time) if time >= Duration::from_secs(1) => Ok(time),
        Some(_) => Err("at least 1s".to_owned()),
        None => Err("write a number and its unit: 45s, 30m, 24h, 7d".to_owned()),
    }
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Mint(mint) => mint.run(),
            Self::Inspect(inspect) => inspect.run(),
            Self::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Mint {
    fn run(self) -> anyhow::Result<()> {
        let Loaded { config, .. } = config::load(&self.config.sources(false)?)?;
        let key = block_on(async {
            let store = match &config.signing {
                // With a secret of its own the database has no say, and need not be there.
                Signing::Secret(_) | Signing::Ephemeral(_) => lychgate_store::open("sqlite::memory:").await,
                Signing::DatabaseKey => lychgate_store::open(&config.database.url).await,
            }
            .context("database.url")?;
            let key = wiring::signing_key(&config.signing, &store, &SystemClock).await.map_err(anyhow::Error::msg);
            store.close().await;
            key
        })?;
        let minter = Minter::new(key, config.tokens.issuer, config.tokens.audience, ProfileKind::Own)?;
        let (sid, jti) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
        let lifetime_s = Some(self.lifetime.unwrap_or(config.tokens.lifetime).as_secs());
        let claims = NewClaims { lifetime_s, ..NewClaims::session(&self.sub, &sid, &jti) };
        let token = minter.mint(&claims, SystemClock.now().seconds())?;
        Ok(say(token.expose())?)
    }
}

impl Inspect {
    fn run(self) -> anyhow::Result<()> {
        let text = match self.token.as_deref() {
            Some(token) if token != "-" => SecretString::from(token),
            _ => {
                let mut text = String::new();
                // Twice the most that a token has: what is longer is refused by its length below.
                std::io::stdin().lock().take(2 * TOKEN_BYTES_MAX as u64).read_to_string(&mut text)?;
                SecretString::from(text)
            }
        };
        let text = secrecy::ExposeSecret::expose_secret(&text).trim();
        let token = text.strip_prefix("Bearer ").unwrap_or(text).trim();
        let inspection =
            inspect(token).map_err(|refusal| ended(1, format!("this cannot be read as a token: {refusal}")))?;
        if self.json {
            let answer = json!({ "verified": false, "header": inspection.header, "claims": inspection.claims });
            return Ok(say(&answer.to_string())?);
        }
        complain("Nothing is verified here: anybody can write a token that says this.");
        let (header, claims) = (Value::Object(inspection.header), Value::Object(inspection.claims));
        say(&format!("header {header:#}\nclaims {claims:#}"))?;
        Ok(say_all(&times(&claims, Timestamp::now()))?)
    }
}

/// The times among the claims, for people.
fn times(claims: &Value, now: Timestamp) -> String {
    const MEANINGS: [(&str, &str, &str); 3] =
        [("iat", "issued", "issued"), ("nbf", "good since", "good from"), ("exp", "expired", "expires")];
    let mut out = String::new();
    for (claim, past, future) in MEANINGS {
        let Some(second) = claims.get(claim).and_then(Value::as_f64) else { continue };
        // A number beyond what a calendar holds is shown as the claim alone.
        let Some(time) = Timestamp::UNIX_EPOCH.checked_add((second as i64).seconds()).ok() else { continue };
        let away = Duration::from_secs((time.as_second() - now.as_second()).unsigned_abs());
        let line = if time <= now {
            format!("{past:<10} {time}  {} ago\n", coarse(away))
        } else {
            format!("{future:<10} {time}  in {}\n", coarse(away))
        };
        out.push_str(&line);
    }
    out
}

/// A length of time as people say it: its largest unit alone, once there is enough of it.
fn coarse(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [86_400, 3_600, 60].into_iter().find(|unit| seconds >= 2 * unit).unwrap_or(1);
    show_time(Duration::from_secs(seconds / unit * unit))
}
