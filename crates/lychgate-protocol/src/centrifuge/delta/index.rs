//! Where each block of the old text stands, by a hash that can roll over the new one.

/// The length of a block. A common piece is found for certain if it is one byte short of two blocks.
pub(super) const BLOCK_BYTES: usize = 16;

/// How many blocks of one hash are looked at, so that a text of equal blocks costs no more than its length.
const BLOCKS_TRIED_MAX: usize = 16;

const NOTHING: u32 = u32::MAX;

/// The blocks of a text.
pub(super) struct Index {
    /// The first block of each hash: the further in front, the longer a piece can be.
    first: Vec<u32>,
    /// The next block of the same hash.
    next: Vec<u32>,
}

impl Index {
    pub(super) fn of(text: &[u8]) -> Self {
        let blocks = text.chunks_exact(BLOCK_BYTES);
        let count = u32::try_from(blocks.len()).unwrap_or(NOTHING);
        let mut index = Self { first: vec![NOTHING; blocks.len().max(1)], next: vec![NOTHING; blocks.len()] };
        for (number, block) in (0..count).zip(blocks).rev() {
            let slot = index.slot(Rolling::over(block).hash());
            index.next[number as usize] = std::mem::replace(&mut index.first[slot], number);
        }
        index
    }

    /// Where blocks stand that may have this hash.
    pub(super) fn offsets(&self, hash: u32) -> impl Iterator<Item = usize> {
        let mut next = self.first[self.slot(hash)];
        std::iter::from_fn(move || {
            let block = (next != NOTHING).then_some(next as usize)?;
            next = self.next[block];
            Some(block * BLOCK_BYTES)
        })
        .take(BLOCKS_TRIED_MAX)
    }

    fn slot(&self, hash: u32) -> usize {
        hash as usize % self.first.len()
    }
}

/// The hash of the last [`BLOCK_BYTES`] bytes: their sum, and their sum weighted by age.
pub(super) struct Rolling {
    sum: u16,
    weighted: u16,
}

impl Rolling {
    /// The hash of one block.
    pub(super) fn over(block: &[u8]) -> Self {
        let mut hash = Self { sum: 0, weighted: 0 };
        for byte in block {
            hash.sum = hash.sum.wrapping_add(u16::from(*byte));
            hash.weighted = hash.weighted.wrapping_add(hash.sum);
        }
        hash
    }

    /// Moves on by a byte: `old` is the first of the block, `new` the one behind it.
    pub(super) fn roll(&mut self, old: u8, new: u8) {
        self.sum = self.sum.wrapping_sub(u16::from(old)).wrapping_add(u16::from(new));
        self.weighted = self.weighted.wrapping_sub(u16::from(old) * BLOCK_BYTES as u16).wrapping_add(self.sum);
    }

    pub(super) fn hash(&self) -> u32 {
        u32::from(self.weighted) << 16 | u32::from(self.sum)
    }
}
