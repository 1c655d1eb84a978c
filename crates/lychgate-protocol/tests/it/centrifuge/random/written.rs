//! A reply of the schema, said in our types and written.

use std::collections::BTreeMap;

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as ours, Data, Encoding, Writer};

use super::schema;

/// What our writer makes of a reply of the schema.
pub(super) fn written(encoding: Encoding, reply: &schema::Reply) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(encoding, &mut out);
    let info = |info: &schema::ClientInfo, with: &mut dyn FnMut(ours::ClientInfo<'_>)| with(client_info(info));
    if let Some(push) = &reply.push {
        match (&push.publication, &push.join) {
            (Some(said), _) => {
                let tags = pairs(&said.tags);
                writer.push(&push.channel, &ours::Push::Publication(publication(said, &tags)));
            }
            (None, Some(join)) => info(join.info.as_ref().expect("an info"), &mut |info| {
                writer.push(&push.channel, &ours::Push::Join(info));
            }),
            (None, None) => unreachable!("every push has a body"),
        }
    } else if let Some(error) = &reply.error {
        let error =
            ours::ErrorReply { code: ErrorCode(error.code), message: &error.message, temporary: error.temporary };
        writer.reply(reply.id, &ours::Reply::Error(error));
    } else if let Some(connect) = &reply.connect {
        let said: Vec<_> = connect.subs.values().map(|sub| with_tags(&sub.publications)).collect();
        let said: Vec<Vec<_>> = said.iter().map(|said| publications(said)).collect();
        let subs: Vec<_> = connect
            .subs
            .iter()
            .zip(&said)
            .map(|((channel, sub), said)| {
                let sub = ours::SubscribeResult {
                    recoverable: sub.recoverable,
                    epoch: &sub.epoch,
                    publications: said,
                    recovered: sub.recovered,
                    offset: sub.offset,
                    positioned: sub.positioned,
                    data: Data::bytes_of(&sub.data),
                    was_recovering: sub.was_recovering,
                    delta: sub.delta,
                    ..ours::SubscribeResult::default()
                };
                (&channel[..], sub)
            })
            .collect();
        let result = ours::ConnectResult {
            client: &connect.client,
            version: &connect.version,
            expires: connect.expires,
            ttl: connect.ttl,
            data: Data::bytes_of(&connect.data),
            subs: &subs,
            ping: connect.ping,
            pong: connect.pong,
            ..ours::ConnectResult::default()
        };
        writer.reply(reply.id, &ours::Reply::Connect(result));
    } else if let Some(presence) = &reply.presence {
        let present: Vec<_> = presence.presence.values().map(client_info).collect();
        writer.reply(reply.id, &ours::Reply::Presence(&present));
    } else if let Some(stats) = &reply.presence_stats {
        let (num_clients, num_users) = (stats.num_clients, stats.num_users);
        writer.reply(reply.id, &ours::Reply::PresenceStats { num_clients, num_users });
    } else if let Some(history) = &reply.history {
        let said = with_tags(&history.publications);
        let result =
            ours::HistoryResult { publications: &publications(&said), epoch: &history.epoch, offset: history.offset };
        writer.reply(reply.id, &ours::Reply::History(result));
    }
    out
}

type Pairs = Vec<(Box<str>, Box<str>)>;

fn pairs(tags: &BTreeMap<String, String>) -> Pairs {
    tags.iter().map(|(name, value)| (name[..].into(), value[..].into())).collect()
}

fn with_tags(said: &[schema::Publication]) -> Vec<(&schema::Publication, Pairs)> {
    said.iter().map(|said| (said, pairs(&said.tags))).collect()
}

fn publications<'a>(said: &'a [(&'a schema::Publication, Pairs)]) -> Vec<ours::Publication<'a>> {
    said.iter().map(|(said, tags)| publication(said, tags)).collect()
}

fn publication<'a>(said: &'a schema::Publication, tags: &'a [(Box<str>, Box<str>)]) -> ours::Publication<'a> {
    ours::Publication {
        data: Data::bytes_of(&said.data),
        info: said.info.as_ref().map(client_info),
        offset: said.offset,
        tags,
        delta: said.delta,
        time: said.time,
        epoch: &said.epoch,
    }
}

fn client_info(info: &schema::ClientInfo) -> ours::ClientInfo<'_> {
    ours::ClientInfo {
        user: &info.user,
        client: &info.client,
        conn_info: Data::bytes_of(&info.conn_info),
        chan_info: Data::bytes_of(&info.chan_info),
    }
}
