//! What each method asks for, and what it does.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::json::RawJson;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Options, Posting, Vouch};
use lychgate_service::ports::broker::{
    HistoryPage, HistoryQuery, Published, Since, Tags, VERSION_EPOCH_BYTES_MAX, Version,
};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::shown;
use super::{ChannelsApi, Failed, Method};
use crate::ws::channels::Order;

/// The longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The most channels of one broadcast.
const CHANNELS_MAX: usize = 1_000;

/// What is published, and where. Unknown keys are read over, as libraries send some that mean nothing here: so is `delta`,
/// since every channel of a namespace with deltas has them.
#[derive(Deserialize)]
struct What {
    #[serde(default)]
    channel: String,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default, deserialize_with = "said")]
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    #[serde(default)]
    skip_history: bool,
    #[serde(default)]
    idempotency_key: String,
    #[serde(default, deserialize_with = "tags")]
    tags: Tags,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    version_epoch: String,
}

#[derive(Deserialize)]
struct Channel {
    channel: String,
}

#[derive(Deserialize)]
struct History {
    channel: String,
    #[serde(default)]
    limit: i64,
    since: Option<Position>,
    #[serde(default)]
    reverse: bool,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    epoch: String,
}

/// Whom something is done to: a user's clients, or one of them.
#[derive(Deserialize)]
struct Whom {
    user: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    whitelist: Vec<String>,
}

/// Flat, since a text that is kept as it is cannot be read through another layer.
#[derive(Deserialize)]
struct Subscribe {
    user: String,
    #[serde(default)]
    client: String,
    channel: String,
    info: Option<Box<RawValue>>,
    b64info: Option<Value>,
    data: Option<Box<RawValue>>,
    b64data: Option<Value>,
    r#override: Option<Value>,
    recover_since: Option<Position>,
    #[serde(default)]
    expire_at: u64,
}

#[derive(Deserialize)]
struct Unsubscribe {
    #[serde(flatten)]
    whom: Whom,
    channel: String,
}

#[derive(Deserialize)]
struct Disconnect {
    #[serde(flatten)]
    whom: Whom,
    disconnect: Option<Ending>,
}

#[derive(Deserialize)]
struct Ending {
    code: u16,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Refresh {
    user: String,
    #[serde(default)]
    client: String,
    info: Option<Box<RawValue>>,
    #[serde(default)]
    expired: bool,
    #[serde(default)]
    expire_at: u64,
}

#[derive(Default, Deserialize)]
struct Channels {
    #[serde(default)]
    pattern: String,
}

impl Whom {
    fn is_meant(&self, client: &str) -> bool {
        (self.client.is_empty() || self.client == client) && !self.whitelist.iter().any(|spared| spared == client)
    }
}

impl Subscribe {
    /// What is said of the subscription; texts as they were written.
    fn options(&mut self) -> Result<Options, Failed> {
        let said = [("b64info", &mut self.b64info), ("b64data", &mut self.b64data), ("override", &mut self.r#override)];
        let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.take()?))).collect();
        let options = Options::read(&said).map_err(|fault| Failed::bad(fault.to_string()))?;
        let text = |raw: Option<Box<RawValue>>| raw.map(|raw| Box::from(raw.get()));
        Ok(Options {
            info: options.info.or_else(|| text(self.info.take())),
            data: options.data.or_else(|| text(self.data.take())),
            overrides: options.overrides,
        })
    }
}

impl What {
    /// The payload as JSON text.
    fn payload(&self) -> Result<Vec<u8>, Failed> {
        let payload = match (&self.data, &self.b64data) {
            (Some(data), None) => data.get().as_bytes().to_vec(),
            (None, Some(data)) => STANDARD.decode(data).map_err(|_| Failed::bad("b64data is no base64"))?,
            (Some(_), Some(_)) => return Err(Failed::bad("send data or b64data, and not both")),
            (None, None) => return Err(Failed::bad("data is missing")),
        };
        if str::from_utf8(&payload).ok().is_none_or(|text| RawJson::parse(text).is_err()) {
            return Err(Failed::bad("the data of these channels is JSON"));
        }
        Ok(payload)
    }

