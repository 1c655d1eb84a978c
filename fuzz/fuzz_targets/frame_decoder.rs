//! Any bytes under any split give the same events and the same verdict as one chunk, for either role.
//!
//! The first byte chooses the role and the limits, the second seeds the split, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lychgate_protocol::ws::{Decoder, DecoderLimits, Event, Role, Violation};

fuzz_target!(|data: &[u8]| {
    let [choice, seed, stream @ ..] = data else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let limits = if choice & 2 == 0 {
        DecoderLimits { message_bytes_max: usize::MAX, fragments_max: u32::MAX }
    } else {
        DecoderLimits { message_bytes_max: 130, fragments_max: 3 }
    };
    let whole = run(role, limits, stream, Split::Whole);
    assert_eq!(whole, run(role, limits, stream, Split::Bytes), "byte by byte");
    assert_eq!(whole, run(role, limits, stream, Split::Random(u32::from(*seed) + 1)), "split by seed {seed}");
});

enum Split {
    Whole,
    Bytes,
    Random(u32),
}

impl Split {
    /// How many of the `left` bytes the next read returns.
    fn next(&mut self, left: usize) -> usize {
        match self {
            Self::Whole => left,
            Self::Bytes => 1,
            Self::Random(state) => {
                // xorshift: a few reads of every size, none included.
                *state ^= *state << 13;
                *state ^= *state >> 17;
                *state ^= *state << 5;
                (*state as usize % 19).min(left)
            }
        }
    }
}

/// What a stream gave: its events in a flat form, where each message ended, and how it stands at the end.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    said: Vec<u8>,
    refused: Option<Violation>,
    is_mid_message: bool,
}

fn run(role: Role, limits: DecoderLimits, stream: &[u8], mut split: Split) -> Outcome {
    let mut decoder = Decoder::new(role, limits);
    let mut outcome = Outcome { said: Vec::new(), refused: None, is_mid_message: false };
    let mut buffer = stream.to_vec();
    let mut rest = &mut buffer[..];
    while !rest.is_empty() {
        let (mut read, after) = rest.split_at_mut(split.next(rest.len()));
        rest = after;
        loop {
            match decoder.decode(read) {
                Ok(decoded) => {
                    let consumed = decoded.consumed;
                    let is_done = decoded.event.is_none();
                    if let Some(event) = decoded.event {
                        record(event, &limits, &mut outcome.said);
                    }
                    read = &mut read[consumed..];
                    if is_done {
                        assert!(read.is_empty(), "without an event, all of the input is consumed");
                        break;
                    }
                }
                Err(violation) => {
                    assert_eq!(decoder.heap_bytes(), 0, "a refused stream holds nothing");
                    assert_eq!(decoder.decode(&mut [0x81]), Err(violation), "a refusal stays");
                    outcome.refused = Some(violation);
                    return outcome;
                }
            }
        }
        assert!(decoder.heap_bytes() <= 2 * stream.len() + 256, "memory follows the bytes that arrived");
        assert!(decoder.is_mid_message() || decoder.heap_bytes() == 0, "an idle decoder holds nothing");
    }
    outcome.is_mid_message = decoder.is_mid_message();
    outcome
}

fn record(event: Event<'_>, limits: &DecoderLimits, said: &mut Vec<u8>) {
    let (kind, code, bytes) = match event {
        Event::Text(text) => (b'T', 0, text.as_bytes()),
        Event::Binary(bytes) => (b'B', 0, bytes),
        Event::Ping(bytes) => (b'P', 0, bytes),
        Event::Pong(bytes) => (b'Q', 0, bytes),
        Event::Close(None) => (b'C', 0, &b""[..]),
        Event::Close(Some((code, reason))) => (b'C', code.0, reason.as_bytes()),
    };
    let bytes_max = if matches!(kind, b'T' | b'B') { limits.message_bytes_max } else { 125 };
    assert!(bytes.len() <= bytes_max, "within the limit");
    said.push(kind);
    said.extend_from_slice(&code.to_be_bytes());
    said.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    said.extend_from_slice(bytes);
}
