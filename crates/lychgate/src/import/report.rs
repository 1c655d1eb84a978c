//! What people have to know, by what they have to do about it.

use std::fmt::Write as _;
use std::path::Path;

use super::Note;
use super::keys::{self, Fate};
use super::picture::Picture;

/// The longest line of words.
const COLUMNS: usize = 110;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Something has to be put in place before the server starts or is reached.
    ToDo,
    /// Something is closed, or otherwise than before, until somebody decides.
    Decide,
    /// There is nothing like it.
    Gone,
    /// Nobody knows what it meant.
    Unknown,
}

impl Group {
    const ALL: [(Self, &'static str); 4] = [
        (Self::ToDo, "To do before it is used:"),
        (Self::Decide, "To decide: until then it is as closed as it was, or more"),
        (Self::Gone, "Without a counterpart:"),
        (Self::Unknown, "Unknown keys, which were not carried over:"),
    ];
}

/// Collects notes.
pub(super) struct Report<'a> {
    picture: &'a Picture,
    file: String,
    notes: Vec<Note>,
}

impl<'a> Report<'a> {
    pub(super) fn new(picture: &'a Picture, path: &Path) -> Self {
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Self { picture, file, notes: Vec::new() }
    }

    /// The name of the file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Notes something about the key of `path`, which is said by that.
    pub(super) fn note(&mut self, group: Group, path: &str, text: impl Into<String>) {
        self.picture.settle(path);
        self.notes.push(Note { group, key: self.picture.shown(path), text: text.into() });
    }

    /// All notes by group, with those about keys that nobody took; and the keys whose meaning is in ours.
    pub(super) fn close(mut self) -> (Vec<Note>, Vec<String>) {
        let mut carried = Vec::new();
        for leaf in self.picture.leaves() {
            let is_noted = self.notes.iter().any(|note| note.key == leaf.shown);
            if leaf.is_taken() {
                if !is_noted {
                    carried.push(leaf.shown.clone());
                }
                continue;
            }
            let (group, text) = match keys::fate(&leaf.path) {
                Some(Fate::Here) if leaf.is_empty() => {
                    carried.push(leaf.shown.clone());
                    continue;
                }
                Some(Fate::Gone(text)) => (Group::Gone, text),
                // It belongs to something that is not switched on, or is said twice.
                Some(Fate::Here) => (Group::Gone, "It has no effect where it stands."),
                None => (Group::Unknown, "Centrifugo has no such key in the versions known here."),
            };
            self.notes.push(Note { group, key: leaf.shown.clone(), text: text.to_owned() });
        }
        self.notes.sort_by_key(|note| note.group);
        (self.notes, carried)
    }
}

/// Notes as lines for people, by group; keys of which the same is to be said stand together.
#[must_use]
pub fn in_words(notes: &[Note]) -> String {
    let mut out = String::new();
    for (group, heading) in Group::ALL {
        let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
        for note in notes.iter().filter(|note| note.group == group) {
            match told.iter_mut().find(|(text, _)| *text == note.text) {
                Some((_, keys)) => keys.push(&note.key),
                None => told.push((&note.text, vec![&note.key])),
            }
        }
        if told.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}{heading}", if out.is_empty() { "" } else { "\n" });
        for (text, keys) in told {
            wrap(&format!("- {}", keys.join(", ")), &mut out);
            wrap(&format!("  {text}"), &mut out);
        }
    }
    out
}

/// A line as lines that fit a page; those behind the first are indented.
fn wrap(line: &str, out: &mut String) {
    let mut width = 0;
    for (number, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if width + 1 + length > COLUMNS && number > 2 {
            out.push_str("\n  ");
            width = 2;
        } else if number > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}
