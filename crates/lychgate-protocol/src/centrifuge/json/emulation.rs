//! The request that carries a message of a client, as a JSON object.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::object::{Object, Of, field, object};
use crate::centrifuge::{EmulationRequest, Malformed};
use crate::json::NotJson;

#[derive(Default)]
struct Body<'a> {
    session: Cow<'a, str>,
    node: Cow<'a, str>,
    data: Cow<'a, str>,
}

object!(Body<'de> {
    "session" => field(session),
    "node" => field(node),
    "data" => field(data),
});

/// Reads one.
pub(in crate::centrifuge) fn emulation(text: &str) -> Result<EmulationRequest<'_>, Malformed> {
    let Of(Body { session, node, data }) = serde_json::from_str::<Of<Body<'_>>>(text)
        .map_err(|error| Malformed::NotACommand { at: NotJson::from_serde(text, &error).at })?;
    let data = match data {
        Cow::Borrowed(data) => Cow::Borrowed(data.as_bytes()),
        Cow::Owned(data) => Cow::Owned(data.into_bytes()),
    };
    Ok(EmulationRequest { session, node, data })
}
