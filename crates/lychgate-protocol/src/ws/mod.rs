//! RFC 6455 without IO: bytes in, events out.
//!
//! Owns the frame grammar in both directions, the close codes and the handshake key.
//! [`Decoder`] is fed whatever a read returned, cut anywhere; [`encode`] appends one frame to a buffer.
//!
//! **Invariant:** the events and the verdict depend on the bytes alone, never on where the reads cut them.
//!
//! **Absent on purpose:** extensions.
//! A reserved bit is refused, because nothing negotiates one; compression would be a layer above the frame decoder.

pub mod close;
mod decoder;
pub mod encode;
pub mod handshake;
mod header;
mod mask;
mod text;
mod violation;

pub use close::{CloseCode, Retry};
pub use decoder::{Decoded, Decoder, DecoderLimits, Event};
pub use violation::Violation;

/// Which side of the connection we are, and so which frames must be masked (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We accepted the connection: every frame that arrives must be masked.
    Server,
    /// We opened the connection: no frame that arrives may be masked.
    Client,
}
