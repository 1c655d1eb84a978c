//! Questions to the application about what clients do in channels, in the shapes of Centrifugo's proxies.
//!
//! A request names the client and what it wants. The answer is `{"result": …}`, `{"error": {"code", "message"}}` or
//! `{"disconnect": {"code", "reason"}}`; an empty one lets pass, but it neither names anybody nor prolongs anything.
//!
//! **Invariant:** what was not answered is not allowed.
//!
//! **Absent on purpose:** a second try. Whether a call is made again is a setting of the application's address; a client
//! that is told that an error is temporary asks again itself.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::access::Member;
use crate::ports::application::{Application, Header, Manner};

/// Codes of errors that are the application's own.
const ERROR_CODES: std::ops::RangeInclusive<u32> = 400..=1999;

/// Codes of endings that are the application's own.
const DISCONNECT_CODES: std::ops::RangeInclusive<u16> = 4000..=4999;

/// The longest text of an error and of an ending, in bytes; what is longer is cut.
const TEXT_BYTES_MAX: usize = 123;

/// Asks one address of the application.
#[derive(Clone)]
pub struct Callback(Arc<dyn Application>);

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// By what: `websocket`, `sse` or `http_stream`.
    pub transport: &'a str,
    /// In what: `json` or `protobuf`.
    pub encoding: &'a str,
}

/// What the application says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// Yes, with what it has to say beside it.
    Result(Map<String, Value>),
    /// Nothing was said.
    Nothing,
    /// The command fails with this error.
    Error {
        /// 400 to 1999.
        code: u32,
        /// For people.
        message: String,
        /// Whether the same command may succeed later.
        is_temporary: bool,
    },
    /// The connection ends.
    Disconnect {
        /// 4000 to 4999.
        code: u16,
        /// For people.
        reason: String,
    },
    /// It could not be asked, or its answer could not be read; the log says why.
    Failed,
}

/// What a client wants.
#[derive(Clone, Copy, Debug)]
pub enum Wish<'a> {
    /// To call the application itself.
    Rpc {
        /// What is called.
        method: &'a str,
        /// JSON text; `null` if there is none.
        data: &'a str,
    },
    /// To subscribe.
    Subscribe {
        /// To which channel.
        channel: &'a str,
        /// What it says with it, as JSON text; `null` if there is nothing.
        data: &'a str,
    },
    /// To publish.
    Publish {
        /// In which channel.
        channel: &'a str,
        /// What, as JSON text.
        data: &'a str,
    },
    /// To stay connected.
    Refresh,
    /// To stay subscribed.
    SubRefresh {
        /// To which channel.
        channel: &'a str,
    },
}

/// Somebody who wants to connect and has shown no credential.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// What the connection is called.
    pub client: &'a str,
    /// What the client calls itself.
    pub name: &'a str,
    /// Its version of that.
    pub version: &'a str,
    /// What it says, as JSON text; `null` if it says nothing.
    pub data: &'a str,
    /// The channels that it was put into before.
    pub channels: &'a [&'a str],
    /// Headers of its request, as far as the application wants them.
    pub headers: &'a [Header],
}

impl Wish<'_> {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rpc { .. } => "rpc",
            Self::Subscribe { .. } => "subscribe",
            Self::Publish { .. } => "publish",
            Self::Refresh => "refresh",
            Self::SubRefresh { .. } => "sub_refresh",
        }
    }

    /// Whether the application is asked for its word, and does nothing but give it.
    const fn is_question(self) -> bool {
        !matches!(self, Self::Rpc { .. } | Self::Publish { .. })
    }
}

#[derive(Default, Deserialize)]
struct Answer {
    result: Option<Map<String, Value>>,
    error: Option<ErrorSaid>,
    disconnect: Option<DisconnectSaid>,
}

#[derive(Deserialize)]
struct ErrorSaid {
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    temporary: bool,
}

#[derive(Deserialize)]
struct DisconnectSaid {
    code: u16,
    #[serde(default)]
    reason: String,
}

impl Callback {
    /// Asks `application`.
    #[must_use]
    pub fn new(application: Arc<dyn Application>) -> Self {
        Self(application)
    }

