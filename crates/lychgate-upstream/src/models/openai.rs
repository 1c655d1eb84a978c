//! What OpenAI and those who copy it say: events with a JSON object each, and `[DONE]` behind the last.

use bytes::Bytes;
use lychgate_service::ports::text_source::SourceFault;
use serde_json::Value;

use super::reading::Heard;
use super::sse::{Event, Events};

/// Reads the answer of `/v1/chat/completions`.
#[derive(Debug)]
pub(super) struct OpenAi {
    events: Events,
    /// A `finish_reason` came: the text is whole even if `[DONE]` never comes.
    is_finished: bool,
}

impl OpenAi {
    pub(super) fn new(event_bytes_max: usize) -> Self {
        Self { events: Events::new(event_bytes_max), is_finished: false }
    }

    pub(super) fn push(&mut self, part: Bytes) {
        self.events.push(part);
    }

    /// The next thing said, or `None` when more of the body is needed.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, SourceFault> {
        let Some(event) = self.events.next_event().map_err(|_| SourceFault::TooLarge)? else { return Ok(None) };
        self.heard(&event).map(Some)
    }

    /// What it means that the body is over.
    pub(super) fn end(&self) -> Result<Heard, SourceFault> {
        if self.is_finished { Ok(Heard::LAST) } else { Err(SourceFault::Cut) }
    }

    fn heard(&mut self, event: &Event) -> Result<Heard, SourceFault> {
        if event.data.trim_ascii() == b"[DONE]" {
            return Ok(Heard::LAST);
        }
        if event.name == b"error" {
            return Err(SourceFault::Failed);
        }
        let said: Value = serde_json::from_slice(&event.data).map_err(|_| SourceFault::Malformed)?;
        if said.get("error").is_some_and(|error| !error.is_null()) {
            return Err(SourceFault::Failed);
        }
        let choices = said.get("choices").and_then(Value::as_array).ok_or(SourceFault::Malformed)?;
        // A request for several texts gets them mixed; the first is the one that is read.
        let is_first = |choice: &&Value| choice.get("index").is_none_or(|index| index.as_u64() == Some(0));
        // An event without a choice counts tokens or filters the question.
        let Some(choice) = choices.iter().find(is_first) else { return Ok(Heard::NOTHING) };
        self.is_finished |= choice.get("finish_reason").is_some_and(Value::is_string);
        match choice.pointer("/delta/content") {
            None | Some(Value::Null) => Ok(Heard::NOTHING),
            Some(Value::String(piece)) => Ok(Heard { piece: piece.clone(), is_last: false }),
            Some(_) => Err(SourceFault::Malformed),
        }
    }
}
