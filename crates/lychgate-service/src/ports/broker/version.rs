//! The version of what a channel tells, by which a publication that came too late is known.

/// The longest text of a run of versions, in bytes.
pub const VERSION_EPOCH_BYTES_MAX: usize = 255;

/// What a publisher says of the version of a publication. The number is greater than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// Rises from publication to publication.
    pub number: u64,
    /// Which run of numbers; the one that the channel has, if it is empty.
    pub epoch: &'a str,
}

/// A [`Version`] that a channel has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptVersion {
    /// Its number.
    pub number: u64,
    /// Which run of numbers.
    pub epoch: Box<str>,
}

impl KeptVersion {
    /// What a channel that has `reached` that far has after a publication of this version; `None` if that one comes too late.
    #[must_use]
    pub fn after(reached: Option<&Self>, version: Version<'_>) -> Option<Self> {
        let is_same_run = |reached: &Self| version.epoch.is_empty() || version.epoch == &*reached.epoch;
        match reached {
            Some(reached) if is_same_run(reached) && version.number <= reached.number => None,
            Some(reached) if version.epoch.is_empty() => {
                Some(Self { number: version.number, epoch: reached.epoch.clone() })
            }
            _ => Some(Self { number: version.number, epoch: version.epoch.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_within_its_run() {
        let kept = |number, epoch: &str| KeptVersion { number, epoch: epoch.into() };
        for (reached, (number, epoch), after) in [
            (None, (1, ""), Some(kept(1, ""))),
            (None, (7, "a"), Some(kept(7, "a"))),
            (Some(kept(7, "a")), (8, "a"), Some(kept(8, "a"))),
            (Some(kept(7, "a")), (7, "a"), None),
            (Some(kept(7, "a")), (6, ""), None),
            (Some(kept(7, "a")), (9, ""), Some(kept(9, "a"))),
            (Some(kept(7, "a")), (1, "b"), Some(kept(1, "b"))),
            (Some(kept(7, "")), (1, "b"), Some(kept(1, "b"))),
        ] {
            assert_eq!(KeptVersion::after(reached.as_ref(), Version { number, epoch }), after, "{reached:?} {number}");
        }
    }
}
