//! A command from one JSON object.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::object::{Object, Of, field, is_present, object};
use crate::centrifuge::{
    Command, Connect, Data, History, Method, Publish, Refresh, Rpc, StreamPosition, SubRefresh, Subscribe,
};

/// Reads one object.
pub(super) fn command(line: &str) -> serde_json::Result<Command<'_>> {
    let Of(fields) = serde_json::from_str::<Of<Fields<'_>>>(line)?;
    Ok(Command { id: fields.id, method: fields.method() })
}

/// Every method that one command may name.
#[derive(Default)]
struct Fields<'a> {
    id: u32,
    connect: Option<Connect<'a>>,
    subscribe: Option<Subscribe<'a>>,
    unsubscribe: Option<OfChannel<'a>>,
    publish: Option<Publish<'a>>,
    presence: Option<OfChannel<'a>>,
    presence_stats: Option<OfChannel<'a>>,
    history: Option<History<'a>>,
    rpc: Option<Rpc<'a>>,
    send: Option<OfData<'a>>,
    refresh: Option<Refresh<'a>>,
    sub_refresh: Option<SubRefresh<'a>>,
    ping: Option<Empty>,
}

#[derive(Default)]
struct OfChannel<'a> {
    channel: Cow<'a, str>,
}

#[derive(Default)]
struct OfData<'a> {
    data: Data<'a>,
}

#[derive(Default)]
struct Empty;

impl<'a> Fields<'a> {
    /// The first method there is, in the protocol's order.
    fn method(self) -> Method<'a> {
        None.or_else(|| self.connect.map(Method::Connect))
            .or_else(|| self.subscribe.map(Method::Subscribe))
            .or_else(|| self.unsubscribe.map(|of| Method::Unsubscribe { channel: of.channel }))
            .or_else(|| self.publish.map(Method::Publish))
            .or_else(|| self.presence.map(|of| Method::Presence { channel: of.channel }))
            .or_else(|| self.presence_stats.map(|of| Method::PresenceStats { channel: of.channel }))
            .or_else(|| self.history.map(Method::History))
            .or_else(|| self.rpc.map(Method::Rpc))
            .or_else(|| self.send.map(|of| Method::Send { data: of.data }))
            .or_else(|| self.refresh.map(Method::Refresh))
            .or_else(|| self.sub_refresh.map(Method::SubRefresh))
            .or_else(|| self.ping.map(|Empty| Method::Ping))
            .unwrap_or(if self.id == 0 { Method::Pong } else { Method::None })
    }
}

object!(Fields<'de> {
    "id" => field(id),
    "connect" => field(connect),
    "subscribe" => field(subscribe),
    "unsubscribe" => field(unsubscribe),
    "publish" => field(publish),
    "presence" => field(presence),
    "presence_stats" => field(presence_stats),
    "history" => field(history),
    "rpc" => field(rpc),
    "send" => field(send),
    "refresh" => field(refresh),
    "sub_refresh" => field(sub_refresh),
    "ping" => field(ping),
});
object!(Connect<'de> {
    "token" => field(token),
    "data" => field(data),
    "subs" => field(subs),
    "name" => field(name),
    "version" => field(version),
    "headers" => field(headers),
    "flag" => field(flag),
});
object!(Subscribe<'de> {
    "channel" => field(channel),
    "token" => field(token),
    "recover" => field(recover),
    "epoch" => field(position.epoch),
    "offset" => field(position.offset),
    "data" => field(data),
    "positioned" => field(positioned),
    "recoverable" => field(recoverable),
    "join_leave" => field(join_leave),
    "delta" => field(delta),
    "tf" => is_present(has_tags_filter),
    "flag" => field(flag),
    "type" => field(kind),
});
object!(Publish<'de> {
    "channel" => field(channel),
    "data" => field(data),
    "type" => field(kind),
});
object!(History<'de> {
    "channel" => field(channel),
    "limit" => field(limit),
    "since" => field(since),
    "reverse" => field(reverse),
});
object!(StreamPosition<'de> {
    "offset" => field(offset),
    "epoch" => field(epoch),
});
object!(Rpc<'de> {
    "method" => field(method),
    "data" => field(data),
});
object!(Refresh<'de> {
    "token" => field(token),
});
object!(SubRefresh<'de> {
    "channel" => field(channel),
    "token" => field(token),
    "type" => field(kind),
});
object!(OfChannel<'de> {
    "channel" => field(channel),
});
object!(OfData<'de> {
    "data" => field(data),
});
object!(Empty {});
