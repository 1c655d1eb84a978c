//! Frames as bytes: each function appends exactly one frame.
//!
//! Server frames are not masked (RFC 6455 §5.1); [`masked`] holds what a client sends.
//!
//! **Invariant:** a frame written here is never refused by a decoder of the other role, its message limit apart.
//!
//! **Absent on purpose:** fragmentation.
//! A message is one frame, since its length is known before it is sent.

use super::CloseCode;
use super::header::CONTROL_BYTES_MAX;

/// The longest close reason in bytes: a control frame less the code.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// The longest header of an unmasked frame in bytes, for a caller that reserves room.
pub const HEADER_BYTES_MAX: usize = 10;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Appends a text message. The caller knows that `payload` is UTF-8.
#[inline]
pub fn text(payload: &[u8], out: &mut Vec<u8>) {
    frame(TEXT, payload, None, out);
}

/// Appends a binary message.
#[inline]
pub fn binary(payload: &[u8], out: &mut Vec<u8>) {
    frame(BINARY, payload, None, out);
}

/// Appends a ping; of `payload` the first 125 bytes travel (RFC 6455 §5.5).
pub fn ping(payload: &[u8], out: &mut Vec<u8>) {
    frame(PING, control(payload), None, out);
}

/// Appends a pong; of `payload` the first 125 bytes travel (RFC 6455 §5.5).
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    frame(PONG, control(payload), None, out);
}

/// Appends a close frame.
///
/// `reason` is cut at a character so that it fits 123 bytes.
/// A code that may not travel ([`CloseCode::is_valid_on_wire`]) gives an empty close frame, which a peer reads as 1005.
pub fn close(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    let (body, body_bytes) = close_body(code, reason);
    frame(CLOSE, &body[..body_bytes], None, out);
}

/// The same frames as a client sends them.
///
/// The mask is an argument: a real client takes four unpredictable bytes for each frame (RFC 6455 §10.3).
pub mod masked {
    use super::{BINARY, CLOSE, CloseCode, PING, PONG, TEXT, close_body, control, frame};

    /// Appends a masked text message. The caller knows that `payload` is UTF-8.
    pub fn text(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
        frame(TEXT, payload, Some(mask), out);
    }

    /// Appends a masked binary message.
    pub fn binary(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
        frame(BINARY, payload, Some(mask), out);
    }

    /// Appends a masked ping; of `payload` the first 125 bytes travel.
    pub fn ping(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
        frame(PING, control(payload), Some(mask), out);
    }

    /// Appends a masked pong; of `payload` the first 125 bytes travel.
    pub fn pong(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
        frame(PONG, control(payload), Some(mask), out);
    }

    /// Appends a masked close frame, by the rules of [`super::close`].
    pub fn close(code: CloseCode, reason: &str, mask: [u8; 4], out: &mut Vec<u8>) {
        let (body, body_bytes) = close_body(code, reason);
        frame(CLOSE, &body[..body_bytes], Some(mask), out);
    }
}

#[inline]
fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.reserve(HEADER_BYTES_MAX + 4 + payload.len());
    match payload.len() {
        short @ 0..=125 => out.extend_from_slice(&[FIN | opcode, mask_bit | short as u8]),
        medium @ 126..=0xffff => {
            let [a, b] = (medium as u16).to_be_bytes();
            out.extend_from_slice(&[FIN | opcode, mask_bit | 126, a, b]);
        }
        long => {
            out.extend_from_slice(&[FIN | opcode, mask_bit | 127]);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    let at = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        super::mask::apply(mask, &mut out[at..]);
    }
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_BYTES_MAX)]
}

fn close_body(code: CloseCode, reason: &str) -> ([u8; CONTROL_BYTES_MAX], usize) {
    let mut body = [0; CONTROL_BYTES_MAX];
    if !code.is_valid_on_wire() {
        return (body, 0);
    }
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    body[..2].copy_from_slice(&code.0.to_be_bytes());
    body[2..2 + reason.len()].copy_from_slice(reason);
    (body, 2 + reason.len())
}
