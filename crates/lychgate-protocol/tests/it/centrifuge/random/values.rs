//! Messages of the schema as the JSON objects that say the same, by the rules for what is zero.

use serde_json::{Map, Value, json};

use super::schema;

/// An object without the members that are zero, unless they are named in `stay`.
fn lean(value: Value, stay: &[&str]) -> Value {
    let Value::Object(members) = value else { return value };
    let is_zero =
        |value: &Value| matches!(value, Value::Null) || [json!(0), json!(""), json!(false), json!({})].contains(value);
    Value::Object(members.into_iter().filter(|(name, value)| stay.contains(&&name[..]) || !is_zero(value)).collect())
}

/// A payload stands where it is present, whatever it is; so it is put in behind the lean members.
fn with_data(value: Value, stay: &[&str], data: &[(&str, &[u8])]) -> Value {
    let mut value = lean(value, stay);
    for (name, bytes) in data.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        value[*name] = serde_json::from_slice(bytes).expect("JSON");
    }
    value
}

fn object<'a, T: 'a>(
    members: impl IntoIterator<Item = (&'a String, &'a T)>,
    value: impl Fn(&'a T) -> Value,
) -> Map<String, Value> {
    members.into_iter().map(|(name, member)| (name.clone(), value(member))).collect()
}

/// A command as the JSON object that says it.
pub(super) fn command_value(command: &schema::Command) -> Value {
    let of_channel = |of: &schema::OfChannel| lean(json!({ "channel": of.channel }), &[]);
    let members = [
        ("connect", command.connect.as_ref().map(connect_value)),
        ("subscribe", command.subscribe.as_ref().map(subscribe_value)),
        ("unsubscribe", command.unsubscribe.as_ref().map(of_channel)),
        (
            "publish",
            command
                .publish
                .as_ref()
                .map(|publish| with_data(json!({ "channel": publish.channel }), &[], &[("data", &publish.data)])),
        ),
        ("presence", command.presence.as_ref().map(of_channel)),
        ("history", command.history.as_ref().map(history_value)),
        (
            "rpc",
            command.rpc.as_ref().map(|rpc| with_data(json!({ "method": rpc.method }), &[], &[("data", &rpc.data)])),
        ),
        ("send", command.send.as_ref().map(|send| with_data(json!({}), &[], &[("data", &send.data)]))),
    ];
    let mut value = lean(json!({ "id": command.id }), &[]);
    for (name, body) in members {
        if let Some(body) = body {
            value[name] = body;
        }
    }
    value
}

fn connect_value(connect: &schema::ConnectRequest) -> Value {
    let value = json!({
        "token": connect.token,
        "subs": object(&connect.subs, subscribe_value),
        "name": connect.name,
        "headers": object(&connect.headers, |value| json!(value)),
        "flag": connect.flag,
    });
    with_data(value, &[], &[("data", &connect.data)])
}

fn subscribe_value(sub: &schema::SubscribeRequest) -> Value {
    let value = json!({
        "channel": sub.channel,
        "token": sub.token,
        "recover": sub.recover,
        "epoch": sub.epoch,
        "offset": sub.offset,
        "join_leave": sub.join_leave,
        "flag": sub.flag,
        "type": sub.kind,
    });
    with_data(value, &[], &[("data", &sub.data)])
}

fn history_value(history: &schema::HistoryRequest) -> Value {
    let value = json!({ "channel": history.channel, "limit": history.limit, "reverse": history.reverse });
    let mut value = lean(value, &[]);
    if let Some(since) = &history.since {
        value["since"] = lean(json!({ "offset": since.offset, "epoch": since.epoch }), &[]);
    }
    value
}

/// A reply as the JSON object that says it.
pub(super) fn reply_value(reply: &schema::Reply) -> Value {
    let error = |error: &schema::Error| {
        lean(json!({ "code": error.code, "message": error.message, "temporary": error.temporary }), &[])
    };
    let members = [
        ("error", reply.error.as_ref().map(error)),
        ("push", reply.push.as_ref().map(push_value)),
        ("connect", reply.connect.as_ref().map(connect_result_value)),
        ("presence", reply.presence.as_ref().map(|result| json!({ "presence": object(&result.presence, info_value) }))),
        (
            "presence_stats",
            reply
                .presence_stats
                .as_ref()
                .map(|stats| json!({ "num_clients": stats.num_clients, "num_users": stats.num_users })),
        ),
        (
            "history",
            reply.history.as_ref().map(|history| {
                let said: Vec<_> = history.publications.iter().map(publication_value).collect();
                json!({ "publications": said, "epoch": history.epoch, "offset": history.offset })
            }),
        ),
    ];
    let mut value = lean(json!({ "id": reply.id }), &[]);
    for (name, body) in members {
        if let Some(body) = body {
            value[name] = body;
        }
    }
    value
}

fn push_value(push: &schema::Push) -> Value {
    let mut value = lean(json!({ "channel": push.channel }), &[]);
    if let Some(said) = &push.publication {
        value["pub"] = publication_value(said);
    }
    if let Some(join) = &push.join {
        value["join"] = json!({ "info": join.info.as_ref().map(info_value) });
    }
    value
}

fn info_value(info: &schema::ClientInfo) -> Value {
    let value = json!({ "user": info.user, "client": info.client });
    with_data(value, &["user", "client"], &[("conn_info", &info.conn_info), ("chan_info", &info.chan_info)])
}

fn publication_value(said: &schema::Publication) -> Value {
    let value = json!({
        "info": said.info.as_ref().map(info_value),
        "offset": said.offset,
        "tags": object(&said.tags, |value| json!(value)),
        "delta": said.delta,
        "time": said.time,
        "epoch": said.epoch,
    });
    with_data(value, &[], &[("data", &said.data)])
}

fn connect_result_value(connect: &schema::ConnectResult) -> Value {
    let value = json!({
        "client": connect.client,
        "version": connect.version,
        "expires": connect.expires,
        "ttl": connect.ttl,
        "subs": object(&connect.subs, subscribe_result_value),
        "ping": connect.ping,
        "pong": connect.pong,
    });
    with_data(value, &[], &[("data", &connect.data)])
}

fn subscribe_result_value(sub: &schema::SubscribeResult) -> Value {
    let mut value = json!({
        "recoverable": sub.recoverable,
        "epoch": sub.epoch,
        "recovered": sub.recovered,
        "offset": sub.offset,
        "positioned": sub.positioned,
        "was_recovering": sub.was_recovering,
        "delta": sub.delta,
    });
    if !sub.publications.is_empty() {
        value["publications"] = sub.publications.iter().map(publication_value).collect();
    }
    with_data(value, &[], &[("data", &sub.data)])
}
