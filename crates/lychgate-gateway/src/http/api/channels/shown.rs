//! Clients and publications, as answers show them: what others wrote stands there as they wrote it, to the digit.

use std::collections::BTreeMap;

use lychgate_service::ports::broker::{Author, HistoryPage, Kept, KeptAuthor};
use serde::Serialize;
use serde_json::value::RawValue;

/// Everybody on a list, by their connections.
#[derive(Serialize)]
pub(super) struct Presence<'a> {
    presence: BTreeMap<&'a str, Client<'a>>,
}

impl<'a> Presence<'a> {
    pub(super) fn of(clients: &'a [KeptAuthor]) -> Self {
        let presence = clients.iter().map(|client| (client.author().client, Client::of(client.author())));
        Self { presence: presence.collect() }
    }
}

/// A part of what a channel keeps, and where the channel stands.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    publications: Vec<Publication<'a>>,
    offset: u64,
    epoch: &'a str,
}

impl<'a> Page<'a> {
    pub(super) fn of(page: &'a HistoryPage) -> Self {
        let publications = page.publications.iter().map(|kept| Publication::of(kept)).collect();
        Self { publications, offset: page.top.offset, epoch: page.top.epoch.as_str() }
    }
}

#[derive(Serialize)]
struct Publication<'a> {
    /// `null` for what is no JSON, as a plain endpoint may pass it on.
    data: Option<&'a RawValue>,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Client<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
}

impl<'a> Publication<'a> {
    fn of(kept: &'a Kept) -> Self {
        let data = serde_json::from_slice(&kept.payload).ok();
        let info = kept.author.as_ref().map(|author| Client::of(author.author()));
        let tags = kept.tags.as_slice().iter().map(|(name, value)| (&**name, &**value)).collect();
        Self { data, offset: kept.offset, info, tags }
    }
}

#[derive(Serialize)]
struct Client<'a> {
    user: &'a str,
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chan_info: Option<&'a RawValue>,
}

impl<'a> Client<'a> {
    fn of(author: Author<'a>) -> Self {
        let info = |text: Option<&'a str>| text.and_then(|text| serde_json::from_str(text).ok());
        Self {
            user: author.user,
            client: author.client,
            conn_info: info(author.connection_info),
            chan_info: info(author.channel_info),
        }
    }
}
