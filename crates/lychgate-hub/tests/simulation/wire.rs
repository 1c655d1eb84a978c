//! The frames of the simulation: every one says what it is, so that a byte stream can be checked on its own.
//!
//! Layout: source (1 byte), class (1), total length (4), number (8), then a pattern.
//! The source comes first, so that one byte of a torn frame tells which one it is.

use std::sync::LazyLock;

/// One frame as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// Total length in bytes, the header included.
    pub(crate) bytes: usize,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Published {
        channel: u8,
        class: u8,
        offset: u64,
    },
    /// For one session: an answer, numbered.
    Direct(u64),
    /// The last frame of a session that was finished.
    Close(u64),
    /// The last frame of a session whose channel ended, with the code.
    Ended(u8),
    /// The last frame of a session that was too slow.
    Goodbye,
}

pub(crate) const HEADER_BYTES: usize = 14;

const DIRECT: u8 = 252;
const ENDED: u8 = 253;
const CLOSE: u8 = 254;
const GOODBYE: u8 = 255;

impl Frame {
    /// Appends the frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        assert!(self.bytes >= HEADER_BYTES);
        let (class, number) = match self.kind {
            Kind::Published { class, offset, .. } => (class, offset),
            Kind::Direct(number) | Kind::Close(number) => (0, number),
            Kind::Ended(code) => (0, u64::from(code)),
            Kind::Goodbye => (0, 0),
        };
        out.extend_from_slice(&[self.source(), class]);
        out.extend_from_slice(&(self.bytes as u32).to_be_bytes());
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(body(self.bytes));
    }

    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes);
        self.encode(&mut out);
        out
    }

    /// The first frame of `wire`, once it is there as a whole.
    pub(crate) fn decode(wire: &[u8]) -> Option<Self> {
        let bytes = u32::from_be_bytes(wire.get(2..6)?.try_into().unwrap()) as usize;
        assert!((HEADER_BYTES..1 << 24).contains(&bytes), "no frame starts here: {:?}", &wire[..wire.len().min(32)]);
        let frame = wire.get(..bytes)?;
        let number = u64::from_be_bytes(frame[6..HEADER_BYTES].try_into().unwrap());
        let kind = match frame[0] {
            DIRECT => Kind::Direct(number),
            CLOSE => Kind::Close(number),
            ENDED => Kind::Ended(u8::try_from(number).unwrap()),
            GOODBYE => Kind::Goodbye,
            channel => Kind::Published { channel, class: frame[1], offset: number },
        };
        assert!(frame[HEADER_BYTES..] == *body(bytes), "the body of {kind:?} is torn");
        Some(Self { kind, bytes })
    }

    /// Where it comes from: frames of one source keep their order.
    pub(crate) fn source(&self) -> u8 {
        match self.kind {
            Kind::Published { channel, .. } => channel,
            Kind::Direct(_) => DIRECT,
            Kind::Close(_) => CLOSE,
            Kind::Ended(_) => ENDED,
            Kind::Goodbye => GOODBYE,
        }
    }

    /// Whether nothing caused before may come after it, and nothing caused after may come before.
    pub(crate) fn is_barrier(&self) -> bool {
        self.source() >= DIRECT
    }
}

/// What a frame of this length carries behind its header.
fn body(bytes: usize) -> &'static [u8] {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..1 << 16).map(|at: usize| at as u8).collect());
    &PATTERN[HEADER_BYTES..bytes]
}
