//! What the commands that take something back share, and those that have no room of their own: `token revoke`,
//! `user block` and `user unblock`.
//!
//! They write to the database, and a running server reads it there within a second.

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use lychgate_service::issue::TokenShape;
use lychgate_service::ports::clock::{Clock as _, SystemClock};
use lychgate_service::ports::revocations::{Revocation, RevocationLog as _, Revoked};
use lychgate_service::ports::users::{User, Users};
use lychgate_store::SqliteStore;
use serde_json::json;

use super::terminal::{harmless, say};
use super::{ConfigArgs, block_on, ended};
use crate::config::{self, Revoking, parse_time};

pub(super) const REVOKE_EXAMPLES: &str = "\
Examples:
  lychgate token revoke --jti 5b6c…
      One token; `lychgate token inspect` shows its jti.
  lychgate token revoke --sid 4f0c…
      Every token that carries this sid.
  lychgate token revoke --user alice
      Every token of this sub that was issued until now. Who logs in again gets a good one.
  lychgate token revoke --user alice --issued-before 2026-11-01T00:00:00Z
  lychgate token revoke --issued-before 2026-11-27T10:00:00Z
      Everybody's, as after a key was lost.

It holds for tokens of every issuer. A token that does not say when it was issued counts as issued before.
A running server closes the sockets within a second, and each entry goes when no token can be good any more.";

/// Nobody has to be blocked for longer than this, and times have to fit everywhere.
const FAR_S: u64 = 253_402_300_799;

/// How long an entry that lifts a block is kept, so that every process reads it.
const UNBLOCK_KEPT_S: u64 = 86_400;

#[derive(Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigArgs,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    /// Opens the database for one piece of work.
    pub(super) fn with<T>(
        &self,
        work: impl AsyncFnOnce(&SqliteStore, &Revoking) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let revoking = config::load_revoking(&self.config.sources(false)?)?;
        block_on(async {
            let store = lychgate_store::open(&revoking.database.url).await.context("database.url")?;
            let result = work(&store, &revoking).await;
            store.close().await;
            result
        })
    }
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The token with this jti
    #[arg(long, value_name = "ID", conflicts_with_all = ["sid", "user", "issued_before"], required_unless_present_any = ["sid", "user", "issued_before"])]
    jti: Option<String>,
    /// Every token with this sid
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "issued_before"])]
    sid: Option<String>,
    /// Every token with this sub that was issued until now, or before --issued-before
    #[arg(long, value_name = "SUB")]
    user: Option<String>,
    /// Tokens that were issued before this time: RFC 3339, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = past)]
    issued_before: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct Block {
    /// Name, e-mail address, or # and id
    user: String,
    /// Until when: RFC 3339, or for how long, such as 24h
    #[arg(long, value_name = "TIME", value_parser = future)]
    until: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct Unblock {
    /// Name, e-mail address, or # and id
    user: String,
    #[command(flatten)]
    common: Common,
}

impl Revoke {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { jti, sid, user, issued_before, common } = self;
        let now_s = SystemClock.now().seconds();
        // A token that is issued in this very second is met, too: nobody can say which came first.
        let issued_until_s = issued_before.map_or(now_s, |before_s| before_s.saturating_sub(1));
        let what = match (jti, sid, user) {
            (Some(jti), ..) => Revoked::Token(jti),
            (_, Some(sid), _) => Revoked::Session(sid),
            (.., Some(subject)) => Revoked::User { subject, issued_until_s },
            _ => Revoked::Everybody { issued_until_s },
        };
        common.with(async |store, revoking| {
            let ends_at_s = now_s.saturating_add(revoking.longest_token_s);
            append(store, revoking, Revocation { what, ends_at_s }).await
        })?;
        done(&common, "revoked", "Revoked.")
    }
}

impl Block {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { user, until, common } = self;
        block(&common, &user, until, until)?;
        done(&common, "blocked", &format!("{} is blocked until {}.", harmless(&user), time(until)))
    }
}

impl Unblock {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { user, common } = self;
        let now_s = SystemClock.now().seconds();
        block(&common, &user, now_s, now_s + UNBLOCK_KEPT_S)?;
        done(&common, "unblocked", &format!("{} is not blocked.", harmless(&user)))
    }
}

fn block(common: &Common, user: &str, until_s: u64, ends_at_s: u64) -> anyhow::Result<()> {
    common.with(async |store, revoking| {
        let account = account(store, user).await?;
        let shape = TokenShape { subject: revoking.subject.0, claims: Vec::new() };
        let subject = shape.subject_of(&account).context("tokens go by e-mail addresses, and the account has none")?;
        append(store, revoking, Revocation { what: Revoked::Block { subject, until_s }, ends_at_s }).await
    })
}

async fn append(store: &SqliteStore, revoking: &Revoking, revocation: Revocation) -> anyhow::Result<()> {
    let now_s = SystemClock.now().seconds();
    if store.append(&revocation, revoking.entries_max, now_s).await? {
        return Ok(());
    }
    Err(ended(1, "as many revocations are kept as revocations.entries_max allows: raise it, or revoke by user"))
}

/// The account that an operator means.
pub(super) async fn account(store: &SqliteStore, user: &str) -> anyhow::Result<User> {
    let found = match user.strip_prefix('#').map(str::parse) {
        Some(Ok(id)) => store.find_by_id(id).await?,
        Some(Err(_)) | None => match store.find_by_name(user).await? {
            Some(user) => Some(user),
            None => store.find_by_email(user).await?,
        },
    };
    found.ok_or_else(|| ended(1, format!("there is no account \"{}\"", harmless(user))))
}

fn done(common: &Common, word: &str, text: &str) -> anyhow::Result<()> {
    if common.json {
        say(&json!({ word: true }).to_string())?
    } else {
        say(text)?
    }
    Ok(())
}

pub(super) fn time(unix_s: u64) -> String {
    let second = i64::try_from(unix_s).unwrap_or(i64::MAX);
    Timestamp::from_second(second).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

fn past(text: &str) -> Result<u64, String> {
    moment(text, |now_s, seconds| now_s.saturating_sub(seconds))
}

fn future(text: &str) -> Result<u64, String> {
    let until_s = moment(text, u64::saturating_add)?;
    if until_s > SystemClock.now().seconds() { Ok(until_s) } else { Err("this time has passed".to_owned()) }
}

/// A time, or a length of time from now, in Unix seconds.
fn moment(text: &str, from_now: fn(u64, u64) -> u64) -> Result<u64, String> {
    let now_s = SystemClock.now().seconds();
    let absolute = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    let seconds = absolute.or_else(|| parse_time(text).map(|length| from_now(now_s, length.as_secs())));
    match seconds {
        Some(seconds) if seconds <= FAR_S => Ok(seconds),
        _ => Err("write a time such as 2026-11-27T10:00:00Z, or a length such as 2h or 7d".to_owned()),
    }
}
