//! Channel names.
//!
//! Owns the grammar: 1 to 255 characters of visible ASCII, `!` (0x21) to `~` (0x7e).
//! No space, no control character and nothing beyond ASCII, so a name reads the same in a log, a URL and a terminal,
//! and two names that look alike are alike.
//!
//! **Invariant:** a [`ChannelName`] is within the grammar. The whole string is the identity: nothing is stripped or
//! folded. `:` by convention ends a namespace, but carries no right by itself.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name in bytes.
pub const CHANNEL_NAME_BYTES_MAX: usize = 255;

/// The name of a channel; a clone is a reference count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a string is no channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChannelName {
    /// The string is empty.
    #[error("a channel name is empty")]
    Empty,
    /// The string is longer than [`CHANNEL_NAME_BYTES_MAX`].
    #[error("a channel name is longer than 255 bytes")]
    TooLong,
    /// The byte at this offset is not visible ASCII.
    #[error("a channel name has a character at byte {at} that is not visible ASCII")]
    BadCharacter {
        /// Offset of the byte.
        at: usize,
    },
}

impl ChannelName {
    /// Checks `name` against the grammar and keeps a copy.
    ///
    /// # Errors
    ///
    /// The first rule that `name` breaks.
    pub fn new(name: &str) -> Result<Self, BadChannelName> {
        // check: channel-empty
        if name.is_empty() {
            return Err(BadChannelName::Empty);
        }
        // check: channel-length
        if name.len() > CHANNEL_NAME_BYTES_MAX {
            return Err(BadChannelName::TooLong);
        }
        // check: channel-characters
        if let Some(at) = name.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(BadChannelName::BadCharacter { at });
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChannelName {
    type Err = BadChannelName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<&str> for ChannelName {
    type Error = BadChannelName;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
