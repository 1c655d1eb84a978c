//! Answers of the API, in lines and rows for people. Programs get what the server said, to the digit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::super::terminal::harmless;

/// The longest payload that a row holds, in characters; programs get the whole.
const CELL_CHARACTERS_MAX: usize = 200;

/// Where something was published.
#[derive(Deserialize, Serialize)]
pub(super) struct Published {
    #[serde(default)]
    pub(super) channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
}

impl Published {
    pub(super) fn in_words(&self) -> String {
        let channel = harmless(&self.channel);
        match (self.offset, &self.epoch) {
            (Some(offset), Some(epoch)) => format!("Published in {channel} at {offset}, epoch {}.", harmless(epoch)),
            _ => format!("Published in {channel}, and not kept."),
        }
    }
}

/// Channels that somebody hears.
#[derive(Deserialize)]
pub(super) struct Channels {
    channels: BTreeMap<String, Heard>,
}

#[derive(Deserialize)]
struct Heard {
    num_clients: u64,
}

#[derive(Deserialize, Serialize)]
struct Channel {
    channel: String,
    num_clients: u64,
}

impl Channels {
    /// Each by itself.
    pub(super) fn entries(self) -> Vec<Box<RawValue>> {
        let each = self.channels.into_iter().map(|(channel, Heard { num_clients })| Channel { channel, num_clients });
        each.filter_map(|entry| to_raw_value(&entry).ok()).collect()
    }
}

pub(super) fn channel_row(entry: &RawValue) -> Option<Vec<String>> {
    let Channel { channel, num_clients } = serde_json::from_str(entry.get()).ok()?;
    Some(vec![harmless(&channel), num_clients.to_string()])
}

/// How many are in a channel.
#[derive(Deserialize, Serialize)]
pub(super) struct Stats {
    num_clients: u64,
    num_users: u64,
}

impl Stats {
    pub(super) fn in_words(&self) -> String {
        let count = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        format!("{} of {}", count(self.num_clients, "client"), count(self.num_users, "user"))
    }
}

/// Who is in a channel.
#[derive(Deserialize)]
pub(super) struct Present {
    presence: BTreeMap<String, Box<RawValue>>,
}

#[derive(Deserialize)]
struct Client {
    #[serde(default)]
    user: String,
    #[serde(default)]
    client: String,
    conn_info: Option<Box<RawValue>>,
    chan_info: Option<Box<RawValue>>,
}

impl Present {
    /// Each by itself, by user.
    pub(super) fn entries(self) -> Vec<Box<RawValue>> {
        let mut all: Vec<Box<RawValue>> = self.presence.into_values().collect();
        all.sort_by_cached_key(|who| serde_json::from_str::<Client>(who.get()).map(|who| (who.user, who.client)).ok());
        all
    }
}

pub(super) fn present_row(who: &RawValue) -> Option<Vec<String>> {
    let Client { user, client, conn_info, chan_info } = serde_json::from_str(who.get()).ok()?;
    Some(vec![name(&user), name(&client), cell(conn_info.as_deref()), cell(chan_info.as_deref())])
}

/// A part of what a channel keeps.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) publications: Vec<Box<RawValue>>,
    offset: u64,
    epoch: String,
}

#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    offset: u64,
    info: Option<Client>,
    data: Box<RawValue>,
    tags: Option<Box<RawValue>>,
}

impl Page {
    /// Where the channel stands.
    pub(super) fn position(&self, channel: &str) -> String {
        format!("{} stands at {}, epoch {}.", harmless(channel), self.offset, harmless(&self.epoch))
    }
}

pub(super) fn kept_row(kept: &RawValue) -> Option<Vec<String>> {
    let Kept { offset, info, data, tags } = serde_json::from_str(kept.get()).ok()?;
    Some(vec![
        offset.to_string(),
        name(info.as_ref().map_or("", |client| &client.user)),
        cell(Some(&data)),
        cell(tags.as_deref()),
    ])
}

/// A name, or a dash for nobody's.
fn name(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { harmless(text) }
}

/// JSON on one line, shortened.
fn cell(json: Option<&RawValue>) -> String {
    let Some(json) = json else { return "-".to_owned() };
    let text: String = harmless(json.get()).replace(['\n', '\t'], " ");
    match text.char_indices().nth(CELL_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
