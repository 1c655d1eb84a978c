//! Random messages of the schema.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::schema;

fn word() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..6).prop_map(String::from_iter)
}

/// A payload: absent, or JSON that has newlines between its tokens.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        word().prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!(number)),
        vec(word(), 0..3).prop_map(|list| json!(list)),
        (word(), any::<bool>()).prop_map(|(name, flag)| json!({ name: flag })),
        Just(Value::Null),
    ];
    option::of((value, any::<bool>())).prop_map(|payload| match payload {
        Some((value, true)) => serde_json::to_vec_pretty(&value).expect("JSON"),
        Some((value, false)) => value.to_string().into_bytes(),
        None => Vec::new(),
    })
}

/// Any command.
pub(super) fn command() -> impl Strategy<Value = schema::Command> {
    let of_channel = || word().prop_map(|channel| schema::OfChannel { channel });
    let since = option::of((any::<u64>(), word()))
        .prop_map(|since| since.map(|(offset, epoch)| schema::StreamPosition { offset, epoch }));
    let history = (word(), any::<i32>(), since, any::<bool>())
        .prop_map(|(channel, limit, since, reverse)| schema::HistoryRequest { channel, limit, since, reverse });
    let none = schema::Command::default;
    let method = prop_oneof![
        connect().prop_map(move |connect| schema::Command { connect: Some(connect), ..none() }),
        subscribe().prop_map(move |subscribe| schema::Command { subscribe: Some(subscribe), ..none() }),
        of_channel().prop_map(move |of| schema::Command { unsubscribe: Some(of), ..none() }),
        of_channel().prop_map(move |of| schema::Command { presence: Some(of), ..none() }),
        history.prop_map(move |history| schema::Command { history: Some(history), ..none() }),
        (word(), payload()).prop_map(move |(channel, data)| schema::Command {
            publish: Some(schema::PublishRequest { channel, data }),
            ..none()
        }),
        (word(), payload()).prop_map(move |(method, data)| schema::Command {
            rpc: Some(schema::RpcRequest { method, data }),
            ..none()
        }),
        payload().prop_map(move |data| schema::Command { send: Some(schema::OfData { data }), ..none() }),
    ];
    (any::<u32>(), method).prop_map(|(id, command)| schema::Command { id, ..command })
}

fn connect() -> impl Strategy<Value = schema::ConnectRequest> {
    let maps = (btree_map(word(), subscribe(), 0..3), btree_map(word(), word(), 0..3));
    (word(), payload(), maps, word(), any::<i64>()).prop_map(|(token, data, (subs, headers), name, flag)| {
        schema::ConnectRequest { token, data, subs, name, headers, flag }
    })
}

fn subscribe() -> impl Strategy<Value = schema::SubscribeRequest> {
    let texts = (word(), word(), word());
    let numbers = (any::<u64>(), any::<i64>(), any::<i32>());
    (texts, numbers, any::<bool>(), any::<bool>(), payload()).prop_map(
        |((channel, token, epoch), (offset, flag, kind), recover, join_leave, data)| schema::SubscribeRequest {
            channel,
            token,
            recover,
            epoch,
            offset,
            data,
            join_leave,
            flag,
            kind,
        },
    )
}

fn info() -> impl Strategy<Value = schema::ClientInfo> {
    (word(), word(), payload(), payload()).prop_map(|(user, client, conn_info, chan_info)| schema::ClientInfo {
        user,
        client,
        conn_info,
        chan_info,
    })
}

fn said() -> impl Strategy<Value = schema::Publication> {
    let tags = btree_map(word(), word(), 0..3);
    let offset = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    (payload(), option::of(info()), offset, tags, any::<bool>(), any::<i64>(), word()).prop_map(
        |(data, info, offset, tags, delta, time, epoch)| schema::Publication {
            data,
            info,
            offset,
            tags,
            delta,
            time,
            epoch,
        },
    )
}

fn subscribed() -> impl Strategy<Value = schema::SubscribeResult> {
    (any::<[bool; 5]>(), word(), vec(said(), 0..3), any::<u64>(), payload()).prop_map(
        |(flags, epoch, publications, offset, data)| schema::SubscribeResult {
            recoverable: flags[0],
            epoch,
            publications,
            recovered: flags[1],
            offset,
            positioned: flags[2],
            data,
            was_recovering: flags[3],
            delta: flags[4],
        },
    )
}

/// Any reply or push.
pub(super) fn reply() -> impl Strategy<Value = schema::Reply> {
    let none = schema::Reply::default;
    let error = (any::<u32>(), word(), any::<bool>());
    let connect =
        (word(), word(), any::<[bool; 2]>(), any::<[u32; 2]>(), payload(), btree_map(word(), subscribed(), 0..3));
    let presence = vec(info(), 0..4)
        .prop_map(|infos| infos.into_iter().map(|info| (info.client.clone(), info)).collect::<BTreeMap<_, _>>());
    let push = |channel, publication, join| schema::Push { channel, publication, join };
    prop_oneof![
        (any::<u32>(), error).prop_map(move |(id, (code, message, temporary))| schema::Reply {
            id,
            error: Some(schema::Error { code, message, temporary }),
            ..none()
        }),
        (any::<u32>(), connect).prop_map(move |(id, (client, version, flags, numbers, data, subs))| schema::Reply {
            id,
            connect: Some(schema::ConnectResult {
                client,
                version,
                expires: flags[0],
                ttl: numbers[0],
                data,
                subs,
                ping: numbers[1],
                pong: flags[1],
            }),
            ..none()
        }),
        presence.prop_map(move |presence| schema::Reply {
            id: 1,
            presence: Some(schema::PresenceResult { presence }),
            ..none()
        }),
        any::<[u32; 2]>().prop_map(move |numbers| schema::Reply {
            id: 1,
            presence_stats: Some(schema::PresenceStatsResult { num_clients: numbers[0], num_users: numbers[1] }),
            ..none()
        }),
        (vec(said(), 0..4), word(), any::<u64>()).prop_map(move |(publications, epoch, offset)| schema::Reply {
            id: 1,
            history: Some(schema::HistoryResult { publications, epoch, offset }),
            ..none()
        }),
        (word(), said())
            .prop_map(move |(channel, said)| schema::Reply { push: Some(push(channel, Some(said), None)), ..none() }),
        (word(), info()).prop_map(move |(channel, info)| schema::Reply {
            push: Some(push(channel, None, Some(schema::Join { info: Some(info) }))),
            ..none()
        }),
    ]
}
