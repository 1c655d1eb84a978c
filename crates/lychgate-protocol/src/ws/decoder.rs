//! The frame decoder: a state machine over whatever a read returned.
//!
//! Owns the header that is not complete yet, the message that is not complete yet, and the verdict once there is one.
//! A whole message in one frame inside one read is unmasked in place and lent out, without a copy.
//!
//! **Invariant:** memory grows by bytes that arrived, never by a length that a header claims, and never past
//! `message_bytes_max` (a `Vec` may reserve up to twice what it holds).
//! An idle decoder owns no heap at all.
//!
//! **Absent on purpose:** replies.
//! Answering a ping or a close is a decision with a queue behind it, so it belongs to the connection.

use std::fmt;

use super::header::{self, CONTROL_BYTES_MAX, Context, HEADER_BYTES_MAX, Header, Opcode};
use super::text::PartialText;
use super::{CloseCode, Role, Violation, mask};

/// What a peer may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The longest message in bytes, all its fragments together.
    pub message_bytes_max: usize,
    /// The most frames one fragmented message may have; empty ones count, an unfragmented message is never refused.
    pub fragments_max: u32,
}

/// One thing that the peer said. Its `Debug` tells kind and length: what a peer says is not ours to print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered by a pong with the same payload of at most 125 bytes.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The peer's close frame: its code and reason, or `None` for an empty one. Nothing follows it.
    Close(Option<(CloseCode, &'a str)>),
}

/// How far one call of [`Decoder::decode`] came.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Bytes of the input that are done with; the next call gets the rest.
    pub consumed: usize,
    /// What was completed, or `None` when all of the input is consumed and more is needed.
    pub event: Option<Event<'a>>,
}

/// Decodes one direction of one connection.
///
/// ```
/// use lychgate_protocol::ws::{Decoder, DecoderLimits, Event, Role};
///
/// let limits = DecoderLimits { message_bytes_max: 65_536, fragments_max: 1_024 };
/// let mut decoder = Decoder::new(Role::Server, limits);
/// // RFC 6455 section 5.7: a masked text frame, "Hello".
/// let mut read = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut at = 0;
/// loop {
///     let decoded = decoder.decode(&mut read[at..])?;
///     at += decoded.consumed;
///     match decoded.event {
///         Some(event) => assert_eq!(event, Event::Text("Hello")),
///         None => break,
///     }
/// }
/// # Ok::<(), lychgate_protocol::ws::Violation>(())
/// ```
pub struct Decoder {
    limits: DecoderLimits,
    /// Frames of the open fragmented message; 0 when none is open.
    fragments: u32,
    role: Role,
    /// `message` and `control` were lent out by the last call and go at the next.
    is_lent: bool,
    stage: Stage,
    message: Partial,
    /// A control frame whose payload a read cut; made when its first byte arrives.
    control: Option<Box<PartialControl>>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// Waiting for the rest of a header.
    Header { held: [u8; HEADER_BYTES_MAX], held_bytes: u8 },
    /// Waiting for payload; the header's mask stands where the next byte needs it.
    Payload { header: Header, missing: u64 },
    /// A close frame was delivered: what follows is discarded (RFC 6455 §1.4).
    Closed,
    /// The stream broke a rule and stays refused.
    Refused(Violation),
}

#[derive(Default)]
enum Partial {
    #[default]
    None,
    Text(PartialText),
    Binary(Vec<u8>),
}

struct PartialControl {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

/// What a turn of the state machine completed, named by place so that nothing is borrowed yet.
enum Completed {
    /// An event in one frame that lies whole in the input, at this range, already unmasked.
    Whole(Opcode, std::ops::Range<usize>),
    /// A control frame that was put together in `control`.
    Control(Opcode),
    /// The message in `message`.
    Message,
}

impl Decoder {
    /// A decoder for what the peer of `role` sends. It owns no heap until a message arrives in pieces.
    pub fn new(role: Role, limits: DecoderLimits) -> Self {
        Self { limits, fragments: 0, role, is_lent: false, stage: Stage::BEGIN, message: Partial::None, control: None }
    }

