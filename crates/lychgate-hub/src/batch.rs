//! Sealed frames that many sockets share, and the ranges of them that queues hold.
//!
//! **Invariant:** a batch is never changed after it was made, its frames lie back to back in it,
//! and the index names the end of each.
//!
//! **Absent on purpose:** a batch does not know who receives it.
//! Members may come and go while it waits in queues, and each queue holds ranges of its own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

/// Immutable frames, back to back.
pub(crate) struct Batch {
    bytes: Bytes,
    frames: FrameIndex,
}

/// The frames of a batch in order; one frame needs no heap.
pub(crate) type FrameIndex = SmallVec<[Frame; 1]>;

/// One frame of a batch; it starts where the frame before it ends.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// The publication's offset in its channel; 0 for a direct frame.
    pub(crate) offset: u64,
    /// Position after its last byte.
    pub(crate) end: u32,
}

impl Batch {
    /// Makes a batch of `bytes`, which are the frames of `frames` and nothing else.
    pub(crate) fn new(bytes: Bytes, frames: FrameIndex) -> Arc<Self> {
        debug_assert_eq!(frames.last().map_or(0, |frame| frame.end as usize), bytes.len());
        Arc::new(Self { bytes, frames })
    }

    /// Makes a batch of one frame for one session.
    pub(crate) fn direct(frame: Bytes) -> Arc<Self> {
        let end = frame_position(frame.len());
        Self::new(frame, SmallVec::from_buf([Frame { offset: 0, end }]))
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.end)
    }

    /// The range of the frame with this index.
    pub(crate) fn frame(&self, index: usize) -> Range<u32> {
        let start = if index == 0 { 0 } else { self.frames[index - 1].end };
        start..self.frames[index].end
    }

    /// The range of the frame that holds the byte at `position`.
    fn frame_around(&self, position: u32) -> Range<u32> {
        self.frame(self.frames.partition_point(|frame| frame.end <= position))
    }
}

impl fmt::Debug for Batch {
    /// Prints positions and never the bytes, which are people's messages.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positions = self.frames.iter().map(|frame| (frame.offset, frame.end));
        formatter.debug_map().entries(positions).finish()
    }
}

/// A position inside a batch.
///
/// # Panics
///
/// Panics at 4 GiB: the limit on messages is far below, and a queue could not hold such a frame.
pub(crate) fn frame_position(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a batch is shorter than 4 GiB")
}

/// A range of a batch that waits in one queue.
///
/// It begins at the start of a frame, or inside one that is partly written, and ends at the end of one.
pub(crate) struct Slice {
    batch: Arc<Batch>,
    start: u32,
    end: u32,
}

impl Slice {
    /// Makes a slice of a range that is not empty.
    pub(crate) fn new(batch: Arc<Batch>, range: Range<u32>) -> Self {
        debug_assert!(range.start < range.end && range.end <= batch.len());
        Self { batch, start: range.start, end: range.end }
    }

    /// What waits.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.batch.bytes[self.start as usize..self.end as usize]
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Takes `bytes` off the front; they must be fewer than its length.
    pub(crate) fn advance(&mut self, bytes: usize) {
        debug_assert!(bytes < self.len());
        self.start += bytes as u32;
    }

    /// The rest of the frame that is partly written, if one is.
    pub(crate) fn rest_of_started_frame(self) -> Option<Self> {
        let frame = self.batch.frame_around(self.start);
        (frame.start < self.start).then(|| Self { end: frame.end, ..self })
    }
}
