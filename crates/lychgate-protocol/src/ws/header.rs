//! The frame header: at most fourteen bytes, judged byte by byte as they arrive.
//!
//! Owns every rule that can be decided without the payload (RFC 6455 §5.2, §5.4, §5.5) and the message limits.
//!
//! **Invariant:** a rule is applied as soon as the bytes it needs are there, so a verdict never depends on where the
//! header was cut.

use super::{DecoderLimits, Role, Violation};

/// The longest header: two bytes, a 64-bit length and a mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// The most a control frame may carry (RFC 6455 §5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is (RFC 6455 §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A whole header that has passed every rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    pub(super) mask: [u8; 4],
    pub(super) payload_bytes: u64,
}

/// What the rules need to know of the stream so far; it does not change inside a header.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) role: Role,
    pub(super) limits: DecoderLimits,
    /// Frames of the open fragmented message; 0 when none is open.
    pub(super) fragments: u32,
    /// Payload bytes of the open message so far.
    pub(super) message_bytes: usize,
}

/// Reads the header at the start of `bytes` and returns it with its length, or `None` if there is not all of it.
///
/// # Errors
///
/// The first rule that the bytes present break, even if the header is incomplete.
#[inline]
pub(super) fn parse(context: &Context, bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
    let [first, rest @ ..] = bytes else { return Ok(None) };
    let (is_final, opcode) = first_byte(context, *first)?;
    let [second, rest @ ..] = rest else { return Ok(None) };
    let length_code = second_byte(context, *second, opcode)?;
    let Some((payload_bytes, rest)) = length(length_code, rest)? else { return Ok(None) };
    // check: message-limit
    if !opcode.is_control()
        && payload_bytes > context.limits.message_bytes_max.saturating_sub(context.message_bytes) as u64
    {
        return Err(Violation::MessageTooBig);
    }
    let (mask, rest) = match context.role {
        Role::Client => ([0; 4], rest),
        Role::Server => match rest.split_first_chunk::<4>() {
            Some((mask, rest)) => (*mask, rest),
            None => return Ok(None),
        },
    };
    Ok(Some((Header { opcode, is_final, mask, payload_bytes }, bytes.len() - rest.len())))
}

#[inline]
fn first_byte(context: &Context, byte: u8) -> Result<(bool, Opcode), Violation> {
    // check: reserved-bits
    if byte & 0x70 != 0 {
        return Err(Violation::ReservedBits);
    }
    let is_final = byte & 0x80 != 0;
    let code = byte & 0x0f;
    // check: reserved-opcode
    if matches!(code, 0x3..=0x7 | 0xb..=0xf) {
        return Err(Violation::ReservedOpcode(code));
    }
    let opcode = match code {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        _ => Opcode::Pong,
    };
    if opcode.is_control() {
        // check: control-fin
        if !is_final {
            return Err(Violation::FragmentedControl);
        }
        return Ok((is_final, opcode));
    }
    let is_open = context.fragments > 0;
    // check: continuation-needs-a-message
    if opcode == Opcode::Continuation && !is_open {
        return Err(Violation::NothingToContinue);
    }
    // check: message-not-interrupted
    if opcode != Opcode::Continuation && is_open {
        return Err(Violation::MessageInterrupted);
    }
    // check: fragments-limit
    if (is_open || !is_final) && context.fragments >= context.limits.fragments_max {
        return Err(Violation::TooManyFragments);
    }
    Ok((is_final, opcode))
}

#[inline]
fn second_byte(context: &Context, byte: u8, opcode: Opcode) -> Result<u8, Violation> {
    let is_masked = byte & 0x80 != 0;
    // check: mask-required
    if context.role == Role::Server && !is_masked {
        return Err(Violation::Unmasked);
    }
    // check: mask-forbidden
    if context.role == Role::Client && is_masked {
        return Err(Violation::Masked);
    }
    let length_code = byte & 0x7f;
    // check: control-length
    if opcode.is_control() && usize::from(length_code) > CONTROL_BYTES_MAX {
        return Err(Violation::ControlTooLong);
    }
    Ok(length_code)
}

#[inline]
fn length(code: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    match code {
        126 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let length = u16::from_be_bytes(*bytes);
            // check: length-16-minimal
            if length < 126 {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((u64::from(length), rest)))
        }
        127 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*bytes);
            // check: length-top-bit
            if length >> 63 != 0 {
                return Err(Violation::LengthTopBit);
            }
            // check: length-64-minimal
            if length <= u64::from(u16::MAX) {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((length, rest)))
        }
        short => Ok(Some((u64::from(short), rest))),
    }
}