    /// Asks what is to become of a wish of `member`, who speaks this `way`.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    pub async fn ask(&self, member: &Member, way: Way<'_>, wish: Wish<'_>) -> Answered {
        let mut fields = fields(wish.name(), &member.client, way);
        fields.push(("user", json!(member.author(None).user)));
        fields.extend(member.meta.as_ref().map(|meta| ("meta", value(meta))));
        match wish {
            Wish::Rpc { method, data } => fields.extend([("method", json!(method)), ("data", value(data))]),
            Wish::Subscribe { channel, data } | Wish::Publish { channel, data } => {
                fields.extend([("channel", json!(channel)), ("data", value(data))]);
            }
            Wish::SubRefresh { channel } => fields.push(("channel", json!(channel))),
            Wish::Refresh => {}
        }
        let manner = Manner { is_question: wish.is_question(), headers: &[] };
        self.put(wish.name(), fields, manner).await
    }

    /// Asks who `newcomer` is, who speaks this `way`, and whether it may connect.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have reached the application.
    pub async fn who_connects(&self, newcomer: &Newcomer<'_>, way: Way<'_>) -> Answered {
        let mut fields = fields("connect", newcomer.client, way);
        fields.extend([("name", json!(newcomer.name)), ("version", json!(newcomer.version))]);
        fields.extend([("data", value(newcomer.data)), ("channels", json!(newcomer.channels))]);
        self.put("connect", fields, Manner { is_question: true, headers: newcomer.headers }).await
    }

    async fn put(&self, event: &'static str, fields: Vec<(&str, Value)>, manner: Manner<'_>) -> Answered {
        let body = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        match self.0.call_as(&Value::Object(body), manner).await {
            Ok(answer) => read(answer).unwrap_or_else(|| {
                tracing::warn!(event, reason = "answer", "an answer of the application cannot be used");
                Answered::Failed
            }),
            Err(fault) => {
                tracing::warn!(event, reason = fault.code(), "the application was not asked: {fault}");
                Answered::Failed
            }
        }
    }
}

/// What every question says.
fn fields(event: &'static str, client: &str, way: Way<'_>) -> Vec<(&'static str, Value)> {
    vec![
        ("client", json!(client)),
        ("transport", json!(way.transport)),
        ("protocol", json!(way.encoding)),
        ("encoding", json!("json")),
        ("event", json!(event)),
    ]
}

/// JSON text as a value; what is no JSON is none.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn read(answer: Value) -> Option<Answered> {
    if answer.is_null() {
        return Some(Answered::Nothing);
    }
    let answer: Answer = serde_json::from_value(answer).ok()?;
    let cut = |mut text: String| {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text
    };
    match answer {
        Answer { disconnect: Some(said), error: None, result: None } => {
            let DisconnectSaid { code, reason } = said;
            DISCONNECT_CODES.contains(&code).then(|| Answered::Disconnect { code, reason: cut(reason) })
        }
        Answer { error: Some(said), disconnect: None, result: None } => {
            let ErrorSaid { code, message, temporary } = said;
            let message = cut(message);
            ERROR_CODES.contains(&code).then_some(Answered::Error { code, message, is_temporary: temporary })
        }
        Answer { result, error: None, disconnect: None } => Some(result.map_or(Answered::Nothing, Answered::Result)),
        _ => None,
    }
}

/// One field of a result as JSON text; `None` if it is absent or `null`.
#[must_use]
pub fn said(result: &Map<String, Value>, key: &str) -> Option<Box<RawValue>> {
    let value = result.get(key).filter(|value| !value.is_null())?;
    serde_json::value::to_raw_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_one_thing_or_none() {
        let error = |code, temporary| Answered::Error { code, message: "no".to_owned(), is_temporary: temporary };
        for (answer, wanted) in [
            (json!(null), Some(Answered::Nothing)),
            (json!({}), Some(Answered::Nothing)),
            (json!({ "result": null }), Some(Answered::Nothing)),
            (json!({ "result": {} }), Some(Answered::Result(Map::new()))),
            (json!({ "error": { "code": 400, "message": "no" } }), Some(error(400, false))),
            (json!({ "error": { "code": 1999, "message": "no", "temporary": true } }), Some(error(1999, true))),
            (json!({ "error": { "code": 103 } }), None),
            (json!({ "error": { "code": 2000 } }), None),
            (
                json!({ "disconnect": { "code": 4500, "reason": "go" } }),
                Some(Answered::Disconnect { code: 4500, reason: "go".to_owned() }),
            ),
            (json!({ "disconnect": { "code": 3500, "reason": "go" } }), None),
            (json!({ "result": {}, "error": { "code": 400 } }), None),
            (json!({ "result": 7 }), None),
            (json!("yes"), None),
        ] {
            assert_eq!(read(answer.clone()), wanted, "{answer}");
        }
        let long = json!({ "disconnect": { "code": 4000, "reason": "ä".repeat(100) } });
        let Some(Answered::Disconnect { reason, .. }) = read(long) else { panic!("an ending") };
        assert_eq!(reason, "ä".repeat(61), "a reason fits a close frame");
    }
}
