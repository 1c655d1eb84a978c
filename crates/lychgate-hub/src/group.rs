//! The members of one channel that are sent the same bytes.
//!
//! **Invariant:** members change only while nothing is pending, or when the member that leaves takes no frames any more.
//! So a batch goes to exactly those who were there when its frames were published.

use std::ops::Range;

use slab::Slab;
use smallvec::SmallVec;

use crate::batch::Batch;
use crate::distribution::Distribution;
use crate::encode::{Class, Encode};
use crate::pending::{Exclusion, Pending, Sealed};
use crate::session::{Session, SessionId};

/// One codec class of one channel.
pub(crate) struct Group {
    pub(crate) class: Class,
    pub(crate) members: Slab<Session>,
    pending: Pending,
}

impl Group {
    pub(crate) fn new(class: Class) -> Self {
        Self { class, members: Slab::new(), pending: Pending::default() }
    }

    /// Encodes one frame for all members and returns its bytes; a batch that gets too long with it is handed out first.
    pub(crate) fn append(
        &mut self,
        offset: u64,
        frame: &dyn Encode,
        exclude: Option<SessionId>,
        batch_bytes_max: usize,
        distribution: &mut Distribution<'_>,
    ) -> usize {
        let mut bytes = 0;
        let encode = |out: &mut Vec<u8>| {
            let start = out.len();
            frame.encode(self.class, offset, out);
            bytes = out.len().saturating_sub(start);
        };
        let full = self.pending.append(offset, encode, exclude, batch_bytes_max);
        if let Some(sealed) = full {
            self.hand_out(&sealed, distribution);
        }
        bytes
    }

    /// Seals what is pending and gives every member its slice of it.
    pub(crate) fn seal(&mut self, distribution: &mut Distribution<'_>) {
        if let Some(sealed) = self.pending.seal() {
            self.hand_out(&sealed, distribution);
        }
    }

    fn hand_out(&self, sealed: &Sealed, distribution: &mut Distribution<'_>) {
        let Sealed { batch, excluded } = sealed;
        distribution.tally.batches_sealed += 1;
        let whole = 0..batch.len();
        for (_, member) in &self.members {
            let missed = excluded.of(member.id());
            if missed.is_empty() {
                distribution.push(member, batch, std::slice::from_ref(&whole));
            } else {
                let ranges = complement(batch, missed);
                if !ranges.is_empty() {
                    distribution.push(member, batch, &ranges);
                }
            }
        }
    }
}

/// The ranges of `batch` without the frames that are `missed`.
fn complement(batch: &Batch, missed: &[Exclusion]) -> SmallVec<[Range<u32>; 4]> {
    let mut ranges = SmallVec::new();
    let mut start = 0;
    for exclusion in missed {
        let frame = batch.frame(exclusion.frame as usize);
        if start < frame.start {
            ranges.push(start..frame.start);
        }
        start = frame.end;
    }
    if start < batch.len() {
        ranges.push(start..batch.len());
    }
    ranges
}
