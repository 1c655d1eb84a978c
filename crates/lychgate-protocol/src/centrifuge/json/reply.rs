//! Replies and pushes as JSON objects, their members in the order of the public schema.

use super::write::{Object, push_array, push_number};
use crate::centrifuge::{
    ClientInfo, ConnectResult, ErrorReply, HistoryResult, Publication, Push, RefreshResult, Reply, SubscribePush,
    SubscribeResult,
};
use crate::json::push_string;

/// Appends the answer to the command `id`.
pub(in crate::centrifuge) fn reply(id: u32, reply: &Reply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("id", id.into());
    match reply {
        Reply::Error(error) => error_reply(error, object.member("error")),
        Reply::Connect(result) => connect_result(result, object.member("connect")),
        Reply::Subscribe(result) => subscribe_result(result, object.member("subscribe")),
        Reply::Unsubscribe => object.member("unsubscribe").extend_from_slice(b"{}"),
        Reply::Publish => object.member("publish").extend_from_slice(b"{}"),
        Reply::Presence(clients) => presence(clients, object.member("presence")),
        Reply::PresenceStats { num_clients, num_users } => {
            let mut stats = Object::open(object.member("presence_stats"));
            push_number((*num_clients).into(), stats.member("num_clients"));
            push_number((*num_users).into(), stats.member("num_users"));
            stats.close();
        }
        Reply::History(result) => history_result(result, object.member("history")),
        Reply::Rpc { data } => {
            let mut rpc = Object::open(object.member("rpc"));
            rpc.data("data", *data);
            rpc.close();
        }
        Reply::Refresh(result) => refresh_result(result, object.member("refresh")),
        Reply::SubRefresh { expires, ttl } => expiry(*expires, *ttl, object.member("sub_refresh")),
    }
    object.close();
}

/// Appends a push to `channel`.
pub(in crate::centrifuge) fn push(channel: &str, push: &Push<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    let mut body = Object::open(object.member("push"));
    body.text("channel", channel);
    match push {
        Push::Publication(said) => publication(said, body.member("pub")),
        Push::Join(info) => info_alone(info, body.member("join")),
        Push::Leave(info) => info_alone(info, body.member("leave")),
        Push::Unsubscribe { code, reason } => ending(code.0, reason, body.member("unsubscribe")),
        Push::Subscribe(made) => subscribe_push(made, body.member("subscribe")),
        Push::Message { data } => {
            let mut message = Object::open(body.member("message"));
            message.data("data", *data);
            message.close();
        }
        Push::Disconnect { code, reason } => ending(*code, reason, body.member("disconnect")),
        Push::Refresh { expires, ttl } => expiry(*expires, *ttl, body.member("refresh")),
    }
    body.close();
    object.close();
}

fn error_reply(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("code", error.code.0.into());
    object.text("message", error.message);
    object.flag("temporary", error.temporary);
    object.close();
}

fn connect_result(result: &ConnectResult<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text("client", result.client);
    object.text("version", result.version);
    object.flag("expires", result.expires);
    object.number("ttl", result.ttl.into());
    object.data("data", result.data);
    if !result.subs.is_empty() {
        let mut subs = Object::open(object.member("subs"));
        for (channel, sub) in result.subs {
            subscribe_result(sub, subs.key(channel));
        }
        subs.close();
    }
    object.number("ping", result.ping.into());
    object.flag("pong", result.pong);
    object.text("session", result.session);
    object.text("node", result.node);
    object.signed("time", result.time);
    object.close();
}

fn subscribe_result(result: &SubscribeResult<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.flag("expires", result.expires);
    object.number("ttl", result.ttl.into());
    object.flag("recoverable", result.recoverable);
    object.text("epoch", result.epoch);
    if !result.publications.is_empty() {
        push_array(result.publications, object.member("publications"), publication);
    }
    object.flag("recovered", result.recovered);
    object.number("offset", result.offset);
    object.flag("positioned", result.positioned);
    object.data("data", result.data);
    object.flag("was_recovering", result.was_recovering);
    object.flag("delta", result.delta);
    object.close();
}

fn presence(clients: &[ClientInfo<'_>], out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    let mut by_client = Object::open(object.member("presence"));
    for info in clients {
        client_info(info, by_client.key(info.client));
    }
    by_client.close();
    object.close();
}

fn history_result(result: &HistoryResult<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    push_array(result.publications, object.member("publications"), publication);
    push_string(result.epoch, object.member("epoch"));
    push_number(result.offset, object.member("offset"));
    object.close();
}

fn refresh_result(result: &RefreshResult<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text("client", result.client);
    object.text("version", result.version);
    object.flag("expires", result.expires);
    object.number("ttl", result.ttl.into());
    object.close();
}

fn expiry(expires: bool, ttl: u32, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.flag("expires", expires);
    object.number("ttl", ttl.into());
    object.close();
}

fn client_info(info: &ClientInfo<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    push_string(info.user, object.member("user"));
    push_string(info.client, object.member("client"));
    object.data("conn_info", info.conn_info);
    object.data("chan_info", info.chan_info);
    object.close();
}

fn publication(publication: &Publication<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.data("data", publication.data);
    if let Some(info) = &publication.info {
        client_info(info, object.member("info"));
    }
    object.number("offset", publication.offset);
    if !publication.tags.is_empty() {
        let mut tags = Object::open(object.member("tags"));
        for (name, value) in publication.tags {
            push_string(value, tags.key(name));
        }
        tags.close();
    }
    object.flag("delta", publication.delta);
    object.signed("time", publication.time);
    object.text("epoch", publication.epoch);
    object.close();
}

fn info_alone(info: &ClientInfo<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    client_info(info, object.member("info"));
    object.close();
}

fn ending(code: u32, reason: &str, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("code", code.into());
    object.text("reason", reason);
    object.close();
}

fn subscribe_push(made: &SubscribePush<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.flag("recoverable", made.recoverable);
    object.text("epoch", made.epoch);
    object.number("offset", made.offset);
    object.flag("positioned", made.positioned);
    object.data("data", made.data);
    object.close();
}
