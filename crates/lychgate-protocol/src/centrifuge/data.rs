//! Payloads: what an application says, which the protocol carries and never reads.
//!
//! **Invariant:** a [`Data`] of kind JSON is the text of one JSON value, so it can stand in a JSON reply as it is.
//! One that came from a client is nested no deeper than a command may be, whichever encoding it came in.

use std::fmt;

use serde_json::value::RawValue;

use crate::json::{DEPTH_MAX, NotJson, RawJson, is_deeper};

/// A payload, borrowed; absent if it has no bytes.
///
/// It prints as its length alone, since what it holds is not ours to print.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Data<'a> {
    bytes: &'a [u8],
    kind: DataKind,
}

/// What is known of the bytes of a [`Data`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataKind {
    /// Any bytes, as a Protobuf client sends them.
    #[default]
    Bytes,
    /// The text of one JSON value.
    Json,
}

/// Why bytes are no JSON payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadData {
    /// They are not JSON.
    #[error("the payload is {0}")]
    NotJson(#[from] NotJson),
    /// They nest deeper than a payload in a JSON command may, which is two levels inside of
    /// [`DEPTH_MAX`](crate::json::DEPTH_MAX).
    #[error("the payload is nested too deep")]
    TooDeep,
}

impl<'a> Data<'a> {
    /// No payload.
    pub const ABSENT: Self = Self { bytes: &[], kind: DataKind::Bytes };

    /// A payload that is JSON.
    pub fn json(text: &'a RawJson<'_>) -> Self {
        Self::json_trusted(text.as_str())
    }

    /// A payload that was JSON when it came and was stored as it was.
    ///
    /// The text is believed: one that is no JSON value makes a reply that its readers cannot parse.
    pub const fn json_trusted(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), kind: DataKind::Json }
    }

    /// A payload of any bytes.
    ///
    /// Readers of Protobuf get the bytes. Readers of JSON get the same bytes if they are JSON, which is checked when a
    /// reply is written, and otherwise a string that is their base64.
    pub const fn bytes_of(bytes: &'a [u8]) -> Self {
        Self { bytes, kind: DataKind::Bytes }
    }

    /// The same payload, checked once: it is then of kind JSON, or absent as before.
    ///
    /// # Errors
    ///
    /// Says where the bytes stop being JSON, or that they are nested too deep for some readers.
    pub fn checked(self) -> Result<Self, BadData> {
        if self.kind == DataKind::Json || self.is_absent() {
            return Ok(self);
        }
        let text = simdutf8::compat::from_utf8(self.bytes).map_err(|error| NotJson { at: error.valid_up_to() })?;
        // What is deeper than its readers' patience would throw them out of the channel.
        let inner = RawJson::parse(text)?;
        // check: centrifuge-data-depth
        if is_deeper(inner.as_str(), DEPTH_MAX - 2) {
            return Err(BadData::TooDeep);
        }
        Ok(Self::json_trusted(text))
    }

    /// The bytes as they came.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The text, if the payload is known to be JSON.
    pub fn as_json(self) -> Option<&'a str> {
        // Kind JSON is made of text alone, so the second check never fails.
        (self.kind == DataKind::Json).then(|| simdutf8::basic::from_utf8(self.bytes).ok()).flatten()
    }

    /// What is known of the bytes.
    pub const fn kind(self) -> DataKind {
        self.kind
    }

    /// Whether there is no payload.
    pub const fn is_absent(self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a> From<&'a RawValue> for Data<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self::json_trusted(raw.get())
    }
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.bytes.len())
    }
}