    fn posting<'a>(&'a self, payload: &'a [u8]) -> Result<Posting<'a>, Failed> {
        if self.idempotency_key.len() > KEY_BYTES_MAX {
            return Err(Failed::bad(format!("an idempotency_key has at most {KEY_BYTES_MAX} bytes")));
        }
        let idempotency_key = (!self.idempotency_key.is_empty()).then_some(self.idempotency_key.as_str());
        if self.version_epoch.len() > VERSION_EPOCH_BYTES_MAX {
            return Err(Failed::bad(format!("a version_epoch has at most {VERSION_EPOCH_BYTES_MAX} bytes")));
        }
        let version = (self.version > 0).then_some(Version { number: self.version, epoch: &self.version_epoch });
        Ok(Posting { payload, transient: self.skip_history, idempotency_key, tags: &self.tags, version })
    }
}

impl ChannelsApi {
    /// Does one method and gives its result.
    pub(super) async fn perform(&self, method: Method, body: &[u8]) -> Result<Box<RawValue>, Failed> {
        match method {
            Method::Publish => raw(&self.publish(&asked(body)?).await?),
            Method::Broadcast => raw(&self.broadcast(&asked(body)?).await?),
            Method::Subscribe => raw(&self.subscribe(asked(body)?)?),
            Method::Unsubscribe => raw(&self.unsubscribe(asked(body)?)?),
            Method::Disconnect => raw(&self.disconnect(asked(body)?)?),
            Method::Refresh => raw(&self.refresh(asked(body)?)),
            Method::Presence => {
                let Channel { channel } = asked(body)?;
                raw(&shown::Presence::of(&self.operator.presence(&channel)?))
            }
            Method::PresenceStats => {
                let Channel { channel } = asked(body)?;
                let occupancy = self.operator.occupancy(&channel)?;
                raw(&json!({ "num_clients": occupancy.clients, "num_users": occupancy.users }))
            }
            Method::History => raw(&shown::Page::of(&self.history(&asked(body)?)?)),
            Method::HistoryRemove => {
                let Channel { channel } = asked(body)?;
                self.operator.forget(&channel).await?;
                raw(&json!({}))
            }
            Method::Channels => raw(&self.channels(&asked(body)?)),
            Method::Info => raw(&self.info()),
            Method::Batch => Err(Failed::bad("a batch holds no batch")),
        }
    }

    async fn publish(&self, what: &What) -> Result<Value, Failed> {
        if what.channel.is_empty() {
            return Err(Failed::bad("channel is missing"));
        }
        let payload = what.payload()?;
        let published = self.operator.publish(&what.channel, what.posting(&payload)?).await?;
        Ok(place(published))
    }

    async fn broadcast(&self, what: &What) -> Result<Value, Failed> {
        if what.channels.is_empty() || what.channels.len() > CHANNELS_MAX {
            return Err(Failed::bad(format!("a broadcast names 1 to {CHANNELS_MAX} channels")));
        }
        let payload = what.payload()?;
        let posting = what.posting(&payload)?;
        // All at once, so that what has to be stored is stored in few commits.
        let responses = what.channels.iter().map(async |channel| match self.operator.publish(channel, posting).await {
            Ok(published) => json!({ "result": place(published) }),
            Err(not_done) => json!({ "error": Failed::from(not_done).shown() }),
        });
        Ok(json!({ "responses": join_all(responses).await }))
    }

    fn subscribe(&self, mut asked: Subscribe) -> Result<Value, Failed> {
        let options = asked.options()?;
        let Subscribe { user, client, channel, recover_since, expire_at, .. } = asked;
        let whom = Whom { user, client, whitelist: Vec::new() };
        let (channel, _) = self.operator.find(&channel)?;
        let vouch = Vouch::by_application(channel, options, (expire_at > 0).then_some(expire_at));
        let since = recover_since.map(|since| (since.epoch, since.offset));
        self.tell(&whom, &Order::Subscribe(vouch, since));
        Ok(json!({}))
    }

    fn unsubscribe(&self, Unsubscribe { whom, channel }: Unsubscribe) -> Result<Value, Failed> {
        let channel = ChannelName::new(&channel).map_err(|_| Failed::bad("this is no name of a channel"))?;
        self.tell(&whom, &Order::Unsubscribe(channel.as_str().into()));
        Ok(json!({}))
    }

