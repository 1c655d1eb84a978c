//! The configuration before it has types: values that know where they were written.
//!
//! Files are laid over each other in order, and the environment over all of them.
//! A table is merged key by key; anything else is replaced whole.
//!
//! **Invariant:** every value and every key carries the [`Place`] it came from, through all the layers.
//!
//! **Absent on purpose:** nothing here has `Debug`, since any text in the tree may be a secret.

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Place};

/// One value and where it was written.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// The values TOML has, and the one the environment has.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Fraction(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// Text from the environment: what it means depends on the setting that reads it.
    Variable(String),
    /// A TOML value that no setting takes, by its name.
    Other(&'static str),
}

impl Value {
    /// What a person calls this kind of value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Variable(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Fraction(_) => "a fraction",
            Self::Boolean(_) => "true or false",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// The keys of a table in the order they were written.
#[derive(Clone, Default)]
pub(super) struct Table(pub(super) Vec<(String, Node)>);

impl Table {
    /// Removes `key` and gives its value.
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(index).1)
    }

    /// Lays `over` on top of this table.
    pub(super) fn overlay(&mut self, over: Self) {
        for (key, node) in over.0 {
            match self.0.iter_mut().find(|(name, _)| *name == key) {
                None => self.0.push((key, node)),
                Some((_, Node { value: Value::Table(below), .. })) if matches!(node.value, Value::Table(_)) => {
                    if let Value::Table(above) = node.value {
                        below.overlay(above);
                    }
                }
                Some((_, below)) => *below = node,
            }
        }
    }

    /// Sets the value at `path`, making the tables on the way.
    ///
    /// Keys are compared as the environment can spell them: without case, and with `-` and `_` alike.
    fn set(&mut self, path: &[&str], node: Node) {
        let (Some(first), rest) = (path.first(), path.get(1..).unwrap_or_default()) else { return };
        let spelled = |name: &str| name.to_ascii_lowercase().replace('-', "_");
        let wanted = spelled(first);
        let index = self.0.iter().position(|(name, _)| spelled(name) == wanted).unwrap_or_else(|| {
            self.0.push((wanted, Node { value: Value::Table(Self::default()), place: node.place.clone() }));
            self.0.len() - 1
        });
        let Some((_, below)) = self.0.get_mut(index) else { return };
        if rest.is_empty() {
            *below = node;
        } else if let Value::Table(table) = &mut below.value {
            table.set(rest, node);
        } else {
            // Something that is no table stands where a table is needed.
            // The setting below then reports it as a wrong type, at the variable that asked for it.
            let mut table = Self::default();
            table.set(rest, node.clone());
            *below = Node { value: Value::Table(table), place: node.place };
        }
    }
}

/// Reads one file's text into a table, or says at which lines it is no TOML.
pub(super) fn parse(name: &Arc<str>, text: &str, faults: &mut Faults) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        // The message alone: the parser's own display quotes the line, and the line may hold a secret.
        faults.add(
            Place::File { name: Arc::clone(name), line },
            "",
            format!("this is not valid TOML: {}", error.message().trim_end_matches('.')),
            "Correct the line; the rest of the file is checked once it can be read",
        );
    }
    convert_table(name, text, table.into_inner())
}

/// Lays the variables that begin with `LYCHGATE__` over `root`.
pub(super) fn overlay_environment<'a>(root: &mut Table, variables: impl Iterator<Item = (&'a str, &'a str)>) {
    for (variable, value) in variables {
        let Some(path) = variable.strip_prefix("LYCHGATE__") else { continue };
        let path: Vec<&str> = path.split("__").collect();
        let place = Place::Environment(variable.to_owned());
        root.set(&path, Node { value: Value::Variable(value.to_owned()), place });
    }
}

/// Reads the text of a variable as a TOML value, for settings that take lists.
pub(super) fn parse_variable(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut node = convert(&Arc::from(""), text, value.into_inner(), 0);
    replace_place(&mut node, place);
    Some(node)
}

fn replace_place(node: &mut Node, place: &Place) {
    node.place = place.clone();
    if let Value::Array(items) = &mut node.value {
        items.iter_mut().for_each(|item| replace_place(item, place));
    }
}

fn convert_table(name: &Arc<str>, text: &str, table: DeTable<'_>) -> Table {
    let mut keys: Vec<_> = table.into_iter().collect();
    // The parser's map is sorted by name; the order of the file is what a person expects to see again.
    keys.sort_by_key(|(key, _)| key.span().start);
    Table(
        keys.into_iter()
            .map(|(key, value)| {
                let start = key.span().start;
                (key.into_inner().into_owned(), convert(name, text, value.into_inner(), start))
            })
            .collect(),
    )
}

/// `start` is where the value's key begins, so that a value over several lines is reported at its key.
fn convert(name: &Arc<str>, text: &str, value: DeValue<'_>, start: usize) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number too large"), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().replace('_', "").parse().map_or(Value::Other("a fraction"), Value::Fraction)
        }
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| {
                    let start = item.span().start;
                    convert(name, text, item.into_inner(), start)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(name, text, table)),
    };
    Node { value, place: Place::File { name: Arc::clone(name), line: line_of(text, start) } }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
