//! Faults on demand, so that the load generator can be seen to find them.

/// Which frames of each receiver go wrong; 0 means none.
#[derive(Clone, Copy)]
pub struct Faults {
    drop_every: u64,
    duplicate_every: u64,
    swap_every: u64,
}

impl Faults {
    /// Sets how often each fault happens.
    pub fn new(drop_every: u64, duplicate_every: u64, swap_every: u64) -> Self {
        Self { drop_every, duplicate_every, swap_every }
    }

    /// Says whether there is any fault to make.
    pub fn any(self) -> bool {
        self.drop_every + self.duplicate_every + self.swap_every > 0
    }

    /// Writes the frames of one batch anew for one receiver; `count` is that receiver's frames so far.
    ///
    /// The receiver's number shifts its count, so that a message goes wrong for some and not for others.
    pub fn apply(self, batch: &[u8], ends: &[usize], receiver: usize, count: &mut u64) -> Vec<u8> {
        let mut frames: Vec<&[u8]> = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            let frame = &batch[start..*end];
            start = *end;
            *count += 1;
            let due = |every: u64| every > 0 && (*count + receiver as u64).is_multiple_of(every);
            if due(self.drop_every) {
                continue;
            }
            frames.push(frame);
            if due(self.duplicate_every) {
                frames.push(frame);
            }
            let last = frames.len() - 1;
            if due(self.swap_every) && last > 0 {
                frames.swap(last - 1, last);
            }
        }
        frames.concat()
    }
}
