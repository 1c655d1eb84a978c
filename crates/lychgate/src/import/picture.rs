//! The values of a file, each under the name that version 6 has for it.
//!
//! **Invariant:** a value that was taken is known to be; so what nobody took can be named.

use std::cell::{Cell, RefCell};

use super::Stopped;
use super::duration;
use super::keys;
use super::keys_v5;
use super::node::Node;

/// A file's values.
pub(super) struct Picture {
    version: u8,
    leaves: Vec<Leaf>,
    faults: RefCell<Vec<String>>,
}

/// One value.
pub(super) struct Leaf {
    /// Its key as the file has it.
    pub(super) shown: String,
    /// Its name in version 6, with numbers in lists: `channel.namespaces[0].presence`.
    pub(super) path: String,
    node: Node,
    is_taken: Cell<bool>,
}

impl Leaf {
    /// Whether it is a table or a list without anything.
    pub(super) fn is_empty(&self) -> bool {
        match &self.node {
            Node::List(list) => list.is_empty(),
            Node::Table(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Whether its meaning is somewhere in ours.
    pub(super) fn is_taken(&self) -> bool {
        self.is_taken.get()
    }
}

impl Picture {
    /// The picture of a file.
    ///
    /// # Errors
    ///
    /// A sentence on why it is no such configuration.
    pub(super) fn of(node: Node) -> Result<Self, String> {
        let Node::Table(entries) = node else {
            return Err(format!("expected the keys of a configuration, found {}", node.kind()));
        };
        let version = version_of(&entries).ok_or_else(|| {
            "none of its keys is one of a configuration of Centrifugo 5 (token_hmac_secret_key, namespaces, …) or 6 \
             (client, channel, http_api, …)"
                .to_owned()
        })?;
        let mut leaves = Vec::new();
        for (key, node) in entries {
            let lower = key.to_ascii_lowercase();
            let path = if version == 5 { keys_v5::path(&lower).unwrap_or(lower) } else { lower };
            add(&mut leaves, version, harmless(&key), path, node);
        }
        Ok(Self { version, leaves, faults: RefCell::default() })
    }

    pub(super) const fn version(&self) -> u8 {
        self.version
    }

    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// What `then` gives, unless a value was of another kind than its key has.
    pub(super) fn fault_or<T>(&self, then: impl FnOnce() -> T) -> Result<T, Stopped> {
        let faults = self.faults.take();
        if faults.is_empty() { Ok(then()) } else { Err(Stopped::Faults(faults)) }
    }

    /// The key of `path` as the file has it, or as version 6 has it.
    pub(super) fn shown(&self, path: &str) -> String {
        self.find(path).map_or_else(|| path.to_owned(), |leaf| leaf.shown.clone())
    }

    /// Whether the file has a value there, or below.
    pub(super) fn has(&self, path: &str) -> bool {
        self.leaves.iter().any(|leaf| {
            leaf.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// How many tables the list at `path` has.
    pub(super) fn count(&self, path: &str) -> usize {
        self.take(path, "a list of tables", |node| matches!(node, Node::List(list) if list.is_empty()).then_some(()));
        let number = |leaf: &Leaf| {
            let rest = leaf.path.strip_prefix(path)?.strip_prefix('[')?;
            rest.split(']').next()?.parse::<usize>().ok()
        };
        self.leaves.iter().filter_map(number).max().map_or(0, |last| last + 1)
    }

    /// Says that the meaning of `path` is in ours, whatever its value.
    pub(super) fn settle(&self, path: &str) {
        if let Some(leaf) = self.find(path) {
            leaf.is_taken.set(true);
        }
    }

    /// A flag; false if it is not there.
    pub(super) fn flag(&self, path: &str) -> bool {
        self.flag_if_there(path).unwrap_or(false)
    }

    /// A flag, if it is there.
    pub(super) fn flag_if_there(&self, path: &str) -> Option<bool> {
        self.take(path, "true or false", |node| match node {
            Node::Flag(flag) => Some(*flag),
            Node::Text(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        })
    }

    /// Text that is not empty.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = self.take(path, "text", |node| match node {
            Node::Text(text) => Some(text.clone()),
            Node::Whole(number) => Some(number.to_string()),
            _ => None,
        });
        text.filter(|text| !text.is_empty())
    }

    /// A whole number.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.take(path, "a whole number", |node| match node {
            Node::Whole(number) => Some(*number),
            Node::Text(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// A length of time in milliseconds, or less than 0 for one that says never.
    pub(super) fn ms(&self, path: &str) -> Option<i64> {
        let ns = self.take(path, "a time such as \"25s\"", |node| match node {
            Node::Whole(number) => Some(i128::from(*number)),
            Node::Text(text) => duration::parse(text),
            _ => None,
        })?;
        let ms = if ns > 0 { (ns + 999_999) / 1_000_000 } else { ns.min(0).signum() };
        Some(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    /// A list of texts; one that stands alone is a list of its words.
    pub(super) fn texts(&self, path: &str) -> Option<Vec<String>> {
        self.take(path, "a list of texts", |node| match node {
            Node::List(list) => list
                .iter()
                .map(|node| match node {
                    Node::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            Node::Text(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            _ => None,
        })
    }

    fn take<T>(&self, path: &str, expected: &str, read: impl FnOnce(&Node) -> Option<T>) -> Option<T> {
        let leaf = self.find(path)?;
        leaf.is_taken.set(true);
        if leaf.node == Node::Null {
            return None;
        }
        let value = read(&leaf.node);
        if value.is_none() {
            // The value itself is not repeated: it may be a secret in the wrong place.
            self.faults.borrow_mut().push(format!("{}: expected {expected}, found {}", leaf.shown, leaf.node.kind()));
        }
        value
    }

    fn find(&self, path: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.path == path)
    }
}

/// Which version has more of the keys at the top.
fn version_of(entries: &[(String, Node)]) -> Option<u8> {
    let (mut five, mut six) = (0, 0);
    for (key, node) in entries {
        let key = key.to_ascii_lowercase();
        let is_table = matches!(node, Node::Table(_));
        let is_section = keys::is_section(&key);
        five += usize::from(keys_v5::path(&key).is_some() && !(is_section && is_table));
        six += usize::from(is_section && (is_table || keys::is_top_level(&key)));
    }
    match (five, six) {
        (0, 0) => None,
        (five, six) if five > six => Some(5),
        _ => Some(6),
    }
}

fn add(leaves: &mut Vec<Leaf>, version: u8, shown: String, path: String, node: Node) {
    match node {
        Node::Table(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                let lower = key.to_ascii_lowercase();
                let below = if version == 5 { keys_v5::below(&path, &lower) } else { None };
                let below = below.map_or(lower, str::to_owned);
                add(leaves, version, format!("{shown}.{}", harmless(&key)), format!("{path}.{below}"), node);
            }
        }
        Node::List(list) if !list.is_empty() && list.iter().all(|node| matches!(node, Node::Table(_))) => {
            for (number, node) in list.into_iter().enumerate() {
                let name = name_of(&node).map_or_else(|| number.to_string(), |name| harmless(&name));
                add(leaves, version, format!("{shown}[{name}]"), format!("{path}[{number}]"), node);
            }
        }
        node => leaves.push(Leaf { shown, path, node, is_taken: Cell::new(false) }),
    }
}

fn name_of(node: &Node) -> Option<String> {
    let Node::Table(entries) = node else { return None };
    entries.iter().find_map(|(key, node)| match node {
        Node::Text(name) if key == "name" && !name.is_empty() => Some(name.clone()),
        _ => None,
    })
}

/// A key as it may stand in a comment and on a terminal.
fn harmless(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
