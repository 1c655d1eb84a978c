//! What a credential says of the connection that is opened by it, beside who it is.
//!
//! The claims `info`, `meta`, `channels`, `subs` and `expire_at` of a token; the same of the application's answer to the
//! question who connects.
//!
//! **Invariant:** what cannot be read is a fault and never skipped.

use std::collections::BTreeMap;

use lychgate_token::UnixSeconds;
use serde_json::{Map, Value};

use super::options::{BadOption, Options, text};

/// The claims that are read here, each as its issuer wrote it.
pub(crate) const CLAIMS: [&str; 6] = ["info", "b64info", "meta", "channels", "subs", "expire_at"];

/// What is said of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bearing {
    /// What others may know of it, as JSON text.
    pub info: Option<Box<str>>,
    /// What the application is told of it again with each question, and nobody else, as JSON text.
    pub meta: Option<Box<str>>,
    /// The channels that it is put into.
    pub channels: BTreeMap<String, Options>,
    /// What its client is told with the answer to its connect, as JSON text; only the application says this.
    pub data: Option<Box<str>>,
    /// When it ends, if that is before its credential does.
    pub ends_at: Option<UnixSeconds>,
}

impl Bearing {
    /// What these fields say.
    ///
    /// # Errors
    ///
    /// [`BadOption`] names the field that cannot be read.
    pub fn read(fields: &Map<String, Value>) -> Result<Self, BadOption> {
        Ok(Self {
            info: text(fields, "info", "b64info")?,
            meta: meta(fields)?,
            channels: channels(fields)?,
            data: text(fields, "data", "b64data")?,
            ends_at: end(fields)?,
        })
    }
}

/// What only the application is told, which is an object.
pub(super) fn meta(fields: &Map<String, Value>) -> Result<Option<Box<str>>, BadOption> {
    match fields.get("meta") {
        None | Some(Value::Null) => Ok(None),
        Some(meta @ Value::Object(_)) => Ok(Some(meta.to_string().into())),
        Some(_) => Err(BadOption("meta")),
    }
}

/// When something ends; never, if 0 or nothing is written.
pub(super) fn end(fields: &Map<String, Value>) -> Result<Option<UnixSeconds>, BadOption> {
    match fields.get("expire_at") {
        None | Some(Value::Null) => Ok(None),
        Some(at) => Ok(Some(at.as_u64().ok_or(BadOption("expire_at"))?).filter(|at| *at > 0)),
    }
}

/// `subs`, or `channels` where there are none.
fn channels(fields: &Map<String, Value>) -> Result<BTreeMap<String, Options>, BadOption> {
    const SUBS: BadOption = BadOption("subs");
    match fields.get("subs") {
        None | Some(Value::Null) => {}
        Some(Value::Object(subs)) if subs.is_empty() => {}
        Some(Value::Object(subs)) => {
            let read = |(channel, options): (&String, &Value)| match options {
                Value::Null => Ok((channel.clone(), Options::default())),
                Value::Object(options) => Ok((channel.clone(), Options::read(options)?)),
                _ => Err(SUBS),
            };
            return subs.iter().map(read).collect();
        }
        Some(_) => return Err(SUBS),
    }
    const CHANNELS: BadOption = BadOption("channels");
    match fields.get("channels") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Array(names)) => {
            let read = |name: &Value| Ok((name.as_str().ok_or(CHANNELS)?.to_owned(), Options::default()));
            names.iter().map(read).collect()
        }
        Some(_) => Err(CHANNELS),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value) -> Result<Bearing, BadOption> {
        Bearing::read(fields.as_object().unwrap())
    }

    #[test]
    fn channels_are_named_in_one_of_two_ways() {
        for (fields, wanted) in [
            (json!({}), Ok(vec![])),
            (json!({ "channels": null, "subs": {} }), Ok(vec![])),
            (json!({ "channels": ["b", "a", "a"] }), Ok(vec![("a", None), ("b", None)])),
            (
                json!({ "channels": ["b"], "subs": { "a": { "info": 1 }, "c": null } }),
                Ok(vec![("a", Some("1")), ("c", None)]),
            ),
            (json!({ "channels": "a" }), Err("channels")),
            (json!({ "channels": [7] }), Err("channels")),
            (json!({ "subs": ["a"] }), Err("subs")),
            (json!({ "subs": { "a": true } }), Err("subs")),
            (json!({ "subs": { "a": { "b64info": "?" } } }), Err("b64info")),
        ] {
            let read = read(&fields);
            let channels = read.as_ref().map(|read| {
                read.channels.iter().map(|(name, options)| (name.as_str(), options.info.as_deref())).collect()
            });
            assert_eq!(channels.map_err(|fault| fault.0), wanted, "{fields}");
        }
    }

    #[test]
    fn the_rest_is_what_it_has_to_be_or_a_fault() {
        let good = read(&json!({ "info": [1], "meta": { "plan": "gold" }, "expire_at": 7 })).unwrap();
        assert_eq!((good.info.as_deref(), good.meta.as_deref()), (Some("[1]"), Some("{\"plan\":\"gold\"}")));
        assert_eq!(good.ends_at, Some(7));
        assert_eq!(read(&json!({ "expire_at": 0 })).unwrap(), Bearing::default());
        for (fields, fault) in [
            (json!({ "meta": 7 }), "meta"),
            (json!({ "expire_at": "soon" }), "expire_at"),
            (json!({ "expire_at": -1 }), "expire_at"),
            (json!({ "b64info": 1 }), "b64info"),
        ] {
            assert_eq!(read(&fields), Err(BadOption(fault)), "{fields}");
        }
    }
}
