//! Replies and pushes as Protobuf messages.

use super::write::{Message, delimited};
use crate::centrifuge::{
    ClientInfo, ConnectResult, ErrorReply, HistoryResult, Publication, Push, RefreshResult, Reply, SubscribePush,
    SubscribeResult,
};

/// Appends the answer to the command `id`, with its length in front.
pub(in crate::centrifuge) fn reply(id: u32, reply: &Reply<'_>, out: &mut Vec<u8>) {
    delimited(out, |message| {
        message.number(1, id.into());
        match reply {
            Reply::Error(error) => message.message(2, |body| error_reply(error, body)),
            Reply::Connect(result) => message.message(5, |body| connect_result(result, body)),
            Reply::Subscribe(result) => message.message(6, |body| subscribe_result(result, body)),
            Reply::Unsubscribe => message.message(7, |_| {}),
            Reply::Publish => message.message(8, |_| {}),
            Reply::Presence(clients) => message.message(9, |body| presence(clients, body)),
            Reply::PresenceStats { num_clients, num_users } => message.message(10, |body| {
                body.number(1, (*num_clients).into());
                body.number(2, (*num_users).into());
            }),
            Reply::History(result) => message.message(11, |body| history_result(result, body)),
            Reply::Rpc { data } => message.message(13, |body| body.bytes(1, data.bytes())),
            Reply::Refresh(result) => message.message(14, |body| refresh_result(result, body)),
            Reply::SubRefresh { expires, ttl } => message.message(15, |body| expiry(*expires, *ttl, body)),
        }
    });
}

/// Appends a push to `channel`, with its length in front.
pub(in crate::centrifuge) fn push(channel: &str, push: &Push<'_>, out: &mut Vec<u8>) {
    delimited(out, |message| {
        message.message(4, |body| {
            body.bytes(2, channel);
            push_body(push, body);
        });
    });
}

fn push_body(push: &Push<'_>, message: &mut Message<'_>) {
    match push {
        Push::Publication(said) => message.message(4, |body| publication(said, body)),
        Push::Join(info) => message.message(5, |body| body.message(1, |body| client_info(info, body))),
        Push::Leave(info) => message.message(6, |body| body.message(1, |body| client_info(info, body))),
        Push::Unsubscribe { code, reason } => message.message(7, |body| {
            body.number(2, code.0.into());
            body.bytes(3, reason);
        }),
        Push::Message { data } => message.message(8, |body| body.bytes(1, data.bytes())),
        Push::Subscribe(made) => message.message(9, |body| subscribe_push(made, body)),
        Push::Disconnect { code, reason } => message.message(11, |body| {
            body.number(1, (*code).into());
            body.bytes(2, reason);
        }),
        Push::Refresh { expires, ttl } => message.message(12, |body| expiry(*expires, *ttl, body)),
    }
}

fn error_reply(error: &ErrorReply<'_>, message: &mut Message<'_>) {
    message.number(1, error.code.0.into());
    message.bytes(2, error.message);
    message.flag(3, error.temporary);
}

fn connect_result(result: &ConnectResult<'_>, message: &mut Message<'_>) {
    message.bytes(1, result.client);
    message.bytes(2, result.version);
    message.flag(3, result.expires);
    message.number(4, result.ttl.into());
    message.bytes(5, result.data.bytes());
    for (channel, sub) in result.subs {
        message.message(6, |entry| {
            entry.bytes(1, channel);
            entry.message(2, |body| subscribe_result(sub, body));
        });
    }
    message.number(7, result.ping.into());
    message.flag(8, result.pong);
    message.bytes(9, result.session);
    message.bytes(10, result.node);
    message.signed(11, result.time);
}

fn subscribe_result(result: &SubscribeResult<'_>, message: &mut Message<'_>) {
    message.flag(1, result.expires);
    message.number(2, result.ttl.into());
    message.flag(3, result.recoverable);
    message.bytes(6, result.epoch);
    for said in result.publications {
        message.message(7, |body| publication(said, body));
    }
    message.flag(8, result.recovered);
    message.number(9, result.offset);
    message.flag(10, result.positioned);
    message.bytes(11, result.data.bytes());
    message.flag(12, result.was_recovering);
    message.flag(13, result.delta);
}

fn presence(clients: &[ClientInfo<'_>], message: &mut Message<'_>) {
    for info in clients {
        message.message(1, |entry| {
            entry.bytes(1, info.client);
            entry.message(2, |body| client_info(info, body));
        });
    }
}

fn history_result(result: &HistoryResult<'_>, message: &mut Message<'_>) {
    for said in result.publications {
        message.message(1, |body| publication(said, body));
    }
    message.bytes(2, result.epoch);
    message.number(3, result.offset);
}

fn refresh_result(result: &RefreshResult<'_>, message: &mut Message<'_>) {
    message.bytes(1, result.client);
    message.bytes(2, result.version);
    message.flag(3, result.expires);
    message.number(4, result.ttl.into());
}

fn expiry(expires: bool, ttl: u32, message: &mut Message<'_>) {
    message.flag(1, expires);
    message.number(2, ttl.into());
}

fn client_info(info: &ClientInfo<'_>, message: &mut Message<'_>) {
    message.bytes(1, info.user);
    message.bytes(2, info.client);
    message.bytes(3, info.conn_info.bytes());
    message.bytes(4, info.chan_info.bytes());
}

fn publication(publication: &Publication<'_>, message: &mut Message<'_>) {
    message.bytes(4, publication.data.bytes());
    if let Some(info) = &publication.info {
        message.message(5, |body| client_info(info, body));
    }
    message.number(6, publication.offset);
    for (name, value) in publication.tags {
        message.message(7, |entry| {
            entry.bytes(1, name.as_bytes());
            entry.bytes(2, value.as_bytes());
        });
    }
    message.flag(8, publication.delta);
    message.signed(9, publication.time);
    message.bytes(14, publication.epoch);
}

fn subscribe_push(made: &SubscribePush<'_>, message: &mut Message<'_>) {
    message.flag(1, made.recoverable);
    message.bytes(4, made.epoch);
    message.number(5, made.offset);
    message.flag(6, made.positioned);
    message.bytes(7, made.data.bytes());
}
