//! What Ollama says: one JSON object a line, the last one with `"done": true`.

use bytes::Bytes;
use lychgate_service::ports::text_source::SourceFault;
use serde_json::Value;

use super::lines::{LineEnd, Lines};
use super::reading::Heard;

/// Reads the answer of `/api/generate`.
#[derive(Debug)]
pub(super) struct Ollama(Lines);

impl Ollama {
    pub(super) fn new(line_bytes_max: usize) -> Self {
        Self(Lines::new(LineEnd::Lf, line_bytes_max))
    }

    pub(super) fn push(&mut self, part: Bytes) {
        self.0.push(part);
    }

    /// The next thing said, or `None` when more of the body is needed.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, SourceFault> {
        while let Some(line) = self.0.next_line().map_err(|_| SourceFault::TooLarge)? {
            if !line.trim_ascii().is_empty() {
                return heard(line).map(Some);
            }
        }
        Ok(None)
    }

    /// What it means that the body is over.
    pub(super) fn end(&mut self) -> Result<Heard, SourceFault> {
        // The last line may lack its end; half a line says nothing.
        match heard(self.0.rest()) {
            Ok(last) if last.is_last => Ok(last),
            Err(SourceFault::Failed) => Err(SourceFault::Failed),
            _ => Err(SourceFault::Cut),
        }
    }
}

fn heard(line: &[u8]) -> Result<Heard, SourceFault> {
    let line: Value = serde_json::from_slice(line).map_err(|_| SourceFault::Malformed)?;
    let line = line.as_object().ok_or(SourceFault::Malformed)?;
    if line.get("error").is_some_and(|error| !error.is_null()) {
        return Err(SourceFault::Failed);
    }
    let is_last = match line.get("done") {
        None => false,
        Some(Value::Bool(done)) => *done,
        Some(_) => return Err(SourceFault::Malformed),
    };
    match line.get("response") {
        Some(Value::String(piece)) => Ok(Heard { piece: piece.clone(), is_last }),
        None if is_last => Ok(Heard::LAST),
        _ => Err(SourceFault::Malformed),
    }
}
