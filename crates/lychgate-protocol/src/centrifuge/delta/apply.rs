//! A new text from an old one and a delta.

use super::{checksum, digits};

/// Why a delta cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDelta {
    /// The delta is cut short, or has a number or a sign where none may be.
    #[error("the delta does not follow the format at byte {at}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
    },
    /// The new text would be longer than the caller accepts.
    #[error("the new text would be {bytes} bytes")]
    TooBig {
        /// Its length.
        bytes: u32,
    },
    /// A piece is copied from beyond the old text.
    #[error("the delta was not made from this text")]
    OutOfRange,
    /// The new text has another length than the delta says.
    #[error("the new text has another length than the delta says")]
    Length,
    /// The new text has another checksum than the delta says.
    #[error("the new text has another checksum than the delta says")]
    Checksum,
}

/// Appends the text that `delta` makes of `old`, at most `bytes_max` bytes.
///
/// The length that a delta claims reserves nothing: `out` grows with what is written to it.
///
/// # Errors
///
/// Says what is wrong with the delta; `out` is then as it was.
pub fn apply(old: &[u8], delta: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BadDelta> {
    let before = out.len();
    let result = pieces(old, delta, bytes_max, out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn pieces(old: &[u8], delta: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BadDelta> {
    let mut delta = Reader { total_bytes: delta.len(), rest: delta };
    let start = out.len();
    let claimed = delta.number()?;
    delta.sign(b'\n')?;
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    // check: delta-too-big
    if length > bytes_max {
        return Err(BadDelta::TooBig { bytes: claimed });
    }
    loop {
        let number = delta.number()?;
        let count = usize::try_from(number).unwrap_or(usize::MAX);
        let piece = match delta.byte()? {
            b'@' => {
                let offset = usize::try_from(delta.number()?).unwrap_or(usize::MAX);
                delta.sign(b',')?;
                let end = offset.checked_add(count).ok_or(BadDelta::OutOfRange)?;
                old.get(offset..end).ok_or(BadDelta::OutOfRange)?
            }
            b':' => delta.bytes(count)?,
            b';' => return delta.end().and_then(|()| verify(&out[start..], length, number)),
            _ => return Err(delta.malformed()),
        };
        // check: delta-length
        if out.len() - start + piece.len() > length {
            return Err(BadDelta::Length);
        }
        out.extend_from_slice(piece);
    }
}

fn verify(new: &[u8], length: usize, sum: u32) -> Result<(), BadDelta> {
    // check: delta-length-at-end
    if new.len() != length {
        return Err(BadDelta::Length);
    }
    // check: delta-checksum
    if checksum(new) != sum {
        return Err(BadDelta::Checksum);
    }
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
    total_bytes: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> BadDelta {
        BadDelta::Malformed { at: self.total_bytes - self.rest.len() }
    }

    fn number(&mut self) -> Result<u32, BadDelta> {
        let fault = self.malformed();
        digits::take(&mut self.rest).ok_or(fault)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], BadDelta> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(self.malformed())?;
        self.rest = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, BadDelta> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn sign(&mut self, wanted: u8) -> Result<(), BadDelta> {
        let fault = self.malformed();
        // check: delta-sign
        if self.byte()? != wanted {
            return Err(fault);
        }
        Ok(())
    }

    fn end(&self) -> Result<(), BadDelta> {
        // check: delta-end
        if !self.rest.is_empty() {
            return Err(self.malformed());
        }
        Ok(())
    }
}
