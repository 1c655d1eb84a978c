//! Lines out of a body that comes in parts.
//!
//! **Invariant:** the line that is being collected is never longer than its limit, and grows only by what came.
//!
//! **Absent on purpose:** text. A letter may be cut in two between parts, so only whole lines are read as UTF-8.

use bytes::Bytes;

/// A line is longer than its limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineTooLong;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// LF alone.
    Lf,
    /// CR, LF, or the two in this order.
    Any,
}

/// Cuts a body into lines.
#[derive(Debug)]
pub(super) struct Lines {
    ends_with: LineEnd,
    bytes_max: usize,
    part: Bytes,
    line: Vec<u8>,
    /// `line` was handed out and is to be forgotten.
    is_taken: bool,
    /// A CR ended the last line; an LF that follows belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new(ends_with: LineEnd, bytes_max: usize) -> Self {
        Self { ends_with, bytes_max, part: Bytes::new(), line: Vec::new(), is_taken: false, after_cr: false }
    }

    /// Takes the next part of the body. The lines of the one before must have been read.
    pub(super) fn push(&mut self, part: Bytes) {
        debug_assert!(self.part.is_empty(), "what was not read would be lost");
        self.part = part;
    }

    /// The next line without its end, or `None` when more of the body is needed.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        self.forget_taken();
        if self.after_cr && !self.part.is_empty() {
            self.after_cr = false;
            if self.part[0] == b'\n' {
                let _ = self.part.split_to(1);
            }
        }
        let is_end = |byte: &u8| *byte == b'\n' || (*byte == b'\r' && self.ends_with == LineEnd::Any);
        let Some(end) = self.part.iter().position(is_end) else {
            let rest = std::mem::take(&mut self.part);
            self.collect(&rest)?;
            return Ok(None);
        };
        let piece = self.part.split_to(end);
        self.after_cr = self.part.split_to(1)[0] == b'\r';
        self.collect(&piece)?;
        self.is_taken = true;
        Ok(Some(&self.line))
    }

    /// What came after the last end of a line.
    pub(super) fn rest(&mut self) -> &[u8] {
        self.forget_taken();
        &self.line
    }

    fn forget_taken(&mut self) {
        if std::mem::take(&mut self.is_taken) {
            self.line.clear();
        }
    }

    fn collect(&mut self, piece: &[u8]) -> Result<(), LineTooLong> {
        if piece.len() > self.bytes_max.saturating_sub(self.line.len()) {
            return Err(LineTooLong);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }
}