    /// Takes bytes from the front of `input` up to the end of the next event.
    ///
    /// Call it again with the rest until it returns no event; that last call also frees the memory of a message that
    /// came in pieces. `input` is scratch afterwards: payloads in it have been unmasked.
    ///
    /// # Errors
    ///
    /// The rule that the stream broke. The connection must be failed with [`Violation::close_code`]; every later call
    /// returns the same violation.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Decoded<'a>, Violation> {
        // check: refused-stays-refused
        if let Stage::Refused(violation) = self.stage {
            return Err(violation);
        }
        self.free_what_was_lent();
        let (consumed, completed) = match self.advance(input) {
            Ok(progress) => progress,
            Err(violation) => return Err(self.refuse(violation)),
        };
        let event = match completed {
            None => None,
            Some(Completed::Whole(opcode, range)) => match whole_event(opcode, &input[range]) {
                Ok(event) => Some(event),
                Err(violation) => return Err(self.refuse(violation)),
            },
            Some(Completed::Control(opcode)) => {
                self.is_lent = true;
                Some(whole_event(opcode, control_payload(&self.control))?)
            }
            Some(Completed::Message) => {
                self.is_lent = true;
                self.message.event()
            }
        };
        Ok(Decoded { consumed, event })
    }

    /// Whether a frame or a fragmented message has begun and not ended.
    ///
    /// A connection that ends here ended in the middle of something.
    pub fn is_mid_message(&self) -> bool {
        match self.stage {
            Stage::Header { held_bytes, .. } => held_bytes > 0 || self.fragments > 0,
            Stage::Payload { .. } => true,
            Stage::Closed | Stage::Refused(_) => false,
        }
    }

    /// Bytes of heap this decoder owns now; 0 while it is idle.
    pub fn heap_bytes(&self) -> usize {
        self.message.capacity() + self.control.as_ref().map_or(0, |control| size_of_val(&**control))
    }

    /// Runs until something is completed or the input is used up.
    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Completed>), Violation> {
        let mut at = 0;
        loop {
            match self.stage {
                Stage::Closed | Stage::Refused(_) => return Ok((input.len(), None)),
                Stage::Header { .. } => {
                    let Some((header, header_bytes)) = self.header(&input[at..])? else {
                        return Ok((input.len(), None));
                    };
                    at += header_bytes;
                    self.count_fragment(&header);
                    self.stage = Stage::Payload { header, missing: header.payload_bytes };
                }
                Stage::Payload { header, missing } => {
                    let here = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len() - at);
                    let is_complete = here as u64 == missing;
                    if here == 0 && !is_complete {
                        return Ok((at, None));
                    }
                    let range = at..at + here;
                    at = range.end;
                    mask::apply(header.mask, &mut input[range.clone()]);
                    let is_whole_event = header.opcode.is_control() || (header.is_final && self.fragments == 0);
                    if is_whole_event && here as u64 == header.payload_bytes {
                        self.end_frame(header.opcode);
                        return Ok((at, Some(Completed::Whole(header.opcode, range))));
                    }
                    self.keep(header.opcode, &input[range])?;
                    if !is_complete {
                        let mask = mask::after(header.mask, here);
                        self.stage =
                            Stage::Payload { header: Header { mask, ..header }, missing: missing - here as u64 };
                        return Ok((at, None));
                    }
                    self.end_frame(header.opcode);
                    if header.opcode.is_control() {
                        // Judged here, so that a refusal frees everything; lent out by the caller.
                        whole_event(header.opcode, control_payload(&self.control))?;
                        return Ok((at, Some(Completed::Control(header.opcode))));
                    }
                    if header.is_final {
                        self.fragments = 0;
                        self.message.finish()?;
                        return Ok((at, Some(Completed::Message)));
                    }
                }
            }
        }
    }

    /// The next bytes begin a frame, unless this one was the last.
    fn end_frame(&mut self, opcode: Opcode) {
        self.stage = Stage::BEGIN;
        // check: nothing-after-close
        if opcode == Opcode::Close {
            self.stage = Stage::Closed;
            // A message that a close interrupts never ends.
            self.fragments = 0;
            self.message = Partial::None;
        }
    }

    /// Completes the header from what is held and `bytes`; returns how many of `bytes` belong to it.
    fn header(&mut self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let context = Context {
            role: self.role,
            limits: self.limits,
            fragments: self.fragments,
            message_bytes: self.message.bytes(),
        };
        let Stage::Header { held, held_bytes } = &mut self.stage else { return Ok(None) };
        let before = usize::from(*held_bytes);
        if before == 0
            && let Some(parsed) = header::parse(&context, bytes)?
        {
            return Ok(Some(parsed));
        }
        let added = bytes.len().min(HEADER_BYTES_MAX - before);
        held[before..before + added].copy_from_slice(&bytes[..added]);
        *held_bytes += added as u8;
        let parsed = header::parse(&context, &held[..before + added])?;
        Ok(parsed.map(|(header, header_bytes)| (header, header_bytes - before)))
    }

    fn count_fragment(&mut self, header: &Header) {
        if !header.opcode.is_control() && (!header.is_final || self.fragments > 0) {
            self.fragments += 1;
        }
    }

    /// Keeps unmasked payload of a frame that is not whole, or that is a part of a message.
    fn keep(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Violation> {
        match (opcode, &mut self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                self.control.get_or_insert_with(PartialControl::boxed).push(payload);
            }
            (_, Partial::Text(text)) => text.push(payload)?,
            (_, Partial::Binary(bytes)) => bytes.extend_from_slice(payload),
            (Opcode::Text, message) => {
                let mut text = PartialText::default();
                text.push(payload)?;
                *message = Partial::Text(text);
            }
            (Opcode::Binary | Opcode::Continuation, message) => *message = Partial::Binary(payload.to_vec()),
        }
        Ok(())
    }

    fn free_what_was_lent(&mut self) {
        if self.is_lent {
            self.is_lent = false;
            // A control frame between fragments must not end the message around it.
            if self.fragments == 0 {
                self.message = Partial::None;
            }
            self.control = None;
        }
    }

    fn refuse(&mut self, violation: Violation) -> Violation {
        self.stage = Stage::Refused(violation);
        self.message = Partial::None;
        self.control = None;
        violation
    }
}

