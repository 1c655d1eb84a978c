//! A client's frame, checked once and indexed where it lies.
//!
//! serde_json decides what is JSON; one walk over the same text then notes where each value begins and ends.
//! A value is copied from the frame as the client spelled it, so numbers keep every digit.
//!
//! **Invariant:** the text is one JSON object, no object in it has a name twice, every string is Unicode, and nothing
//! nests deeper than [`INBOUND_DEPTH_MAX`]. So all parsers agree on what it says.
//!
//! **Absent on purpose:** a tree of values, which would be many times the size of the frame.

use std::borrow::Cow;

use lychgate_protocol::json::{Kind, NotJson, RawJson};
use minijinja::Value;
use smallvec::SmallVec;

/// The deepest nesting that rules look into; the outer object is level 1.
pub const INBOUND_DEPTH_MAX: usize = 32;

/// Objects of up to this many members are checked for duplicates by comparing each pair, larger ones by sorting.
const PAIRS_MEMBERS_MAX: usize = 16;

/// How much of a client's name a fault repeats.
const ECHO_CHARACTERS_MAX: usize = 32;

/// Why a frame cannot be heard. The text of each is fit for the client, and none repeats more than 32 characters of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboundFault {
    /// The text is not JSON.
    #[error("{0}")]
    NotJson(#[from] NotJson),
    /// The text is JSON, but no object.
    #[error("JSON, but {0} and not an object")]
    NotAnObject(Kind),
    /// A name occurs twice in one object.
    #[error("the name {name:?} occurs twice")]
    DuplicateName {
        /// The name, or its beginning.
        name: String,
    },
    /// A string holds half of a surrogate pair.
    #[error("JSON, but a string is not Unicode: it has half of a surrogate pair")]
    NotUnicode,
    /// The nesting is deeper than [`INBOUND_DEPTH_MAX`].
    #[error("JSON, but nested deeper than {INBOUND_DEPTH_MAX} levels")]
    TooDeep,
}

/// One JSON object that a client sent.
#[derive(Clone, Debug)]
pub struct Inbound<'t> {
    text: Cow<'t, str>,
    nodes: Vec<Node>,
}

/// Where a value lies, and which node follows the last one below it.
/// The children of an object are its names and values by turns.
#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    next: u32,
}

impl<'t> Inbound<'t> {
    /// Checks and indexes one frame.
    ///
    /// # Errors
    ///
    /// The first rule that `text` breaks.
    pub fn parse(text: impl Into<Cow<'t, str>>) -> Result<Self, InboundFault> {
        let text = text.into();
        RawJson::parse(&text)?;
        if u32::try_from(text.len()).is_err() {
            return Err(NotJson { at: text.len() }.into());
        }
        let mut walk = Walk { text: &text, at: 0, nodes: Vec::with_capacity(16) };
        walk.skip_space();
        if let Some(kind) = kind_unless_object(walk.peek()) {
            return Err(InboundFault::NotAnObject(kind));
        }
        walk.value(1)?;
        let nodes = walk.nodes;
        Ok(Self { text, nodes })
    }

    /// The frame as it came.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole object.
    #[must_use]
    pub fn root(&self) -> Part<'_> {
        Part { inbound: self, at: 0 }
    }

    /// The value below these keys; a key may be the number of a list's item.
    #[must_use]
    pub fn get<K: AsRef<str>>(&self, keys: &[K]) -> Option<Part<'_>> {
        keys.iter().try_fold(self.root(), |part, key| part.child(key.as_ref()))
    }
}

/// One value of a client's frame.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    inbound: &'a Inbound<'a>,
    at: usize,
}

impl<'a> Part<'a> {
    /// The value as the client spelled it: valid JSON.
    #[must_use]
    pub fn raw(self) -> &'a str {
        let Some(node) = self.inbound.nodes.get(self.at) else { return "null" };
        self.inbound.text.get(node.start as usize..node.end as usize).unwrap_or("null")
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        let raw = self.raw();
        if raw.starts_with('"') { unescape(raw) } else { None }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.raw() == "null"
    }

    /// Whether it is an object or a list.
    #[must_use]
    pub fn is_compound(self) -> bool {
        self.raw().starts_with(['{', '['])
    }

    fn child(self, key: &str) -> Option<Self> {
        if self.raw().starts_with('[') {
            return self.children().nth(key.parse().ok()?);
        }
        let mut children = self.children();
        while let (Some(name), Some(value)) = (children.next(), children.next()) {
            let raw = name.raw();
            let is_plain = raw.len() == key.len() + 2 && raw.get(1..raw.len() - 1) == Some(key);
            if (is_plain && !key.contains('\\')) || (raw.contains('\\') && name.as_text().is_some_and(|n| n == key)) {
                return Some(value);
            }
        }
        None
    }

    /// The items of a list, or the names and values of an object by turns; nothing of a plain value.
    fn children(self) -> impl Iterator<Item = Self> {
        let end = self.inbound.nodes.get(self.at).map_or(0, |node| node.next as usize);
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(Self { inbound: self.inbound, at })?;
            at = (self.inbound.nodes.get(at)?.next as usize).max(at + 1);
            Some(child)
        })
    }

    /// The value for an expression.
    pub(super) fn to_value(self) -> Value {
        let raw = self.raw();
        match raw.as_bytes().first() {
            Some(b'{') => {
                let mut children = self.children();
                let pairs = std::iter::from_fn(|| {
                    let (name, value) = (children.next()?, children.next()?);
                    Some((name.as_text().unwrap_or_default().into_owned(), value.to_value()))
                });
                Value::from_pairs(pairs)
            }
            Some(b'[') => self.children().map(Self::to_value).collect(),
            Some(b'"') => Value::from(self.as_text().unwrap_or_default().as_ref()),
            Some(b't') => Value::from(true),
            Some(b'f') => Value::from(false),
            Some(b'n') | None => Value::from(()),
            Some(_) => number(raw),
        }
    }
}

