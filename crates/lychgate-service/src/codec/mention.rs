//! Names that a text mentions.

use smallvec::SmallVec;

use super::Keys;
use crate::template::{Inbound, Template, TextTemplate};

/// The most names of one frame that are looked up.
pub const MENTIONS_MAX: usize = 16;

/// The longest name that is looked up, in characters.
pub const MENTION_CHARACTERS_MAX: usize = 64;

/// Who is told that their name was mentioned.
///
/// Whether a name is somebody's is for the caller to find out; then `mentioned.id` and `mentioned.name` are theirs.
#[derive(Debug)]
pub struct Mention {
    pub(super) path: Keys,
    pub(super) send: Template,
    pub(super) channel: TextTemplate,
}

impl Mention {
    /// The names behind an `@` in the frame's text, each once, at most [`MENTIONS_MAX`].
    ///
    /// A name has letters, digits, `_`, `-` and `.`, and does not end in a point; an `@` within a word begins none.
    #[must_use]
    pub fn names(&self, inbound: &Inbound<'_>) -> SmallVec<[String; 2]> {
        let mut found: SmallVec<[String; 2]> = SmallVec::new();
        let Some(text) = inbound.get(&self.path.keys).and_then(crate::template::Part::as_text) else { return found };
        for (at, _) in text.match_indices('@') {
            if text[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
                continue;
            }
            let rest = &text[at + 1..];
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            let fits = !name.is_empty() && name.chars().count() <= MENTION_CHARACTERS_MAX;
            if fits && !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
            if found.len() == MENTIONS_MAX {
                break;
            }
        }
        found
    }

    /// What they are told.
    #[must_use]
    pub const fn send(&self) -> &Template {
        &self.send
    }

    /// In which channel.
    #[must_use]
    pub const fn channel(&self) -> &TextTemplate {
        &self.channel
    }
}
