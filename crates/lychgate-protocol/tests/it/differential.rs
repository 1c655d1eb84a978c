//! Our decoder beside tungstenite's: the same streams, the same messages, the same verdict.
//!
//! Where we differ on purpose, we are the stricter or the earlier one:
//!
//! - A length that is not minimal is refused (§5.2); tungstenite takes it.
//! - A stream is refused as soon as its bytes decide it; tungstenite waits until the frame is complete.
//!   So where it still waits inside a frame, we may have refused already.
//! - Close code 1014 is in the IANA registry, so we take it; tungstenite refuses it.
//! - The number of fragments is limited; the tests here lift that limit.

use std::cell::Cell;
use std::io::{self, Read, Write};

use lychgate_protocol::ws::{DecoderLimits, Role, Violation};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio_tungstenite::tungstenite::protocol::{self, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{End, Frame, Said, decode_chunks, runner};

const MESSAGE_BYTES_MAX: usize = 400;
const LIMITS: DecoderLimits = DecoderLimits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: u32::MAX };
const CASES: u32 = 1_500;
/// The least share of streams with a fault in them, in percent.
const INVALID_LEAST: u32 = 30;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Waiting,
    Refused,
    Closed,
}

#[test]
fn both_agree_on_streams_cut_anywhere() {
    let (total, invalid) = (Cell::new(0), Cell::new(0));
    runner(CASES)
        .run(&(streams(), vec(1_usize..40, 1..20)), |((role, bytes), sizes)| {
            total.set(total.get() + 1);
            let is_refused = compare(role, &bytes, &chunks_of_sizes(&bytes, &sizes))?;
            invalid.set(invalid.get() + u32::from(is_refused));
            Ok(())
        })
        .expect("both agree");
    let (total, invalid) = (total.get(), invalid.get());
    println!("{invalid} of {total} streams were invalid");
    assert!(invalid * 100 >= total * INVALID_LEAST, "only {invalid} of {total} streams were invalid");
    assert!(invalid * 100 <= total * 90, "{invalid} of {total} streams were invalid: too few controls");
}

#[test]
fn both_agree_on_streams_cut_at_every_byte() {
    runner(40)
        .run(&streams(), |(role, bytes)| {
            compare(role, &bytes, &bytes.chunks(1).collect::<Vec<_>>())?;
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                compare(role, &bytes, &[head, tail])?;
            }
            Ok(())
        })
        .expect("both agree");
}

/// Compares the two on one cut and returns whether we refuse the stream.
fn compare(role: Role, bytes: &[u8], chunks: &[&[u8]]) -> Result<bool, TestCaseError> {
    let ours = decode_chunks(role, LIMITS, chunks.iter().copied());
    let (their_said, theirs) = tungstenite(role, chunks);
    let context = || format!("ours {ours:?}\ntheirs {their_said:?} {theirs:?}\nstream {}", bytes.escape_ascii());
    let we_closed = matches!(ours.said.last(), Some(Said::Close(_)));
    match ours.end {
        End::Refused(Violation::LengthNotMinimal) => {
            let shared = their_said.get(..ours.said.len());
            prop_assert!(shared == Some(&ours.said[..]), "{}", context());
        }
        End::Refused(_) => {
            prop_assert!(ours.said == their_said, "{}", context());
            let waits_inside_a_frame = theirs == Verdict::Waiting && ends_inside_a_frame(bytes);
            prop_assert!(theirs == Verdict::Refused || waits_inside_a_frame, "{}", context());
        }
        End::Whole | End::Mid if matches!(ours.said.last(), Some(Said::Close(Some((1014, _))))) => {
            prop_assert!(theirs == Verdict::Refused, "{}", context());
            prop_assert!(ours.said[..ours.said.len() - 1] == their_said, "{}", context());
        }
        End::Whole | End::Mid => {
            prop_assert!(ours.said == their_said, "{}", context());
            prop_assert_eq!(theirs, if we_closed { Verdict::Closed } else { Verdict::Waiting });
        }
    }
    Ok(matches!(ours.end, End::Refused(_)))
}

