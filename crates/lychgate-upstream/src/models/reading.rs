//! One answer as it comes: the clock and the limits around what the format says.

use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use lychgate_service::ports::text_source::{Pieces, SourceFault};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::ollama::Ollama;
use super::openai::OpenAi;
use super::{SourceKind, SourceLimits};

/// What a line or an event said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// More of the text, or nothing.
    pub(super) piece: String,
    /// The text is whole.
    pub(super) is_last: bool,
}

impl Heard {
    pub(super) const NOTHING: Self = Self { piece: String::new(), is_last: false };
    pub(super) const LAST: Self = Self { piece: String::new(), is_last: true };
}

/// The pieces in `response`, the first byte of which must come by `first_byte_by`.
pub(super) fn pieces(response: Response, kind: SourceKind, limits: SourceLimits, first_byte_by: Instant) -> Pieces {
    let format = match kind {
        SourceKind::Ollama => Format::Ollama(Ollama::new(limits.event_bytes_max)),
        SourceKind::OpenAi => Format::OpenAi(OpenAi::new(limits.event_bytes_max)),
    };
    let reading = Reading { response, format, limits, byte_by: first_byte_by, text_bytes: 0, body_bytes: 0 };
    // The answer goes, and with it the connection, as soon as the last piece is known to be the last.
    let next = |reading: Option<Reading>| async {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Heard { piece, is_last: true }) if piece.is_empty() => None,
            Ok(Heard { piece, is_last }) => Some((Ok(piece), (!is_last).then_some(reading))),
            Err(fault) => Some((Err(fault), None)),
        }
    };
    unfold(Some(reading), next).boxed()
}

enum Format {
    Ollama(Ollama),
    OpenAi(OpenAi),
}

struct Reading {
    response: Response,
    format: Format,
    limits: SourceLimits,
    /// When the source counts as silent.
    byte_by: Instant,
    text_bytes: usize,
    body_bytes: usize,
}

impl Reading {
    /// The next piece that is not empty, or the end.
    async fn next(&mut self) -> Result<Heard, SourceFault> {
        loop {
            let heard = match &mut self.format {
                Format::Ollama(format) => format.next()?,
                Format::OpenAi(format) => format.next()?,
            };
            match heard {
                Some(heard) if heard.is_last || !heard.piece.is_empty() => return self.counted(heard),
                Some(_) => {}
                None => {
                    if !self.read().await? {
                        let heard = match &mut self.format {
                            Format::Ollama(format) => format.end()?,
                            Format::OpenAi(format) => format.end()?,
                        };
                        return self.counted(heard);
                    }
                }
            }
        }
    }

    /// Reads the next part of the body; says whether there was one.
    async fn read(&mut self) -> Result<bool, SourceFault> {
        let read = timeout_at(self.byte_by, self.response.chunk()).await;
        // A body that ends before its framing says so is an error of the transport, and no end.
        let Some(part) = read.map_err(|_| SourceFault::Stalled)?.map_err(|_| SourceFault::Cut)? else {
            return Ok(false);
        };
        self.byte_by = Instant::now() + self.limits.idle_timeout;
        self.body_bytes = self.body_bytes.saturating_add(part.len());
        if self.body_bytes > self.limits.body_bytes_max {
            return Err(SourceFault::TooLarge);
        }
        match &mut self.format {
            Format::Ollama(format) => format.push(part),
            Format::OpenAi(format) => format.push(part),
        }
        Ok(true)
    }

    fn counted(&mut self, heard: Heard) -> Result<Heard, SourceFault> {
        self.text_bytes = self.text_bytes.saturating_add(heard.piece.len());
        if self.text_bytes > self.limits.text_bytes_max { Err(SourceFault::TooLarge) } else { Ok(heard) }
    }
}
