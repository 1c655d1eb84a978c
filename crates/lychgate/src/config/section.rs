//! A section of the configuration, defined once.
//!
//! The macro [`section!`] takes each setting's doc comment, type, shape and default.
//! From that one definition come the struct's field, the parser, `config print` and the row of the reference page.
//!
//! **Invariant:** a setting cannot exist in one of the four and not in the others.

use std::collections::BTreeMap;

use super::fault::{Faults, Place};
use super::shape::{Report, Shape, cite};
use super::tree::{Node, Table, Value};

/// Where each setting that was written came from, by its whole key.
pub(super) type Places = BTreeMap<String, Place>;

/// What the reference says of one setting.
pub(super) struct SettingDoc {
    pub(super) name: &'static str,
    pub(super) about: String,
    pub(super) shape: String,
    pub(super) default: Option<String>,
}

/// What the reference says of one section.
pub(super) struct SectionDoc {
    /// As in the file's header: `server`, `endpoint.NAME`.
    pub(super) header: &'static str,
    pub(super) about: String,
    pub(super) settings: Vec<SettingDoc>,
}

/// Every struct made by [`section!`].
pub(super) trait Section: Sized {
    fn read(reader: &mut Reader<'_>) -> Self;
    fn doc() -> SectionDoc;
    /// Each setting's name and its value as TOML, if it has one.
    fn show(&self) -> Vec<(&'static str, Option<String>)>;
}

/// Takes the keys out of one table and notes what is wrong with them.
pub(super) struct Reader<'a> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    faults: &'a mut Faults,
    places: &'a mut Places,
}

impl<'a> Reader<'a> {
    /// Starts on the table at `path`; anything but a table is a fault.
    pub(super) fn new(path: &str, node: Option<Node>, faults: &'a mut Faults, places: &'a mut Places) -> Self {
        let table = match node {
            None => Table::default(),
            Some(Node { value: Value::Table(table), place }) => {
                places.insert(path.to_owned(), place);
                table
            }
            Some(node) => {
                let wrong = format!("expected a section, found {}", node.value.kind());
                faults.add(node.place, path, wrong, format!("Write [{path}] on a line of its own and its keys below"));
                Table::default()
            }
        };
        Self { path: path.to_owned(), table, known: Vec::new(), faults, places }
    }

    /// Reads one setting, or gives its default when it is absent or wrong.
    pub(super) fn setting<S: Shape>(&mut self, name: &'static str, shape: &S, default: S::Value) -> S::Value {
        self.known.push(name);
        let Some(node) = self.table.take(name) else { return default };
        let key = self.key(name);
        self.places.insert(key.clone(), node.place.clone());
        shape.read(&node, &mut Report { faults: self.faults, key: &key }).unwrap_or(default)
    }

    /// Takes out a table below this one.
    pub(super) fn below<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        self.known.push(name);
        let node = self.table.take(name);
        let mut reader = Reader::new(&self.key(name), node, self.faults, self.places);
        let value = read(&mut reader);
        reader.finish();
        value
    }

    /// Reads every table below `name` as one named thing.
    pub(super) fn named<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&str, &mut Reader<'_>) -> T,
    ) -> BTreeMap<String, T> {
        self.known.push(name);
        let mut all = BTreeMap::new();
        let path = self.key(name);
        let table = match self.table.take(name) {
            None => return all,
            Some(Node { value: Value::Table(table), .. }) => table,
            Some(node) => {
                let remedy = format!("Write [{path}.NAME], with a name of your choice");
                self.faults.add(node.place, path, format!("expected sections, found {}", node.value.kind()), remedy);
                return all;
            }
        };
        for (child, node) in table.0 {
            let path = format!("{path}.{child}");
            if child.is_empty() || !child.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
                let wrong = format!("{} is not a name", cite(&child));
                self.faults.add(node.place, path, wrong, "Use letters, digits, - and _");
                continue;
            }
            let mut reader = Reader::new(&path, Some(node), self.faults, self.places);
            let value = read(&child, &mut reader);
            reader.finish();
            all.insert(child, value);
        }
        all
    }

    /// Reports what nobody took, with the nearest key that exists.
    pub(super) fn finish(self) {
        for (name, node) in self.table.0 {
            let key = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let what = if self.path.is_empty() { "section" } else { "key" };
            let remedy = match nearest(&name, &self.known) {
                Some(near) => format!("Write \"{near}\" if that is what you mean, or remove it"),
                None => format!("Remove it, or use one of: {}", self.known.join(", ")),
            };
            self.faults.add(node.place, key, format!("unknown {what} {}", cite(&name)), remedy);
        }
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// The known name that a slip of the pen would turn into `name`.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| (distance(&name, candidate), *candidate))
        .filter(|(steps, candidate)| *steps <= 1 + candidate.len() / 4)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements from one to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A doc comment's lines as one text.
pub(super) fn about(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Ties a shape to the type of its setting, where nothing else would.
pub(super) fn typed<V, S: Shape<Value = V>>(shape: S) -> S {
    shape
}

/// Defines a section: struct, parser, printer and reference in one.
///
/// Each setting is `name: Type = SHAPE, DEFAULT;` below its doc comment.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $name:ident = $header:literal {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $shape:expr, $default:expr; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl $crate::config::section::Section for $name {
            fn read(reader: &mut $crate::config::section::Reader<'_>) -> Self {
                Self { $( $field: reader.setting(stringify!($field), &$shape, $default), )* }
            }

            fn doc() -> $crate::config::section::SectionDoc {
                use $crate::config::section::{SectionDoc, SettingDoc, about, typed};
                use $crate::config::shape::Shape;
                SectionDoc {
                    header: $header,
                    about: about(&[$($about),*]),
                    settings: vec![$( SettingDoc {
                        name: stringify!($field),
                        about: about(&[$($doc),*]),
                        shape: typed::<$type, _>($shape).describe(),
                        default: typed::<$type, _>($shape).show(&$default),
                    }, )*],
                }
            }

            fn show(&self) -> Vec<(&'static str, Option<String>)> {
                use $crate::config::section::typed;
                use $crate::config::shape::Shape;
                vec![$( (stringify!($field), typed::<$type, _>($shape).show(&self.$field)), )*]
            }
        }
    };
}
pub(super) use section;
