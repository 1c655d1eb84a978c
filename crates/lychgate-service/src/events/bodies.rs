//! What is told, as JSON.

use lychgate_protocol::channel::ChannelName;
use serde_json::{Map, Value, json};

use super::attendance::{Attendee, Ended};
use super::{Happened, Item};
use crate::ports::clock::UnixMicros;
use crate::ports::events::{Change, Open};

/// The reason of what the process before has left open.
const SERVER_LOST: &str = "server_lost";

/// The body of an event, and what is open once it is told.
pub(super) fn of(item: &Item) -> (Box<str>, Change) {
    let body = |event: &str, fields: Value| text(event, item.at, fields);
    match &item.happened {
        Happened::Connected(who) => (body("connected", person(who)), Change::Opens(session(&who.client))),
        Happened::Disconnected(who, Ended { code, reason }) => {
            let mut fields = person(who);
            if let Some(fields) = fields.as_object_mut() {
                let lasted_ms = item.at.0.saturating_sub(who.since.0) / 1_000;
                fields.insert("code".to_owned(), json!(code));
                fields.insert("reason".to_owned(), json!(reason));
                fields.insert("lasted_ms".to_owned(), json!(lasted_ms));
            }
            (body("disconnected", fields), Change::Closes(session(&who.client)))
        }
        Happened::Occupied(name, namespace) => (body("occupied", place(name, namespace)), Change::Opens(channel(name))),
        Happened::Emptied(name, namespace) => (body("empty", place(name, namespace)), Change::Closes(channel(name))),
    }
}

/// The body of the event that says how many were lost.
pub(super) fn lost(count: u64, at: UnixMicros) -> Box<str> {
    text("lost", at, json!({ "count": count }))
}

/// What closes something that the process before has left open: what was told of it, and that nobody knows its end.
pub(super) fn left(open: &Open, at: UnixMicros) -> Box<str> {
    let mut fields: Map<String, Value> = serde_json::from_str(&open.body).unwrap_or_default();
    let event = if open.key.starts_with(SESSION) { "disconnected" } else { "empty" };
    fields.insert("reason".to_owned(), json!(SERVER_LOST));
    text(event, at, Value::Object(fields))
}

/// A stored body as it is told: with its number.
pub(super) fn numbered(number: u64, body: &str) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
    fields.insert("seq".to_owned(), json!(number));
    Value::Object(fields)
}

const SESSION: &str = "session:";

fn session(client: &str) -> Box<str> {
    format!("{SESSION}{client}").into()
}

fn channel(name: &ChannelName) -> Box<str> {
    format!("channel:{name}").into()
}

fn person(who: &Attendee) -> Value {
    let mut fields = json!({ "client": who.client, "user": who.user, "endpoint": &*who.endpoint });
    if let (Some(channel), Some(fields)) = (&who.channel, fields.as_object_mut()) {
        fields.insert("channel".to_owned(), json!(channel.as_str()));
    }
    fields
}

fn place(channel: &ChannelName, namespace: &str) -> Value {
    json!({ "channel": channel.as_str(), "namespace": namespace })
}

fn text(event: &str, at: UnixMicros, mut fields: Value) -> Box<str> {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("event".to_owned(), json!(event));
        fields.insert("time".to_owned(), json!(time(at)));
    }
    fields.to_string().into()
}

/// RFC 3339 with milliseconds.
fn time(at: UnixMicros) -> String {
    let millis = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const AT: UnixMicros = UnixMicros(1_795_341_600_250_999);

    fn told(happened: Happened) -> (Value, Change) {
        let (body, change) = of(&Item { source: 0, at: AT, happened });
        (numbered(7, &body), change)
    }

    #[test]
    fn an_event_says_what_happened_and_when() {
        let who = Arc::new(Attendee {
            id: 1,
            endpoint: "room".into(),
            client: "c-1".into(),
            user: "ada".into(),
            channel: Some("chat:5".parse().unwrap()),
            since: UnixMicros(AT.0 - 1_500_000),
        });
        let time = "2026-11-22T10:00:00.250Z";
        let common =
            json!({ "seq": 7, "time": time, "client": "c-1", "user": "ada", "endpoint": "room", "channel": "chat:5" });
        let with = |more: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let key: Box<str> = "session:c-1".into();
        let came = told(Happened::Connected(Arc::clone(&who)));
        assert_eq!(came, (with(json!({ "event": "connected" })), Change::Opens(key.clone())));
        let went = told(Happened::Disconnected(Arc::clone(&who), Ended { code: 1001, reason: "client" }));
        let more = json!({ "event": "disconnected", "code": 1001, "reason": "client", "lasted_ms": 1500 });
        assert_eq!(went, (with(more), Change::Closes(key.clone())));
        let (body, _) = of(&Item { source: 0, at: UnixMicros(0), happened: Happened::Connected(who) });
        let left = numbered(7, &left(&Open { key, body }, AT));
        assert_eq!(left, with(json!({ "event": "disconnected", "reason": "server_lost" })));
    }

    #[test]
    fn a_channel_is_named_with_its_namespace() {
        let (name, namespace): (ChannelName, Arc<str>) = ("chat:5".parse().unwrap(), "rooms".into());
        let time = "2026-11-22T10:00:00.250Z";
        let common =
            |event: &str| json!({ "seq": 7, "time": time, "event": event, "channel": "chat:5", "namespace": "rooms" });
        let key: Box<str> = "channel:chat:5".into();
        let occupied = told(Happened::Occupied(name.clone(), Arc::clone(&namespace)));
        assert_eq!(occupied, (common("occupied"), Change::Opens(key.clone())));
        assert_eq!(
            told(Happened::Emptied(name.clone(), Arc::clone(&namespace))),
            (common("empty"), Change::Closes(key.clone()))
        );
        let (body, _) = of(&Item { source: 0, at: AT, happened: Happened::Occupied(name, namespace) });
        let mut wanted = common("empty");
        wanted["reason"] = json!("server_lost");
        assert_eq!(numbered(7, &left(&Open { key, body }, AT)), wanted);
        assert_eq!(numbered(1, &lost(3, AT)), json!({ "seq": 1, "time": time, "event": "lost", "count": 3 }));
    }
}
