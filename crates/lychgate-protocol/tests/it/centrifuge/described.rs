//! A command as the JSON object that says it, with what is zero left out: read by eye, and compared with other readers.

use lychgate_protocol::centrifuge::{Command, Data, DataKind, Method, StreamPosition, Subscribe};
use serde_json::{Map, Value, json};

pub(super) fn described(command: &Command<'_>) -> Value {
    let mut object = Members::default().number("id", command.id);
    if let Some((name, body)) = method(&command.method) {
        object.0.insert(name.to_owned(), body);
    }
    object.into()
}

fn method(method: &Method<'_>) -> Option<(&'static str, Value)> {
    let of_channel = |channel: &str| Members::default().text("channel", channel).into();
    Some(match method {
        Method::Connect(connect) => {
            let subs = connect.subs.iter().map(|(channel, sub)| (channel.to_string(), subscribe(sub)));
            let headers = connect.headers.iter().map(|(name, value)| (name.to_string(), json!(value)));
            let body = Members::default()
                .text("token", &connect.token)
                .data("data", connect.data)
                .map("subs", subs.collect())
                .text("name", &connect.name)
                .text("version", &connect.version)
                .map("headers", headers.collect())
                .number("flag", connect.flag);
            ("connect", body.into())
        }
        Method::Subscribe(sub) => ("subscribe", subscribe(sub)),
        Method::Unsubscribe { channel } => ("unsubscribe", of_channel(channel)),
        Method::Publish(publish) => {
            let body = Members::default().text("channel", &publish.channel).data("data", publish.data);
            ("publish", body.number("type", publish.kind).into())
        }
        Method::Presence { channel } => ("presence", of_channel(channel)),
        Method::PresenceStats { channel } => ("presence_stats", of_channel(channel)),
        Method::History(history) => {
            let mut body = Members::default().text("channel", &history.channel).number("limit", history.limit);
            if let Some(since) = &history.since {
                body.0.insert("since".to_owned(), Members::default().position(since).into());
            }
            ("history", body.flag("reverse", history.reverse).into())
        }
        Method::Rpc(rpc) => ("rpc", Members::default().text("method", &rpc.method).data("data", rpc.data).into()),
        Method::Send { data } => ("send", Members::default().data("data", *data).into()),
        Method::Refresh(refresh) => ("refresh", Members::default().text("token", &refresh.token).into()),
        Method::SubRefresh(refresh) => {
            let body = Members::default().text("channel", &refresh.channel).text("token", &refresh.token);
            ("sub_refresh", body.number("type", refresh.kind).into())
        }
        Method::Ping => ("ping", json!({})),
        Method::Pong | Method::None => return None,
    })
}

fn subscribe(sub: &Subscribe<'_>) -> Value {
    Members::default()
        .text("channel", &sub.channel)
        .text("token", &sub.token)
        .flag("recover", sub.recover)
        .position(&sub.position)
        .data("data", sub.data)
        .flag("positioned", sub.positioned)
        .flag("recoverable", sub.recoverable)
        .flag("join_leave", sub.join_leave)
        .text("delta", &sub.delta)
        .flag("tf", sub.has_tags_filter)
        .number("flag", sub.flag)
        .number("type", sub.kind)
        .into()
}

#[derive(Default)]
struct Members(Map<String, Value>);

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0)
    }
}

impl Members {
    fn with(mut self, name: &str, is_there: bool, value: Value) -> Self {
        if is_there {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.with(name, !value.is_empty(), json!(value))
    }

    fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, value, json!(value))
    }

    fn number(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.with(name, value != json!(0), value)
    }

    fn map(self, name: &str, value: Map<String, Value>) -> Self {
        self.with(name, !value.is_empty(), Value::Object(value))
    }

    fn position(self, position: &StreamPosition<'_>) -> Self {
        self.number("offset", position.offset).text("epoch", &position.epoch)
    }

    /// JSON as the value that it is, other bytes as a list of numbers.
    fn data(self, name: &str, data: Data<'_>) -> Self {
        let value = match data.checked().map(|data| (data.kind(), data)) {
            Ok((DataKind::Json, data)) => serde_json::from_slice(data.bytes()).expect("JSON"),
            _ => json!(data.bytes()),
        };
        self.with(name, !data.is_absent(), value)
    }
}
