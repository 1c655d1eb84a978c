//! Everything for which a peer's bytes are refused.
//!
//! Owns the list of refusals, each with the section of RFC 6455 it comes from, its close code and its label for logs.
//!
//! **Absent on purpose:** the offending payload.
//! A violation is logged, and what a peer sent is not ours to print.

use super::CloseCode;

/// Why the decoder refuses the stream; the connection must be failed (RFC 6455 §7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set and no extension was negotiated.
    #[error("a reserved bit is set and no extension was negotiated (RFC 6455 section 5.2)")]
    ReservedBits,
    /// Opcode 0x3-0x7 or 0xB-0xF.
    #[error("opcode {0:#x} is reserved (RFC 6455 section 5.2)")]
    ReservedOpcode(u8),
    /// A control frame without FIN.
    #[error("a control frame is fragmented (RFC 6455 section 5.5)")]
    FragmentedControl,
    /// A control frame that claims more than 125 bytes.
    #[error("a control frame is longer than 125 bytes (RFC 6455 section 5.5)")]
    ControlTooLong,
    /// A client sent a frame without a mask.
    #[error("a frame from a client is not masked (RFC 6455 section 5.1)")]
    Unmasked,
    /// A server sent a frame with a mask.
    #[error("a frame from a server is masked (RFC 6455 section 5.1)")]
    Masked,
    /// A length in more bytes than it needs.
    #[error("a frame length is not in its shortest form (RFC 6455 section 5.2)")]
    LengthNotMinimal,
    /// A 64-bit length whose most significant bit is set.
    #[error("a frame length has its most significant bit set (RFC 6455 section 5.2)")]
    LengthTopBit,
    /// A continuation frame while no message is open.
    #[error("a continuation frame continues nothing (RFC 6455 section 5.4)")]
    NothingToContinue,
    /// A text or binary frame while a fragmented message is open.
    #[error("a new message begins inside a fragmented one (RFC 6455 section 5.4)")]
    MessageInterrupted,
    /// The message would be longer than `message_bytes_max`; found in the header, before a byte of payload is kept.
    #[error("the message is longer than this server accepts (RFC 6455 section 10.4)")]
    MessageTooBig,
    /// More frames in one message than `fragments_max`; empty ones count.
    #[error("the message has more fragments than this server accepts (RFC 6455 section 10.4)")]
    TooManyFragments,
    /// A text message that is not UTF-8.
    #[error("a text message is not UTF-8 (RFC 6455 section 8.1)")]
    TextNotUtf8,
    /// A close frame with one byte of payload: half a code.
    #[error("a close frame holds half a code (RFC 6455 section 5.5.1)")]
    CloseLength,
    /// A close code that must not travel, or that nobody has defined.
    #[error("close code {0} may not be sent (RFC 6455 section 7.4)")]
    CloseCode(u16),
    /// A close reason that is not UTF-8.
    #[error("a close reason is not UTF-8 (RFC 6455 section 5.5.1)")]
    CloseReasonNotUtf8,
}

impl Violation {
    /// The code to close with.
    ///
    /// Too many fragments close with 1008: such a message may be short, so 1009 would mislead, and its framing is
    /// legal, so 1002 would be untrue.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig => CloseCode::TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY,
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::Unmasked
            | Self::Masked
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::NothingToContinue
            | Self::MessageInterrupted
            | Self::CloseLength
            | Self::CloseCode(_) => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// A stable label for logs and metrics; one of a fixed set.
    pub fn code(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved_bits",
            Self::ReservedOpcode(_) => "reserved_opcode",
            Self::FragmentedControl => "fragmented_control",
            Self::ControlTooLong => "control_too_long",
            Self::Unmasked => "unmasked",
            Self::Masked => "masked",
            Self::LengthNotMinimal => "length_not_minimal",
            Self::LengthTopBit => "length_top_bit",
            Self::NothingToContinue => "nothing_to_continue",
            Self::MessageInterrupted => "message_interrupted",
            Self::MessageTooBig => "message_too_big",
            Self::TooManyFragments => "too_many_fragments",
            Self::TextNotUtf8 => "text_not_utf8",
            Self::CloseLength => "close_length",
            Self::CloseCode(_) => "close_code",
            Self::CloseReasonNotUtf8 => "close_reason_not_utf8",
        }
    }
}
