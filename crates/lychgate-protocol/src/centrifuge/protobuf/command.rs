//! A command from one Protobuf message.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::read::{BadMessage, Fields, Value};
use crate::centrifuge::{
    Command, Connect, Data, History, Method, Publish, Refresh, Rpc, StreamPosition, SubRefresh, Subscribe,
};

/// Reads one message, without its length.
pub(super) fn command(bytes: &[u8]) -> Result<Command<'_>, BadMessage> {
    let mut id = 0;
    // The first method in the protocol's order counts, wherever it stands; each is read, so that each is checked.
    let mut first: Option<(u32, Method<'_>)> = None;
    each_field(bytes, &[], |number, value| {
        let method = match number {
            1 => {
                id = value.number_32()?;
                return Ok(());
            }
            4 => Method::Connect(connect(value.bytes()?)?),
            5 => Method::Subscribe(subscribe(value.bytes()?)?),
            6 => Method::Unsubscribe { channel: channel(value.bytes()?)? },
            7 => Method::Publish(publish(value.bytes()?)?),
            8 => Method::Presence { channel: channel(value.bytes()?)? },
            9 => Method::PresenceStats { channel: channel(value.bytes()?)? },
            10 => Method::History(history(value.bytes()?)?),
            11 => each_field(value.bytes()?, &[], |_, _| Ok(())).map(|()| Method::Ping)?,
            12 => Method::Send { data: send(value.bytes()?)? },
            13 => Method::Rpc(rpc(value.bytes()?)?),
            14 => Method::Refresh(refresh(value.bytes()?)?),
            15 => Method::SubRefresh(sub_refresh(value.bytes()?)?),
            _ => return Ok(()),
        };
        let rank = rank(number);
        if first.as_ref().is_none_or(|(other, _)| rank < *other) {
            first = Some((rank, method));
        }
        Ok(())
    })?;
    let without = if id == 0 { Method::Pong } else { Method::None };
    Ok(Command { id, method: first.map_or(without, |(_, method)| method) })
}

/// The place of a method in the protocol's order, by its field: the schema's, but rpc comes before send and ping is last.
const fn rank(number: u32) -> u32 {
    match number {
        11 => u32::MAX,
        13 => 11,
        _ => number,
    }
}

/// Hands each field to `read`. Those in `repeated` may occur more than once, all others are checked to occur once.
pub(super) fn each_field<'a>(
    bytes: &'a [u8],
    repeated: &[u32],
    mut read: impl FnMut(u32, Value<'a>) -> Result<(), BadMessage>,
) -> Result<(), BadMessage> {
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next_field()? {
        if !repeated.contains(&field.number) {
            fields.once(field.number)?;
        }
        read(field.number, field.value)?;
    }
    Ok(())
}

fn connect(bytes: &[u8]) -> Result<Connect<'_>, BadMessage> {
    let mut connect = Connect::default();
    each_field(bytes, &[3, 6], |number, value| {
        match number {
            1 => connect.token = value.text()?,
            2 => connect.data = value.data()?,
            3 => entry(value.bytes()?, &mut connect.subs, |value| subscribe(value.bytes()?))?,
            4 => connect.name = value.text()?,
            5 => connect.version = value.text()?,
            6 => entry(value.bytes()?, &mut connect.headers, Value::text)?,
            7 => connect.flag = value.signed()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(connect)
}

fn subscribe(bytes: &[u8]) -> Result<Subscribe<'_>, BadMessage> {
    let mut subscribe = Subscribe::default();
    each_field(bytes, &[], |number, value| {
        match number {
            1 => subscribe.channel = value.text()?,
            2 => subscribe.token = value.text()?,
            3 => subscribe.recover = value.flag()?,
            6 => subscribe.position.epoch = value.text()?,
            7 => subscribe.position.offset = value.number()?,
            8 => subscribe.data = value.data()?,
            9 => subscribe.positioned = value.flag()?,
            10 => subscribe.recoverable = value.flag()?,
            11 => subscribe.join_leave = value.flag()?,
            12 => subscribe.delta = value.text()?,
            13 => subscribe.has_tags_filter = value.bytes().map(|_| true)?,
            14 => subscribe.flag = value.signed()?,
            15 => subscribe.kind = value.signed_32()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(subscribe)
}

fn channel(bytes: &[u8]) -> Result<Cow<'_, str>, BadMessage> {
    let mut channel = Cow::default();
    each_field(bytes, &[], |number, value| {
        if number == 1 {
            channel = value.text()?;
        }
        Ok(())
    })?;
    Ok(channel)
}

fn publish(bytes: &[u8]) -> Result<Publish<'_>, BadMessage> {
    let mut publish = Publish::default();
    each_field(bytes, &[], |number, value| {
        match number {
            1 => publish.channel = value.text()?,
            2 => publish.data = value.data()?,
            3 => publish.kind = value.signed_32()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(publish)
}

fn history(bytes: &[u8]) -> Result<History<'_>, BadMessage> {
    let mut history = History::default();
    each_field(bytes, &[], |number, value| {
        match number {
            1 => history.channel = value.text()?,
            7 => history.limit = value.signed_32()?,
            8 => history.since = Some(stream_position(value.bytes()?)?),
            9 => history.reverse = value.flag()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(history)
}

fn stream_position(bytes: &[u8]) -> Result<StreamPosition<'_>, BadMessage> {
    let mut position = StreamPosition::default();
    each_field(bytes, &[], |number, value| {
        match number {
            1 => position.offset = value.number()?,
            2 => position.epoch = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(position)
}

fn send(bytes: &[u8]) -> Result<Data<'_>, BadMessage> {
    let mut data = Data::ABSENT;
    each_field(bytes, &[], |number, value| {
        if number == 1 {
            data = value.data()?;
        }
        Ok(())
    })?;
    Ok(data)
}

fn rpc(bytes: &[u8]) -> Result<Rpc<'_>, BadMessage> {
    let mut rpc = Rpc::default();
    each_field(bytes, &[], |number, value| {
        match number {
            1 => rpc.data = value.data()?,
            2 => rpc.method = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(rpc)
}

fn refresh(bytes: &[u8]) -> Result<Refresh<'_>, BadMessage> {
    // Its one field has the number that the channel has elsewhere.
    channel(bytes).map(|token| Refresh { token })
}

fn sub_refresh(bytes: &[u8]) -> Result<SubRefresh<'_>, BadMessage> {
    let mut refresh = SubRefresh::default();
    each_field(bytes, &[4, 5], |number, value| {
        match number {
            1 => refresh.channel = value.text()?,
            2 => refresh.token = value.text()?,
            3 => refresh.kind = value.signed_32()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(refresh)
}

/// Reads one entry of a map: a message of a key and a value.
fn entry<'a, V: Default>(
    bytes: &'a [u8],
    map: &mut BTreeMap<Cow<'a, str>, V>,
    read: impl Fn(Value<'a>) -> Result<V, BadMessage>,
) -> Result<(), BadMessage> {
    let (mut key, mut value) = (Cow::default(), V::default());
    each_field(bytes, &[], |number, field| {
        match number {
            1 => key = field.text()?,
            2 => value = read(field)?,
            _ => {}
        }
        Ok(())
    })?;
    let before = map.insert(key, value);
    // check: centrifuge-protobuf-key-twice
    if before.is_some() {
        return Err(BadMessage);
    }
    Ok(())
}
