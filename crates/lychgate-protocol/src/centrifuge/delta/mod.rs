//! Deltas between two publications, in the format of the Fossil version control system.
//!
//! Owns the encoder, the decoder, and the rule by which a JSON client gets either of them: as a string.
//! A delta is the length of the new text in digits to the base of 64, a newline, then pieces, then a checksum:
//! `n@offset,` copies from the old text, `n:` is followed by n new bytes, `sum;` ends it.
//!
//! **Invariant:** what [`apply`] makes of `old` and the delta that [`encode`] made is `new`, whatever the bytes are.
//!
//! **Absent on purpose:** the choice of what is sent. Whoever keeps the last publication of each subscriber knows
//! whether it may get a delta at all.

mod apply;
mod digits;
mod encode;
mod index;

pub use apply::{BadDelta, apply};
pub use encode::{encode, encode_if_shorter};

use crate::json::RawJson;

/// A full text or a delta as a JSON client gets it on a subscription with deltas: as a string.
///
/// `None` if the bytes are not UTF-8, which a string cannot carry. A delta may be so between two texts that are, since it
/// may cut a character; the client then gets the full text.
pub fn json_string(bytes: &[u8]) -> Option<RawJson<'static>> {
    simdutf8::basic::from_utf8(bytes).ok().map(RawJson::string)
}

/// The sum of the 32-bit big-endian words of `bytes`, the last filled up with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0_u32, |sum, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.wrapping_add(u32::from_be_bytes(word))
    })
}
