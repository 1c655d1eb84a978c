//! What somebody who vouches for a subscription says of it beside: what others are told, what the client is told, and
//! what it has in place of what its namespace says.
//!
//! **Invariant:** what cannot be read is a fault and never skipped: whoever wrote it meant something by it.
//!
//! **Absent on purpose:** payloads that are no JSON. Whoever reads these channels reads JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lychgate_protocol::centrifuge::Data;
use serde_json::{Map, Value};

use super::namespace::{Asked, Namespace};

/// What is said of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What others may know of its holder, as JSON text.
    pub info: Option<Box<str>>,
    /// What the client is told with it, as JSON text.
    pub data: Option<Box<str>>,
    /// What it has otherwise than its namespace says.
    pub overrides: Overrides,
}

/// What one subscription has otherwise than its namespace says; nothing, where it is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Whether its holder is on the list of who is there. A namespace without a list has none for anybody.
    pub presence: Option<bool>,
    /// Whether others are told that its holder comes and goes.
    pub join_leave: Option<bool>,
    /// Whether it is told who comes and goes without asking for it.
    pub force_push_join_leave: Option<bool>,
    /// Whether it has a position without asking for it.
    pub force_positioning: Option<bool>,
    /// Whether it can be recovered without asking for it.
    pub force_recovery: Option<bool>,
}

/// Something that is said of a connection or a subscription cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not what it has to be")]
pub struct BadOption(pub &'static str);

impl Options {
    /// What these fields say.
    ///
    /// # Errors
    ///
    /// [`BadOption`] names the field that cannot be read.
    pub fn read(fields: &Map<String, Value>) -> Result<Self, BadOption> {
        Ok(Self {
            info: text(fields, "info", "b64info")?,
            data: text(fields, "data", "b64data")?,
            overrides: Overrides::read(fields)?,
        })
    }
}

impl Overrides {
    fn read(fields: &Map<String, Value>) -> Result<Self, BadOption> {
        const OVERRIDE: BadOption = BadOption("override");
        let said = match fields.get("override") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(said)) => said,
            Some(_) => return Err(OVERRIDE),
        };
        let flag = |name: &str| match said.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(flag)) => flag.get("value").and_then(Value::as_bool).map(Some).ok_or(OVERRIDE),
            Some(_) => Err(OVERRIDE),
        };
        Ok(Self {
            presence: flag("presence")?,
            join_leave: flag("join_leave")?,
            force_push_join_leave: flag("force_push_join_leave")?,
            force_positioning: flag("force_positioning")?,
            force_recovery: flag("force_recovery")?,
        })
    }

    /// The namespace as this subscription has it; `None` if that is no other one.
    pub(super) fn applied_to(self, namespace: &Namespace) -> Option<Namespace> {
        if self == Self::default() {
            return None;
        }
        let forced = |own: Asked, force: Option<bool>| match (force, own) {
            (Some(true), _) => Asked::Always,
            (Some(false), Asked::Always) => Asked::IfAsked,
            (Some(false) | None, own) => own,
        };
        Some(Namespace {
            lists: self.presence.unwrap_or(namespace.lists),
            announces: self.join_leave.unwrap_or(namespace.announces),
            join_leave: forced(namespace.join_leave, self.force_push_join_leave),
            recovery: forced(namespace.recovery, self.force_recovery),
            ..namespace.clone()
        })
    }
}

/// JSON text from a field, or from its twin in base64, which wins.
pub(crate) fn text(
    fields: &Map<String, Value>,
    plain: &'static str,
    encoded: &'static str,
) -> Result<Option<Box<str>>, BadOption> {
    match fields.get(encoded) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => {
            let bytes = STANDARD.decode(text).map_err(|_| BadOption(encoded))?;
            let data = Data::bytes_of(&bytes).checked().map_err(|_| BadOption(encoded))?;
            return Ok(data.as_json().map(Into::into));
        }
        Some(_) => return Err(BadOption(encoded)),
    }
    Ok(fields.get(plain).filter(|value| !value.is_null()).map(|value| value.to_string().into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value) -> Result<Options, BadOption> {
        Options::read(fields.as_object().unwrap())
    }

    #[test]
    fn options_are_read_whole_or_not_at_all() {
        let (seven, broken) = (STANDARD.encode("7"), STANDARD.encode("{"));
        for (fields, wanted) in [
            (json!({}), Ok((None, None))),
            (json!({ "info": null, "b64info": "", "data": null }), Ok((None, None))),
            (json!({ "info": { "a": 1 }, "data": [1] }), Ok((Some("{\"a\":1}"), Some("[1]")))),
            (json!({ "info": 1, "b64info": seven, "data": 2, "b64data": seven }), Ok((Some("7"), Some("7")))),
            (json!({ "b64info": broken }), Err("b64info")),
            (json!({ "b64data": "?" }), Err("b64data")),
            (json!({ "b64data": 7 }), Err("b64data")),
            (json!({ "override": true }), Err("override")),
            (json!({ "override": { "presence": true } }), Err("override")),
            (json!({ "override": { "presence": { "value": 1 } } }), Err("override")),
        ] {
            let wanted = wanted.map_err(BadOption);
            let read = read(&fields);
            let texts = read.as_ref().map(|read| (read.info.as_deref(), read.data.as_deref()));
            assert_eq!(texts.map_err(|fault| *fault), wanted, "{fields}");
        }
        let all = ["presence", "join_leave", "force_push_join_leave", "force_positioning", "force_recovery"];
        for name in all {
            let one = read(&json!({ "override": { name: { "value": false }, "other": 7 } })).unwrap().overrides;
            let Overrides { presence, join_leave, force_push_join_leave, force_positioning, force_recovery } = one;
            let flags = [presence, join_leave, force_push_join_leave, force_positioning, force_recovery];
            assert_eq!(flags, all.map(|other| (other == name).then_some(false)), "{name}");
        }
    }
}
