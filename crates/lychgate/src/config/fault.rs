//! What is wrong with a configuration, and what the reader should do about it.
//!
//! **Invariant:** a fault never holds the value of a secret: it names the place, and the place can be opened.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, counted from 1.
    File {
        /// The file as it was named on the command line.
        name: Arc<str>,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// Nowhere: the key is missing, or the fault is about several keys.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// One thing that stops the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// The key, as `section.key`; empty for a fault of a whole file.
    pub key: String,
    /// What is wrong, as a sentence without its full stop.
    pub wrong: String,
    /// What to do, as a sentence without its full stop.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}.\n  {}.", self.wrong, self.remedy)
    }
}

/// Every fault of one configuration, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, place: Place, key: impl Into<String>, wrong: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Fault { place, key: key.into(), wrong: wrong.into(), remedy: remedy.into() });
    }

    /// Whether `key` is already known to be wrong, so that checks built on it say nothing.
    pub fn concern(&self, key: &str) -> bool {
        self.0.iter().any(|fault| fault.key == key)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// The same faults, ordered by file (in the order of `files`) and line; those without a line come last.
    pub(super) fn sorted(mut self, files: &[Arc<str>]) -> Self {
        self.0.sort_by_key(|fault| match &fault.place {
            Place::File { name, line } => (files.iter().position(|file| file == name).unwrap_or(files.len()), *line),
            Place::Environment(_) => (files.len() + 1, 0),
            Place::Nowhere => (files.len() + 2, 0),
        });
        self
    }
}

impl fmt::Display for Faults {
    /// One fault per paragraph.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Something worth a line at start that does not stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where it is.
    pub place: Place,
    /// The key it is about.
    pub key: String,
    /// The sentence, without its full stop.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}.", self.place, self.key, self.text)
    }
}
