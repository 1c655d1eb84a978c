//! The frames of a group that are not handed out yet.
//!
//! **Invariant:** the index covers the bytes: what lies behind the last indexed end is the remains of an encoder
//! that panicked, and is cut before the next frame.
//!
//! **Absent on purpose:** no buffer is kept while nothing is pending, so an idle channel owns none.
//! The next one is made as large as the last batch was.

use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batch, Frame, FrameIndex, frame_position};
use crate::session::SessionId;

/// An open batch.
#[derive(Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    frames: FrameIndex,
    excluded: Vec<Exclusion>,
    bytes_expected: usize,
    frames_expected: usize,
}

/// A frame that one session is not to receive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exclusion {
    session: SessionId,
    pub(crate) frame: u32,
}

/// A closed batch, and who is to miss what of it.
pub(crate) struct Sealed {
    pub(crate) batch: Arc<Batch>,
    pub(crate) excluded: Excluded,
}

impl Pending {
    /// Whether no frame waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Adds one frame, and returns the earlier ones as a batch if they and it are longer than `bytes_max` together.
    ///
    /// An encoder that writes nothing adds nothing.
    pub(crate) fn append(
        &mut self,
        offset: u64,
        encode: impl FnOnce(&mut Vec<u8>),
        exclude: Option<SessionId>,
        bytes_max: usize,
    ) -> Option<Sealed> {
        let start = self.end();
        self.bytes.truncate(start);
        if start == 0 {
            self.bytes.reserve(self.bytes_expected);
            self.frames.reserve(self.frames_expected);
        }
        encode(&mut self.bytes);
        if self.bytes.len() <= start {
            return None;
        }
        let mut sealed = None;
        if start > 0 && self.bytes.len() > bytes_max {
            let mut bytes = Vec::with_capacity(start.max(self.bytes.len() - start));
            bytes.extend_from_slice(&self.bytes[start..]);
            self.bytes.truncate(start);
            sealed = self.seal();
            self.bytes = bytes;
        }
        self.frames.push(Frame { offset, end: frame_position(self.bytes.len()) });
        if let Some(session) = exclude {
            self.excluded.push(Exclusion { session, frame: (self.frames.len() - 1) as u32 });
        }
        sealed
    }

    /// Closes the batch; nothing if no frame waits.
    pub(crate) fn seal(&mut self) -> Option<Sealed> {
        if self.is_empty() {
            return None;
        }
        let end = self.end();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(end);
        self.bytes_expected = end;
        self.frames_expected = self.frames.len();
        // A slow reader's queue keeps the whole buffer alive, so a mostly empty one is worth a copy.
        if bytes.capacity() - end > end.max(SPARE_BYTES_MAX) {
            bytes.shrink_to_fit();
        }
        Some(Sealed {
            batch: Batch::new(Bytes::from(bytes), std::mem::take(&mut self.frames)),
            excluded: Excluded::new(std::mem::take(&mut self.excluded)),
        })
    }

    fn end(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.end as usize)
    }
}

const SPARE_BYTES_MAX: usize = 1_024;

/// Who is to miss which frames of one batch.
pub(crate) struct Excluded {
    /// Sorted by session, then by frame.
    list: Vec<Exclusion>,
    /// One bit for each session id modulo 64, so that most members are told apart without a search.
    bits: u64,
}

impl Excluded {
    fn new(mut list: Vec<Exclusion>) -> Self {
        list.sort_unstable();
        let bits = list.iter().fold(0, |bits, exclusion| bits | exclusion.session.bit());
        Self { list, bits }
    }

    /// The frames that `session` is to miss, ascending.
    pub(crate) fn of(&self, session: SessionId) -> &[Exclusion] {
        if self.bits & session.bit() == 0 {
            return &[];
        }
        let start = self.list.partition_point(|exclusion| exclusion.session < session);
        let count = self.list[start..].partition_point(|exclusion| exclusion.session == session);
        &self.list[start..start + count]
    }
}

impl SessionId {
    fn bit(self) -> u64 {
        1 << (self.0 % 64)
    }
}