/// Runs tungstenite over the chunks: what it said, and where it stopped.
fn tungstenite(role: Role, chunks: &[&[u8]]) -> (Vec<Said>, Verdict) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX.max(125)))
        .accept_unmasked_frames(false);
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let wire = Wire { chunks: chunks.iter().rev().map(|chunk| chunk.to_vec()).collect() };
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    let mut said = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => said.push(Said::Text(text.as_str().to_owned())),
            Ok(Message::Binary(bytes)) => said.push(Said::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => said.push(Said::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => said.push(Said::Pong(bytes.to_vec())),
            Ok(Message::Close(body)) => {
                // It reports a code that may not travel as a close of its own making.
                if body.as_ref().is_some_and(|body| body.reason.as_str() == "Protocol violation") {
                    return (said, Verdict::Refused);
                }
                said.push(Said::Close(body.map(|body| (body.code.into(), body.reason.as_str().to_owned()))));
                return (said, Verdict::Closed);
            }
            Ok(Message::Frame(frame)) => panic!("a raw frame: {frame:?}"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return (said, Verdict::Waiting),
            Err(_) => return (said, Verdict::Refused),
        }
    }
}

/// Gives its chunks one by one, then would block; takes every reply.
struct Wire {
    chunks: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let chunk = loop {
            match self.chunks.pop() {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => break chunk,
                None => return Err(io::ErrorKind::WouldBlock.into()),
            }
        };
        let read = chunk.len().min(buffer.len());
        buffer[..read].copy_from_slice(&chunk[..read]);
        if read < chunk.len() {
            self.chunks.push(chunk[read..].to_vec());
        }
        Ok(read)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Walks over the frames by their lengths alone.
fn ends_inside_a_frame(mut bytes: &[u8]) -> bool {
    while let [_, second, rest @ ..] = bytes {
        let (length_bytes, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        let Some((length, rest)) = rest.split_at_checked(length_bytes) else { return true };
        let length = length.iter().fold(short, |length, byte| length << 8 | u64::from(*byte));
        let total = length.saturating_add(if second & 0x80 != 0 { 4 } else { 0 });
        match usize::try_from(total).ok().and_then(|total| rest.split_at_checked(total)) {
            Some((_, rest)) => bytes = rest,
            None => return true,
        }
    }
    !bytes.is_empty()
}

fn chunks_of_sizes<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at((*size).min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// Streams of up to eight items; most get a fault, which is not always one where it lands.
fn streams() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let role = prop_oneof![3 => Just(Role::Server), 1 => Just(Role::Client)];
    let damage = prop_oneof![
        2 => Just(Damage::None),
        4 => (any::<prop::sample::Index>(), fault()).prop_map(|(at, fault)| Damage::Frame(at, fault)),
        1 => (any::<prop::sample::Index>(), 0_u8..8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
    ];
    (role, vec(item(), 1..8), damage).prop_map(|(role, items, damage)| {
        let mut frames: Vec<Frame> = items.into_iter().flatten().collect();
        if let Damage::Frame(at, fault) = &damage {
            let at = at.index(frames.len() + 1);
            frames.insert(at, fault.clone());
        }
        let mut bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(role)).collect();
        match damage {
            Damage::Bit(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::None | Damage::Frame(..) => {}
        }
        (role, bytes)
    })
}

#[derive(Clone, Debug)]
enum Damage {
    None,
    /// A wrong frame, inserted anywhere.
    Frame(prop::sample::Index, Frame),
    /// One bit turned over.
    Bit(prop::sample::Index, u8),
    /// The end cut off; the stream before it is valid.
    Cut(prop::sample::Index),
}

/// A valid piece of a stream: a message, whole or in fragments with control frames between, or a control frame.
fn item() -> impl Strategy<Value = Vec<Frame>> {
    let masked = |strategy: BoxedStrategy<Vec<Frame>>| {
        (strategy, any::<[u8; 4]>())
            .prop_map(|(frames, mask)| frames.into_iter().map(|frame| frame.mask(mask)).collect())
    };
    prop_oneof![
        6 => masked(text().prop_map(|text| vec![Frame::text(text)]).boxed()),
        3 => masked(payload(150).prop_map(|bytes| vec![Frame::binary(bytes)]).boxed()),
        5 => masked(fragmented().boxed()),
        3 => masked(control().prop_map(|frame| vec![frame]).boxed()),
        1 => masked(close().prop_map(|frame| vec![frame]).boxed()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<char>(), 0..40).prop_map(String::from_iter),
        vec(proptest::char::range(' ', '~'), 0..200).prop_map(String::from_iter),
        Just("é€👋".repeat(9)),
    ]
}

fn payload(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..bytes_max)
}

fn control() -> impl Strategy<Value = Frame> {
    prop_oneof![payload(126).prop_map(Frame::ping), payload(126).prop_map(Frame::pong)]
}

fn close() -> impl Strategy<Value = Frame> {
    let code = prop_oneof![4 => Just(1000), 1 => 1007_u16..=1014, 2 => 3000_u16..5000];
    prop_oneof![1 => Just(Frame::new(0x8, "")), 4 => (code, vec(any::<char>(), 0..30).prop_map(String::from_iter)).prop_map(|(code, reason): (u16, String)| Frame::close(code, reason))]
}

fn fragmented() -> impl Strategy<Value = Vec<Frame>> {
    let payload = prop_oneof![text().prop_map(|text| (true, text.into_bytes())), payload(150).prop_map(|b| (false, b))];
    (payload, vec((any::<prop::sample::Index>(), prop::option::of(control())), 1..5)).prop_map(
        |((is_text, payload), cuts)| {
            let mut places: Vec<usize> = cuts.iter().map(|(at, _)| at.index(payload.len() + 1)).collect();
            places.sort_unstable();
            let mut frames = Vec::new();
            let mut from = 0;
            for (place, (_, control)) in places.into_iter().zip(cuts) {
                let part = &payload[from..place];
                frames.push(match (frames.is_empty(), is_text) {
                    (false, _) => Frame::continuation(part).more(),
                    (true, true) => Frame::text(part).more(),
                    (true, false) => Frame::binary(part).more(),
                });
                frames.extend(control);
                from = place;
            }
            frames.push(Frame::continuation(&payload[from..]));
            frames
        },
    )
}

/// A frame with a fault, or one that is a fault in some places.
fn fault() -> impl Strategy<Value = Frame> {
    let bad_text = prop_oneof![
        payload(40),
        (text(), payload(4), text()).prop_map(|(a, b, c)| [a.into_bytes(), b, c.into_bytes()].concat()),
        (text(), 0xc2_u8..0xf5).prop_map(|(text, lead)| [text.into_bytes(), vec![lead]].concat()),
    ];
    let reserved = prop_oneof![0x3_u8..=0x7, 0xb_u8..=0xf];
    let bad_code = prop_oneof![0_u16..1000, 1004_u16..=1006, 1015_u16..3000, 5000_u16..=u16::MAX];
    prop_oneof![
        (text(), 1_u8..8).prop_map(|(text, bits)| Frame::text(text).reserved_bits(bits)),
        reserved.prop_map(|opcode| Frame::new(opcode, "x")),
        text().prop_map(Frame::continuation),
        text().prop_map(|text| Frame::text(text).more()),
        text().prop_map(|text| Frame::text(text).wrong_mask()),
        control().prop_map(Frame::wrong_mask),
        control().prop_map(Frame::more),
        vec(any::<u8>(), 126..300).prop_map(Frame::ping),
        vec(any::<u8>(), MESSAGE_BYTES_MAX + 1..900).prop_map(Frame::binary),
        (MESSAGE_BYTES_MAX + 1..500).prop_map(|bytes| Frame::text("x".repeat(bytes))),
        text().prop_map(|text| Frame::text(text).length_64()),
        text().prop_map(|text| Frame::text(text).length_16()),
        any::<u64>().prop_map(|claim| Frame::binary("").claims(claim)),
        bad_text.prop_map(Frame::text),
        any::<u8>().prop_map(|byte| Frame::new(0x8, [byte])),
        bad_code.prop_map(|code| Frame::close(code, "x")),
        Just(Frame::close(1000, [0xff])),
        (1014_u16..=1014).prop_map(|code| Frame::close(code, "")),
    ]
}
