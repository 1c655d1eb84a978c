//! Labels that a publisher puts on a publication, for whoever reads it.
//!
//! **Invariant:** each name stands once, and all of them are within the limits. None at all cost no memory of their own.

use std::collections::BTreeMap;
use std::fmt;

/// The most tags of one publication.
pub const TAGS_MAX: usize = 32;

/// The most bytes of all its names and values together.
pub const TAGS_BYTES_MAX: usize = 4_096;

/// A name and its value.
pub type Tag = (Box<str>, Box<str>);

/// The tags of one publication, by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Box<[Tag]>);

/// There are too many, or they are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a publication has at most {TAGS_MAX} tags, with at most {TAGS_BYTES_MAX} bytes in all")]
pub struct TooManyTags;

impl Tags {
    /// These tags.
    ///
    /// # Errors
    ///
    /// [`TooManyTags`].
    pub fn new(tags: BTreeMap<String, String>) -> Result<Self, TooManyTags> {
        let tags: Box<[Tag]> = tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        if tags.len() > TAGS_MAX || bytes(&tags) > TAGS_BYTES_MAX {
            return Err(TooManyTags);
        }
        Ok(Self(tags))
    }

    /// Each with its value, by name.
    #[must_use]
    pub const fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all names and values together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes(&self.0)
    }
}

fn bytes(tags: &[Tag]) -> usize {
    tags.iter().map(|(name, value)| name.len() + value.len()).sum()
}

impl fmt::Debug for Tags {
    /// Prints none of them: they are a part of somebody's message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tags({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_few_and_short() {
        let many = |count: usize, bytes: usize| {
            Tags::new((0..count).map(|at| (format!("{at:02}"), "x".repeat(bytes))).collect())
        };
        assert_eq!(many(TAGS_MAX, 1).map(|tags| tags.as_slice().len()), Ok(TAGS_MAX));
        assert_eq!(many(TAGS_MAX + 1, 1), Err(TooManyTags));
        assert_eq!(many(1, TAGS_BYTES_MAX - 2).map(|tags| tags.bytes()), Ok(TAGS_BYTES_MAX));
        assert_eq!(many(1, TAGS_BYTES_MAX - 1), Err(TooManyTags));
    }
}