    fn disconnect(&self, Disconnect { whom, disconnect }: Disconnect) -> Result<Value, Failed> {
        let (code, reason) = match disconnect {
            None => (CloseCode::FORCE_DISCONNECT, "force disconnect".to_owned()),
            Some(Ending { code: code @ 3000..=4999, reason }) if reason.len() <= 123 => (CloseCode(code), reason),
            Some(_) => return Err(Failed::bad("a code is from 3000 to 4999, and a reason has at most 123 bytes")),
        };
        self.tell(&whom, &Order::Disconnect(code, reason.into()));
        Ok(json!({}))
    }

    fn refresh(&self, Refresh { user, client, info, expired, expire_at }: Refresh) -> Value {
        let whom = Whom { user, client, whitelist: Vec::new() };
        let info = info.map(|info| Box::from(info.get()));
        let order = if expired {
            Order::Disconnect(CloseCode::EXPIRED, "connection expired".into())
        } else {
            Order::Refresh { until: (expire_at > 0).then_some(expire_at), info }
        };
        self.tell(&whom, &order);
        json!({})
    }

    fn tell(&self, whom: &Whom, order: &Order) {
        self.clients.tell(&whom.user, |client| whom.is_meant(client), order);
    }

    fn history(&self, history: &History) -> Result<HistoryPage, Failed> {
        let since = history.since.as_ref();
        let query = HistoryQuery {
            since: since.map(|since| Since { epoch: &since.epoch, offset: since.offset }),
            // Negative is as many as there are.
            limit: usize::try_from(history.limit)
                .map_or(self.publications_max, |limit| limit.min(self.publications_max)),
            reverse: history.reverse,
        };
        if history.reverse && since.is_some_and(|since| since.offset == 0) {
            return Err(Failed::bad("there is nothing before offset 0"));
        }
        Ok(self.operator.history(&history.channel, query)?)
    }

    fn channels(&self, Channels { pattern }: &Channels) -> Value {
        let pattern = (!pattern.is_empty()).then_some(pattern.as_str());
        let listed = self.operator.channels(pattern).into_iter();
        let channels: Map<String, Value> =
            listed.map(|(name, members)| (name.to_string(), json!({ "num_clients": members }))).collect();
        json!({ "channels": channels })
    }

    fn info(&self) -> Value {
        let present = self.clients.present();
        let channels = self.operator.channels(None);
        let subscriptions: usize = channels.iter().map(|(_, members)| members).sum();
        json!({ "nodes": [{
            "uid": self.node,
            "name": "lychgate",
            "version": env!("CARGO_PKG_VERSION"),
            "num_clients": present.clients,
            "num_users": present.users,
            "num_channels": channels.len(),
            "num_subs": subscriptions,
            "uptime": self.started.elapsed().as_secs(),
        }] })
    }
}

/// The request, if it is one; an empty body is an empty request.
fn asked<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failed> {
    let body = match body.trim_ascii() {
        b"" => &b"{}"[..],
        body => body,
    };
    // A derived reader would take a list of its fields as well.
    if !body.starts_with(b"{") {
        return Err(Failed::bad("send a JSON object"));
    }
    serde_json::from_slice(body).map_err(|fault| Failed::bad(fault.to_string()))
}

/// A result as it is sent.
fn raw(result: &impl Serialize) -> Result<Box<RawValue>, Failed> {
    serde_json::value::to_raw_value(result)
        .map_err(|fault| Failed { code: ErrorCode::INTERNAL, message: fault.to_string() })
}

/// A value that is there, if only as `null`, which is a payload like any other.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

/// Tags within their limits; `null` is none.
fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let tags = Option::<BTreeMap<String, String>>::deserialize(deserializer)?;
    Tags::new(tags.unwrap_or_default()).map_err(D::Error::custom)
}

/// Where a publication stands; nothing in channels that keep nothing.
fn place(published: Published) -> Value {
    match published.epoch {
        Some(epoch) => json!({ "offset": published.offset, "epoch": epoch.as_str() }),
        None => json!({}),
    }
}
