//! `publish`, `channels`, `presence` and `history`: the channels of a running server, from a terminal or a script.
//!
//! They go by the HTTP API, so they need its address and a key, and no configuration.

mod call;
mod shown;

use std::io::Read as _;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;

use self::call::Server;
use super::ended;
use super::terminal::{complain, say, say_all, table};

/// The longest payload that is read from standard input, in bytes. What a server takes is less, unless it was told so.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is the same for all of them, at the end of their help.
macro_rules! help {
    ($scope:literal, $examples:literal) => {
        concat!(
            "Examples:\n",
            $examples,
            "\n\nThe key needs the scope ",
            $scope,
            ". `lychgate apikey create` makes one; it is read from\n",
            "LYCHGATE_API_KEY or from --key-file, and is never an argument, which others could see.\n\n",
            "Exit codes:\n",
            "  0  done\n",
            "  1  the server did not do it\n",
            "  2  wrong usage, or no key\n",
            "  4  cannot connect, or the connection was lost"
        )
    };
}

#[derive(Args)]
#[command(after_help = help!("channels:publish", "  lychgate publish news '{\"text\":\"We are open\"}'
      To everybody in the channel; prints its place there.
  jq -c . note.json | lychgate publish news -
      The payload from standard input.
  lychgate publish news '{\"text\":\"Invoice 17\"}' --idempotency-key invoice-17
      Once, however often it is run within five minutes.
  lychgate publish news 1 --api https://example.com/api --key-file /run/secrets/publish.key"))]
pub(super) struct Publish {
    /// The channel
    channel: String,
    /// The payload, as JSON; - reads it from standard input
    #[arg(value_name = "JSON")]
    payload: String,
    /// The same key for the same channel is the same publication
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Keep it nowhere: whoever is not there now misses it
    #[arg(long)]
    skip_history: bool,
    #[command(flatten)]
    server: Server,
}

impl Publish {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = if self.payload == "-" { input()? } else { self.payload };
        let payload: &RawValue = serde_json::from_str(text.trim()).map_err(|error| {
            ended(2, format!("the payload is not JSON: {error}\n  A text needs its quotes: '\"hello\"'"))
        })?;
        let mut request = json!({ "channel": self.channel });
        if let Some(key) = &self.idempotency_key {
            request["idempotency_key"] = key.as_str().into();
        }
        if self.skip_history {
            request["skip_history"] = true.into();
        }
        // The payload goes as it was written, to the digit, so it is not read into a value.
        let mut body = request.to_string();
        body.truncate(body.len() - 1);
        let mut published: shown::Published = self.server.ask("publish", &format!("{body},\"data\":{payload}}}"))?;
        published.channel = self.channel;
        Ok(say(&if self.server.json { serde_json::to_string(&published)? } else { published.in_words() })?)
    }
}

#[derive(Args)]
#[command(after_help = help!("channels:read", "  lychgate channels
      Every channel that somebody hears, and how many do.
  lychgate channels --pattern 'chat:*'
  lychgate channels --json | jq -r 'select(.num_clients > 100).channel'"))]
pub(super) struct Channels {
    /// Only those of this form; * stands for anything
    #[arg(long)]
    pattern: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Channels {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let pattern = self.pattern.unwrap_or_default();
        let heard: shown::Channels = self.server.ask("channels", &json!({ "pattern": pattern }).to_string())?;
        self.server.tell(&heard.entries(), ["CHANNEL", "CLIENTS"], shown::channel_row)
    }
}

#[derive(Args)]
#[command(after_help = help!("channels:read", "  lychgate presence chat:5
      Everybody in the channel, a row for each connection.
  lychgate presence chat:5 --stats
      How many they are.
  lychgate presence chat:5 --json | jq -r .user | sort -u"))]
pub(super) struct Presence {
    /// The channel
    channel: String,
    /// Only how many there are
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    server: Server,
}

impl Presence {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let request = json!({ "channel": self.channel }).to_string();
        if self.stats {
            let stats: shown::Stats = self.server.ask("presence_stats", &request)?;
            return Ok(say(&if self.server.json { serde_json::to_string(&stats)? } else { stats.in_words() })?);
        }
        let present: shown::Present = self.server.ask("presence", &request)?;
        self.server.tell(&present.entries(), ["USER", "CLIENT", "CONNECTION", "CHANNEL"], shown::present_row)
    }
}

#[derive(Args)]
#[command(after_help = help!("channels:read", "  lychgate history chat:5
      The newest twenty, oldest of them first.
  lychgate history chat:5 --since 120 --epoch mlmjpank
      What came after 120.
  lychgate history chat:5 --limit 300 --json | jq -c .data"))]
pub(super) struct History {
    /// The channel
    channel: String,
    /// How many at most; the server has a limit of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Those after this offset, instead of the newest
    #[arg(long, value_name = "OFFSET")]
    since: Option<u64>,
    /// The epoch that the offset belongs to; another one is refused
    #[arg(long, value_name = "EPOCH", requires = "since")]
    epoch: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl History {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut request = json!({ "channel": self.channel, "limit": self.limit });
        match self.since {
            Some(offset) => {
                request["since"] = json!({ "offset": offset, "epoch": self.epoch.unwrap_or_default() });
            }
            None => request["reverse"] = true.into(),
        }
        let mut page: shown::Page = self.server.ask("history", &request.to_string())?;
        if self.since.is_none() {
            page.publications.reverse();
        }
        self.server.tell(&page.publications, ["OFFSET", "USER", "DATA", "TAGS"], shown::kept_row)?;
        if !self.server.json {
            complain(&page.position(&self.channel));
        }
        Ok(())
    }
}

impl Server {
    /// Shows entries as a table, or each as a line of JSON.
    fn tell<const N: usize>(
        &self,
        entries: &[Box<RawValue>],
        heading: [&str; N],
        row: fn(&RawValue) -> Option<Vec<String>>,
    ) -> anyhow::Result<()> {
        if self.json {
            // A line each: a line break in JSON can only stand where any blank could.
            return Ok(entries.iter().try_for_each(|entry| say(&entry.get().replace(['\n', '\r'], " ")))?);
        }
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(entries.iter().filter_map(|entry| row(entry)));
        Ok(say_all(&table(&rows))?)
    }
}

fn input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}
