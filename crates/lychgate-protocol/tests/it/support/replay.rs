//! A stream decoded in chunks, and in every way of cutting it.

use lychgate_protocol::ws::{Decoder, DecoderLimits, Event, Role, Violation};

/// An [`Event`] that owns what it says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the end of a message.
    Whole,
    /// Inside a frame or a message.
    Mid,
    Refused(Violation),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) said: Vec<Said>,
    pub(crate) end: End,
}

/// Streams longer than this are cut at every byte of their first and last `EDGE_BYTES` and here and there between.
const EVERY_CUT_BYTES_MAX: usize = 2_048;
const EDGE_BYTES: usize = 64;
const STRIDE_BYTES: usize = 9_973;

pub(crate) fn decode_chunks<'a>(
    role: Role,
    limits: DecoderLimits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut decoder = Decoder::new(role, limits);
    let mut said = Vec::new();
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut at = 0;
        loop {
            match decoder.decode(&mut chunk[at..]) {
                Ok(decoded) => {
                    at += decoded.consumed;
                    match decoded.event {
                        Some(event) => said.push(Said::from(event)),
                        None => break,
                    }
                }
                Err(violation) => {
                    assert_eq!(decoder.decode(&mut []), Err(violation), "a refusal stays");
                    assert_eq!(decoder.heap_bytes(), 0, "a refused stream holds nothing");
                    return Outcome { said, end: End::Refused(violation) };
                }
            }
        }
        assert_eq!(at, chunk.len(), "without an event, all of the input is consumed");
        assert!(decoder.is_mid_message() || decoder.heap_bytes() == 0, "an idle decoder holds nothing");
    }
    Outcome { said, end: if decoder.is_mid_message() { End::Mid } else { End::Whole } }
}

/// Decodes `bytes` in one chunk, byte by byte and cut in two at every byte, and asserts that all agree.
pub(crate) fn decode_in_every_cut(role: Role, limits: DecoderLimits, bytes: &[u8]) -> Outcome {
    let whole = decode_chunks(role, limits, [bytes]);
    assert_eq!(whole, decode_chunks(role, limits, bytes.chunks(1)), "byte by byte");
    for cut in cuts(bytes.len()) {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(whole, decode_chunks(role, limits, [head, tail]), "cut at byte {cut}");
    }
    whole
}

fn cuts(bytes: usize) -> Vec<usize> {
    if bytes <= EVERY_CUT_BYTES_MAX {
        return (0..=bytes).collect();
    }
    let middle = (EDGE_BYTES..bytes - EDGE_BYTES).step_by(STRIDE_BYTES);
    (0..EDGE_BYTES).chain(middle).chain(bytes - EDGE_BYTES..=bytes).collect()
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(bytes.into()),
            Event::Ping(bytes) => Self::Ping(bytes.into()),
            Event::Pong(bytes) => Self::Pong(bytes.into()),
            Event::Close(body) => Self::Close(body.map(|(code, reason)| (code.0, reason.into()))),
        }
    }
}

impl std::fmt::Debug for Said {
    /// Short, since some payloads are not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, bytes) = match self {
            Self::Text(text) => ("Text", text.as_bytes()),
            Self::Binary(bytes) => ("Binary", &bytes[..]),
            Self::Ping(bytes) => ("Ping", &bytes[..]),
            Self::Pong(bytes) => ("Pong", &bytes[..]),
            Self::Close(body) => return write!(f, "Close({body:?})"),
        };
        let shown = bytes[..bytes.len().min(40)].escape_ascii();
        write!(f, "{kind}({shown} of {} bytes)", bytes.len())
    }
}
