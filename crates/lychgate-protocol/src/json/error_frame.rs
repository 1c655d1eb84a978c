//! The frame that tells a client what was wrong with its frame.

use super::raw::{RawJson, push_string};

/// Appends `{"type":"error","payload":{"message":…,"original_request":…}}` as text (no WebSocket header).
///
/// `original` is the client's frame if it was JSON; without one the key is left out.
///
/// ```
/// use lychgate_protocol::json::{RawJson, error_frame};
///
/// let mut out = Vec::new();
/// error_frame("Unsupported message type: x", Some(&RawJson::parse(r#"{"type":"x"}"#)?), &mut out);
/// let expected = br#"{"type":"error","payload":{"message":"Unsupported message type: x","original_request":{"type":"x"}}}"#;
/// assert_eq!(out, expected);
/// # Ok::<(), lychgate_protocol::json::NotJson>(())
/// ```
pub fn error_frame(message: &str, original: Option<&RawJson<'_>>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"error","payload":{"message":"#);
    push_string(message, out);
    if let Some(original) = original {
        out.extend_from_slice(br#","original_request":"#);
        out.extend_from_slice(original.as_str().as_bytes());
    }
    out.extend_from_slice(b"}}");
}