impl fmt::Debug for Decoder {
    /// Shows no payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("role", &self.role)
            .field("limits", &self.limits)
            .field("is_mid_message", &self.is_mid_message())
            .field("heap_bytes", &self.heap_bytes())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Binary(bytes) => ("Binary", bytes.len()),
            Self::Ping(bytes) => ("Ping", bytes.len()),
            Self::Pong(bytes) => ("Pong", bytes.len()),
            Self::Close(body) => return f.debug_tuple("Close").field(&body.map(|(code, _)| code)).finish(),
        };
        write!(f, "{kind}({bytes} bytes)")
    }
}

impl Stage {
    const BEGIN: Self = Self::Header { held: [0; HEADER_BYTES_MAX], held_bytes: 0 };
}

impl Partial {
    fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.bytes(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }

    fn finish(&self) -> Result<(), Violation> {
        match self {
            Self::Text(text) => text.finish(),
            Self::None | Self::Binary(_) => Ok(()),
        }
    }

    fn event(&self) -> Option<Event<'_>> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(Event::Text(text.as_str())),
            Self::Binary(bytes) => Some(Event::Binary(bytes)),
        }
    }
}

impl PartialControl {
    fn boxed() -> Box<Self> {
        Box::new(Self { bytes: [0; CONTROL_BYTES_MAX], len: 0 })
    }

    /// The header has bounded the payload, so it fits.
    fn push(&mut self, payload: &[u8]) {
        let free = &mut self.bytes[usize::from(self.len)..];
        let added = payload.len().min(free.len());
        free[..added].copy_from_slice(&payload[..added]);
        self.len += added as u8;
    }
}

fn control_payload(control: &Option<Box<PartialControl>>) -> &[u8] {
    control.as_ref().map_or(&[], |control| &control.bytes[..usize::from(control.len)])
}

/// The event of one whole, unmasked frame.
fn whole_event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, Violation> {
    Ok(match opcode {
        // check: text-whole
        Opcode::Text => Event::Text(simdutf8::basic::from_utf8(payload).map_err(|_| Violation::TextNotUtf8)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(close_body(payload)?),
    })
}

/// The code and reason of a close frame (RFC 6455 §5.5.1, §7.4).
fn close_body(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, Violation> {
    // check: close-length
    if payload.len() == 1 {
        return Err(Violation::CloseLength);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return Ok(None) };
    let code = CloseCode(u16::from_be_bytes(*code));
    // check: close-code
    if !code.is_valid_on_wire() {
        return Err(Violation::CloseCode(code.0));
    }
    // check: close-reason
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::CloseReasonNotUtf8)?;
    Ok(Some((code, reason)))
}
