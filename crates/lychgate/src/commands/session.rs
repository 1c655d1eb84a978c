//! `session`: who is logged in, from the operator's side.
//!
//! A running server notices within a second: see `[revocations]`.

use std::sync::Arc;

use clap::Subcommand;
use lychgate_service::ports::clock::{Clock as _, SystemClock};
use lychgate_service::ports::sessions::{End, EndedBy, Sessions, StoredSession};
use serde_json::json;

use super::ended;
use super::revoking::{Common, account, time};
use super::terminal::{self, harmless, say, say_all};

const EXAMPLES: &str = "\
Examples:
  lychgate session list alice
  lychgate session list alice --json
      One JSON object per line.
  lychgate session end 4f0c2a…
      By the id that the list shows, and that its access tokens carry as `sid`.

USER is a name, an e-mail address, or # and an id.
A running server closes the sockets of an ended session within a second.
All of them take --config FILE, which names the database.";

/// See [`EXAMPLES`].
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Session {
    /// List the sessions of a user, the ended ones too
    List {
        /// Name, e-mail address, or # and id
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// End a session, with its tokens and sockets
    End {
        /// Its id
        sid: String,
        #[command(flatten)]
        common: Common,
    },
}

impl Session {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { user, common } => {
                let list = common.with(async |store, _| {
                    let account = account(store, &user).await?;
                    let sessions: Arc<dyn Sessions> = Arc::new(store.clone());
                    Ok(sessions.list(account.id).await?)
                })?;
                let now_s = SystemClock.now().seconds();
                if common.json {
                    for session in &list {
                        say(&shown(session, now_s).to_string())?;
                    }
                    return Ok(());
                }
                let mut rows = vec![["SESSION", "BEGAN", "LAST USED", "FROM", "STATE"].map(str::to_owned).to_vec()];
                rows.extend(list.iter().map(|session| row(session, now_s)));
                Ok(say_all(&terminal::table(&rows))?)
            }
            Self::End { sid, common } => {
                let is_ended = common.with(async |store, revoking| {
                    let now_s = SystemClock.now().seconds();
                    let tokens_end_at_s = now_s.saturating_add(revoking.longest_token_s);
                    let sessions: Arc<dyn Sessions> = Arc::new(store.clone());
                    Ok(sessions.end(&sid, End { by: EndedBy::Operator, now_s, tokens_end_at_s }).await?)
                })?;
                if !is_ended {
                    return Err(ended(1, format!("there is no session \"{}\" that has not ended", harmless(&sid))));
                }
                let text = if common.json {
                    json!({ "session": sid, "ended": true }).to_string()
                } else {
                    format!("{sid} has ended.")
                };
                Ok(say(&text)?)
            }
        }
    }
}

fn state(session: &StoredSession, now_s: u64) -> &'static str {
    match session.ended {
        Some((_, by)) => by.name(),
        None if session.is_live(now_s) => "live",
        None => "over",
    }
}

fn row(session: &StoredSession, now_s: u64) -> Vec<String> {
    vec![
        harmless(&session.sid),
        time(session.created_at_s),
        time(session.last_used_at_us / 1_000_000),
        harmless(&session.address),
        state(session, now_s).to_owned(),
    ]
}

fn shown(session: &StoredSession, now_s: u64) -> serde_json::Value {
    json!({
        "session": session.sid,
        "address": session.address,
        "created_at": time(session.created_at_s),
        "last_used_at": time(session.last_used_at_us / 1_000_000),
        "ends_at": time(session.ends_at_s.min(session.idle_ends_at_s)),
        "live": session.is_live(now_s),
        "ended_at": session.ended.map(|(at_s, _)| time(at_s)),
        "ended_by": session.ended.map(|(_, by)| by.name()),
    })
}
