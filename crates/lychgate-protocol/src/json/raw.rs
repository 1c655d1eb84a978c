//! JSON text that is known to be valid.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// One JSON value as text, valid by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson<'a>(Cow<'a, str>);

/// A text is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}")]
pub struct NotJson {
    /// Offset of the first byte that cannot be JSON; the text's length if it ends too early.
    pub at: usize,
}

impl<'a> RawJson<'a> {
    /// The JSON `null`.
    pub const NULL: RawJson<'static> = RawJson(Cow::Borrowed("null"));

    /// A JSON string that says `text`.
    pub fn string(text: &str) -> RawJson<'static> {
        // Writing a string into memory does not fail; should it ever, what stands here is still JSON.
        RawJson(serde_json::to_string(text).map_or(Cow::Borrowed("\"\""), Cow::Owned))
    }

    /// A JSON number; `null` for an infinity or NaN, which JSON cannot say.
    pub fn float(number: f64) -> RawJson<'static> {
        RawJson(serde_json::to_string(&number).map_or(Cow::Borrowed("null"), Cow::Owned))
    }

    /// A JSON integer.
    pub fn integer(number: i64) -> RawJson<'static> {
        RawJson(Cow::Owned(number.to_string()))
    }

    /// Checks that `text` is one JSON value, of any depth, and keeps it without the whitespace around it.
    ///
    /// # Errors
    ///
    /// Returns where `text` stops being JSON.
    pub fn parse(text: &'a str) -> Result<Self, NotJson> {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Ok(Self(Cow::Borrowed(raw.get()))),
            Err(error) => Err(NotJson::from_serde(text, &error)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same value, borrowed: a stamp that is made once is lent to many messages.
    pub fn by_ref(&self) -> RawJson<'_> {
        RawJson(Cow::Borrowed(&self.0))
    }
}

impl<'a> From<&'a RawValue> for RawJson<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(Cow::Borrowed(raw.get()))
    }
}

impl NotJson {
    /// serde_json counts lines and columns from 1; a column is a number of bytes.
    pub(crate) fn from_serde(text: &str, error: &serde_json::Error) -> Self {
        if error.is_eof() {
            return Self { at: text.len() };
        }
        let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        Self { at: (line_start + error.column().saturating_sub(1)).min(text.len()) }
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(text: &str, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, text).is_err() {
        // Writing to a Vec does not fail; should it ever, what stays is still JSON.
        out.truncate(before);
        out.extend_from_slice(b"\"\"");
    }
}