fn number(raw: &str) -> Value {
    let whole = raw.parse::<i128>().map(Value::from).or_else(|_| raw.parse::<u128>().map(Value::from));
    whole.or_else(|_| raw.parse::<f64>().map(Value::from)).unwrap_or_default()
}

/// The text behind its JSON spelling; `None` for half of a surrogate pair.
fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.get(1..raw.len().checked_sub(1)?)?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn kind_unless_object(first: Option<u8>) -> Option<Kind> {
    match first? {
        b'{' => None,
        b'[' => Some(Kind::Array),
        b'"' => Some(Kind::String),
        b't' | b'f' => Some(Kind::Boolean),
        b'n' => Some(Kind::Null),
        _ => Some(Kind::Number),
    }
}

/// The walk over text that is JSON.
struct Walk<'x> {
    text: &'x str,
    at: usize,
    nodes: Vec<Node>,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Notes the value that begins here and everything below it.
    fn value(&mut self, depth: usize) -> Result<(), InboundFault> {
        let (start, index) = (self.at, self.nodes.len());
        self.nodes.push(Node { start: 0, end: 0, next: 0 });
        match self.peek() {
            Some(open @ (b'{' | b'[')) => {
                // check: inbound-depth
                if depth > INBOUND_DEPTH_MAX {
                    return Err(InboundFault::TooDeep);
                }
                self.at += 1;
                self.members(depth, open == b'{')?;
                self.end(index, start);
                if open == b'{' {
                    self.names_differ(index)?;
                }
                return Ok(());
            }
            Some(b'"') => self.string()?,
            _ => {
                while !matches!(self.peek(), None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')) {
                    self.at += 1;
                }
            }
        }
        self.end(index, start);
        Ok(())
    }

    fn members(&mut self, depth: usize, named: bool) -> Result<(), InboundFault> {
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'}' | b']') => break,
                Some(b',') => self.at += 1,
                Some(b'"') if named => {
                    self.value(depth)?;
                    self.skip_space();
                    // The colon.
                    self.at += 1;
                    self.skip_space();
                    self.value(depth + 1)?;
                }
                Some(_) if !named => self.value(depth + 1)?,
                // Not reached: serde_json has said that this is JSON.
                _ => return Err(NotJson { at: self.at }.into()),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), InboundFault> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                }
                _ => {}
            }
        }
        // check: inbound-unicode
        if escaped && unescape(self.text.get(start..self.at).unwrap_or_default()).is_none() {
            return Err(InboundFault::NotUnicode);
        }
        Ok(())
    }

    fn end(&mut self, index: usize, start: usize) {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let next = short(self.nodes.len());
        if let Some(node) = self.nodes.get_mut(index) {
            *node = Node { start: short(start), end: short(self.at), next };
        }
    }

    fn names_differ(&self, object: usize) -> Result<(), InboundFault> {
        let end = self.nodes.get(object).map_or(0, |node| node.next as usize);
        let mut names: SmallVec<[Cow<'_, str>; PAIRS_MEMBERS_MAX]> = SmallVec::new();
        let mut at = object + 1;
        while let (true, Some(name), Some(value)) = (at < end, self.nodes.get(at), self.nodes.get(at + 1)) {
            let raw = self.text.get(name.start as usize..name.end as usize).unwrap_or_default();
            names.push(unescape(raw).unwrap_or_default());
            at = (value.next as usize).max(at + 2);
        }
        let twice = if names.len() <= PAIRS_MEMBERS_MAX {
            names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)).map(|(_, name)| name)
        } else {
            names.sort_unstable();
            names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0])
        };
        // check: inbound-duplicate
        match twice {
            Some(name) => Err(InboundFault::DuplicateName { name: name.chars().take(ECHO_CHARACTERS_MAX).collect() }),
            None => Ok(()),
        }
    }
}
