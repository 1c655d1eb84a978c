//! A text message that arrives in pieces, validated as it arrives (RFC 6455 §8.1).
//!
//! Owns the text so far and the at most three bytes of a character that a read cut in two.
//!
//! **Invariant:** `text` and `carry` together are exactly the bytes that arrived, and `carry` begins a character that
//! some further bytes could complete. So the first byte that can never be UTF-8 is refused when it arrives.

use super::Violation;

#[derive(Default)]
pub(super) struct PartialText {
    text: String,
    carry: [u8; 3],
    carry_bytes: u8,
}

impl PartialText {
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + usize::from(self.carry_bytes)
    }

    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while self.carry_bytes > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.complete_character(next)?;
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(valid) => self.text.push_str(valid),
            Err(error) => {
                // check: text-bad-byte
                if error.error_len().is_some() {
                    return Err(Violation::TextNotUtf8);
                }
                let (valid, cut) = bytes.split_at(error.valid_up_to());
                self.text.push_str(simdutf8::basic::from_utf8(valid).map_err(|_| Violation::TextNotUtf8)?);
                let cut_bytes = cut.len().min(self.carry.len());
                self.carry[..cut_bytes].copy_from_slice(&cut[..cut_bytes]);
                self.carry_bytes = cut_bytes as u8;
            }
        }
        Ok(())
    }

    /// Refuses a text whose last character is cut; to be asked when the last frame has ended.
    pub(super) fn finish(&self) -> Result<(), Violation> {
        // check: text-cut-character
        if self.carry_bytes > 0 {
            return Err(Violation::TextNotUtf8);
        }
        Ok(())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    fn complete_character(&mut self, next: u8) -> Result<(), Violation> {
        let held = usize::from(self.carry_bytes);
        let mut character = [0; 4];
        character[..held].copy_from_slice(&self.carry[..held]);
        character[held] = next;
        match std::str::from_utf8(&character[..=held]) {
            Ok(valid) => {
                self.text.push_str(valid);
                self.carry_bytes = 0;
            }
            Err(error) => {
                // check: text-bad-byte-after-a-cut
                if error.error_len().is_some() {
                    return Err(Violation::TextNotUtf8);
                }
                self.carry[held] = next;
                self.carry_bytes += 1;
            }
        }
        Ok(())
    }
}
