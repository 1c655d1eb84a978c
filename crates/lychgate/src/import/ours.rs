//! Our configuration as it is being written: sections with keys, and what people should know at the top.

use std::fmt::Write as _;
use std::path::Path;

use super::Note;
use super::report;

/// Sections in the order in which they will stand.
#[derive(Default)]
pub(super) struct Ours(Vec<Section>);

/// One section.
pub(super) struct Section {
    comment: Vec<String>,
    name: String,
    entries: Vec<(String, String, Option<String>)>,
}

impl Section {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { comment: Vec::new(), name: name.into(), entries: Vec::new() }
    }

    /// Says something above its name.
    pub(super) fn about(mut self, comment: impl Into<String>) -> Self {
        self.comment.push(comment.into());
        self
    }

    /// A key with a value as TOML.
    pub(super) fn put(&mut self, key: &str, value: impl Into<String>) {
        self.entries.push((key.to_owned(), value.into(), None));
    }

    /// The same, with a word about it.
    pub(super) fn put_with(&mut self, key: &str, value: impl Into<String>, comment: impl Into<String>) {
        self.entries.push((key.to_owned(), value.into(), Some(comment.into())));
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Ours {
    pub(super) fn push(&mut self, section: Section) {
        self.0.push(section);
    }

    pub(super) fn extend(&mut self, sections: Vec<Section>) {
        self.0.extend(sections);
    }

    /// The whole file.
    pub(super) fn write(&self, from: &Path, version: u8, notes: &[Note]) -> String {
        let name = from.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let mut out =
            format!("# Written by `lychgate config import` from {name}, a configuration of Centrifugo {version}.\n");
        out.push_str("# `lychgate config check --config FILE` says whether it is whole, `lychgate endpoints` who may enter what.\n");
        let words = report::in_words(notes);
        if !words.is_empty() {
            out.push_str("#\n");
        }
        for line in words.lines() {
            let _ = writeln!(out, "{}", format!("# {line}").trim_end());
        }
        for section in &self.0 {
            out.push('\n');
            for line in &section.comment {
                let _ = writeln!(out, "# {line}");
            }
            let _ = writeln!(out, "[{}]", section.name);
            for (key, value, comment) in &section.entries {
                let entry = format!("{key} = {value}");
                let _ = match comment {
                    Some(comment) => writeln!(out, "{entry:<36} # {comment}"),
                    None => writeln!(out, "{entry}"),
                };
            }
        }
        out
    }
}

/// Text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Texts as TOML.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A name of a section: letters, digits, `-` and `_`.
pub(super) fn section_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}
