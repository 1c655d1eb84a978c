//! How the pieces of a text look on the wire.

use std::borrow::Cow;

use crate::ports::text_source::SourceFault;

/// Turns what happens in a run into payloads, each of which becomes one WebSocket text frame.
///
/// The run and its channel are locked meanwhile: an implementation must neither wait nor call the hub.
pub trait StreamForm: Send + Sync {
    /// A part of the text, never empty: a piece as it came, or a stretch of the text so far.
    fn piece<'a>(&self, text: &'a str) -> Cow<'a, str>;

    /// What is said when the text is whole, if anything.
    fn done(&self) -> Option<String> {
        None
    }

    /// What is said when the text will not become whole, if anything.
    fn failed(&self, _fault: &SourceFault) -> Option<String> {
        None
    }
}

/// The text itself and nothing else; its end is the end of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainText;

impl StreamForm for PlainText {
    fn piece<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }
}
