//! How a setting is written: one shape per kind of value, from TOML or the environment to a Rust type and back.
//!
//! **Invariant:** what [`Shape::show`] prints, [`Shape::read`] takes; a test holds every default to it.

mod places;
mod secret;
mod units;

use std::fmt::Display;
use std::marker::PhantomData;

pub(super) use places::{Address, FilePath, Network};
pub(super) use secret::{Hidden, VariableName};
pub(super) use units::{KIB, MIB, Size, Time, show_size};
pub(crate) use units::{parse_time, show_time};

use super::fault::Faults;
use super::tree::{self, Node, Value};

/// Turns a [`Node`] into a value and a value into TOML text.
pub(super) trait Shape {
    /// The Rust type of the setting.
    type Value;
    /// Reads the node, or reports what is wrong with it and gives nothing.
    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Value>;
    /// The value as TOML; nothing for a setting that is not set.
    fn show(&self, value: &Self::Value) -> Option<String>;
    /// What may be written, for the reference.
    fn describe(&self) -> String;
}

/// Where a shape says what is wrong.
pub(super) struct Report<'a> {
    pub(super) faults: &'a mut Faults,
    pub(super) key: &'a str,
}

impl Report<'_> {
    pub(super) fn wrong<T>(&mut self, node: &Node, wrong: impl Into<String>, remedy: impl Into<String>) -> Option<T> {
        self.faults.add(node.place.clone(), self.key, wrong, remedy);
        None
    }

    fn kind<T>(&mut self, node: &Node, wanted: &str, remedy: impl Into<String>) -> Option<T> {
        self.wrong(node, format!("expected {wanted}, found {}", node.value.kind()), remedy)
    }
}

/// Text as TOML writes it.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A value as a fault quotes it: short, and on one line.
pub(super) fn cite(text: &str) -> String {
    let short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().count() > 60 { format!("\"{short}…\"") } else { format!("\"{short}\"") }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) | Value::Variable(text) => Some(text),
        _ => None,
    }
}

/// Any text that passes a check.
pub(super) struct Text {
    /// What it is, with its article: "a path".
    pub(super) what: &'static str,
    /// Says what is wrong with a text and what to write instead.
    pub(super) check: fn(&str) -> Result<(), (String, String)>,
}

impl Shape for Text {
    type Value = String;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<String> {
        let Some(text) = text(node) else {
            return report.kind(node, self.what, "Write it in double quotes");
        };
        match (self.check)(text) {
            Ok(()) => Some(text.to_owned()),
            Err((wrong, remedy)) => report.wrong(node, wrong, remedy),
        }
    }

    fn show(&self, value: &String) -> Option<String> {
        Some(quote(value))
    }

    fn describe(&self) -> String {
        self.what.to_owned()
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Shape for Flag {
    type Value = bool;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<bool> {
        match &node.value {
            Value::Boolean(value) => Some(*value),
            Value::Variable(text) if text == "true" => Some(true),
            Value::Variable(text) if text == "false" => Some(false),
            _ => report.kind(node, "true or false", "Write true or false, without quotes"),
        }
    }

    fn show(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "true or false".to_owned()
    }
}

/// A whole number within bounds.
pub(super) struct Count<T> {
    least: i64,
    most: i64,
    number: PhantomData<T>,
}

impl<T> Count<T> {
    pub(super) const fn of(least: i64, most: i64) -> Self {
        Self { least, most, number: PhantomData }
    }
}

impl<T: TryFrom<i64> + Display> Shape for Count<T> {
    type Value = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let remedy = format!("Write a whole number from {} to {}", self.least, self.most);
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else { return report.kind(node, "a whole number", remedy) };
        if number < self.least || number > self.most {
            return report.wrong(node, format!("{number} is outside the bounds"), remedy);
        }
        match T::try_from(number) {
            Ok(number) => Some(number),
            Err(_) => report.wrong(node, format!("{number} is outside the bounds"), remedy),
        }
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        format!("whole number, {} to {}", self.least, self.most)
    }
}

/// A type whose values are a few words.
pub(super) trait Words: Copy + PartialEq + 'static {
    /// Every word and what it stands for.
    const ALL: &'static [(&'static str, Self)];

    /// The word for this value.
    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

/// One of a few words.
pub(super) struct Choice<T>(PhantomData<T>);

impl<T> Choice<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

fn words<T: Words>() -> String {
    T::ALL.iter().map(|(word, _)| quote(word)).collect::<Vec<_>>().join(", ")
}

impl<T: Words> Shape for Choice<T> {
    type Value = T;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<T> {
        let remedy = format!("Write one of {}", words::<T>());
        let Some(text) = text(node) else { return report.kind(node, "one word in quotes", remedy) };
        match T::ALL.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => report.wrong(node, format!("{} is not known here", cite(text)), remedy),
        }
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(quote(value.word()))
    }

    fn describe(&self) -> String {
        words::<T>()
    }
}

/// A setting that may be absent.
pub(super) struct Optional<S>(pub(super) S);

impl<S: Shape> Shape for Optional<S> {
    type Value = Option<S::Value>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Value> {
        self.0.read(node, report).map(Some)
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(|value| self.0.show(value))
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// A list; from the environment either TOML's form or items with commas between them.
pub(super) struct List<S>(pub(super) S);

impl<S: Shape> Shape for List<S> {
    type Value = Vec<S::Value>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Value> {
        let from_variable;
        let items = match &node.value {
            Value::Array(items) => items,
            Value::Variable(text) => {
                from_variable = split_variable(text, node);
                &from_variable
            }
            _ => return report.kind(node, "a list", "Write the items in brackets, with commas between them"),
        };
        // Every item is read before the list is given up, so that all its faults are told at once.
        let values: Vec<_> = items.iter().map(|item| self.0.read(item, report)).collect();
        values.into_iter().collect()
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        let items: Vec<_> = value.iter().filter_map(|item| self.0.show(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn describe(&self) -> String {
        format!("list of: {}", self.0.describe())
    }
}

fn split_variable(text: &str, node: &Node) -> Vec<Node> {
    if text.trim_start().starts_with('[')
        && let Some(Node { value: Value::Array(items), .. }) = tree::parse_variable(text, &node.place)
    {
        return items;
    }
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| Node { value: Value::Text(item.to_owned()), place: node.place.clone() })
        .collect()
}
