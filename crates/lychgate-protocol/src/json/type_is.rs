//! A look at the one member by which clients say what a message is.

use std::borrow::Cow;

use serde::Deserialize;

/// Whether `text` is a JSON object whose `type` is the string `wanted`.
///
/// A message that does not hold the word at all is answered without parsing it.
///
/// ```
/// use lychgate_protocol::json::type_is;
///
/// assert!(type_is(r#"{"type":"ping"}"#, "ping"));
/// assert!(!type_is(r#"{"payload":{"type":"ping"}}"#, "ping"));
/// ```
pub fn type_is(text: &str, wanted: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    text.contains(wanted) && serde_json::from_str::<Typed<'_>>(text).is_ok_and(|typed| typed.kind == wanted)
}
