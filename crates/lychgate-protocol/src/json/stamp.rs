//! Stamping: a client's JSON object goes out with the server's `user`, `timestamp` and the like in it.
//!
//! Owns the splice. The client's text is checked once and copied piece by piece; no value is decoded.
//!
//! **Invariant:** each name occurs once in the result, however a reader unescapes it, so a reader that keeps the first
//! of two equal names and a reader that keeps the last see the same object, and both see the server's values.
//! Every value and name that is not stamped is the client's, byte for byte.
//!
//! **Absent on purpose:** whitespace between the top-level members, and any judgement of what a value means.
//! A lone surrogate inside a string value is valid by the grammar (RFC 8259 §7) and passes untouched.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::raw::{NotJson, RawJson, push_string};

/// The deepest nesting a message may have; the outer object is level 1.
pub const DEPTH_MAX: usize = 64;

/// How much of a client's name an error repeats.
const ECHO_CHARACTERS_MAX: usize = 32;

/// Objects of up to this many members are checked for duplicates by comparing each pair, larger ones by sorting.
const PAIRS_MEMBERS_MAX: usize = 16;

/// Why a text was not stamped. The text of each is fit for the client, and none repeats more than 32 characters of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampRefusal {
    /// The text is not JSON.
    #[error("{0}")]
    NotJson(#[from] NotJson),
    /// The text is JSON, but no object.
    #[error("JSON, but {0} and not an object")]
    NotAnObject(Kind),
    /// A name occurs twice at the top level; `name` is cut after 32 characters.
    #[error("the name {name:?} occurs twice")]
    DuplicateName {
        /// The name, unescaped, or its beginning.
        name: String,
    },
    /// A top-level name holds half of a surrogate pair, so readers would not agree on what it is.
    #[error("JSON, but a name is not Unicode: it has half of a surrogate pair")]
    NameNotUnicode,
    /// The nesting is deeper than [`DEPTH_MAX`].
    #[error("JSON, but nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// What a JSON value is, if it is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        })
    }
}

/// Appends the object `input` with `stamps` as its last members.
///
/// The client's own members of these names go, in whatever spelling (`"us\u0065r"` is `"user"`).
/// The names in `stamps` must differ from each other.
///
/// ```
/// use lychgate_protocol::json::{RawJson, stamp};
///
/// let mut out = Vec::new();
/// stamp(r#"{"us\u0065r": "eve", "n": 1.50}"#, &[("user", RawJson::string("ada"))], &mut out)?;
/// assert_eq!(out, br#"{"n":1.50,"user":"ada"}"#);
/// # Ok::<(), lychgate_protocol::json::StampRefusal>(())
/// ```
///
/// # Errors
///
/// Says what is wrong with `input`; `out` is then as it was.
pub fn stamp(input: &str, stamps: &[(&str, RawJson<'_>)], out: &mut Vec<u8>) -> Result<(), StampRefusal> {
    // check: json-object
    if let Some(kind) = kind_unless_object(input) {
        RawJson::parse(input)?;
        return Err(StampRefusal::NotAnObject(kind));
    }
    let before = out.len();
    let stamps_bytes: usize = stamps.iter().map(|(name, value)| name.len() + value.as_str().len() + 4).sum();
    out.reserve(input.len() + stamps_bytes);
    let result = splice(input, stamps, out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn splice(input: &str, stamps: &[(&str, RawJson<'_>)], out: &mut Vec<u8>) -> Result<(), StampRefusal> {
    let mut splicer = Splicer { stamps, out, names: SmallVec::new(), is_first: true, fault: None };
    splicer.out.push(b'{');
    let mut json = serde_json::Deserializer::from_str(input);
    let parsed = json.deserialize_map(&mut splicer).and_then(|()| json.end());
    parsed.map_err(|error| NotJson::from_serde(input, &error))?;
    if let Some(fault) = splicer.fault {
        return Err(fault);
    }
    // check: json-duplicate
    if let Some(name) = duplicate(&mut splicer.names) {
        return Err(StampRefusal::DuplicateName { name });
    }
    for (name, value) in stamps {
        splicer.separate();
        push_string(name, splicer.out);
        splicer.out.push(b':');
        splicer.out.extend_from_slice(value.as_str().as_bytes());
    }
    splicer.out.push(b'}');
    Ok(())
}

/// Copies members while the parser walks over them.
struct Splicer<'de, 's> {
    stamps: &'s [(&'s str, RawJson<'s>)],
    out: &'s mut Vec<u8>,
    names: SmallVec<[Cow<'de, str>; PAIRS_MEMBERS_MAX]>,
    is_first: bool,
    /// The first fault of text that is JSON so far; whether it is JSON to its end is the first question.
    fault: Option<StampRefusal>,
}

impl Splicer<'_, '_> {
    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }
}

impl<'de> Visitor<'de> for &mut Splicer<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(raw_name) = members.next_key::<&RawValue>()? {
            let raw_name = raw_name.get();
            let value = members.next_value::<&RawValue>()?.get();
            let Ok(name) = unescape(raw_name) else {
                self.fault.get_or_insert(StampRefusal::NameNotUnicode);
                continue;
            };
            // check: json-depth
            if is_deeper(value, DEPTH_MAX - 1) {
                self.fault.get_or_insert(StampRefusal::TooDeep);
            }
            let is_stamped = self.stamps.iter().any(|(stamped, _)| *stamped == name);
            self.names.push(name);
            // check: json-stamped-name
            if is_stamped {
                continue;
            }
            self.separate();
            self.out.extend_from_slice(raw_name.as_bytes());
            self.out.push(b':');
            self.out.extend_from_slice(value.as_bytes());
        }
        Ok(())
    }
}

/// The name behind its JSON spelling; almost always the text between the quotes.
fn unescape(raw: &str) -> serde_json::Result<Cow<'_, str>> {
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(name) if !name.contains('\\') => Ok(Cow::Borrowed(name)),
        _ => serde_json::from_str::<String>(raw).map(Cow::Owned),
    }
}

/// Whether valid JSON nests deeper than `depth_max`; a walk over bytes, without recursion.
pub(crate) fn is_deeper(json: &str, depth_max: usize) -> bool {
    if !json.starts_with(['{', '[']) {
        return false;
    }
    let mut depth = 0;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth -= 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// A name that occurs twice, cut for an error.
fn duplicate(names: &mut [Cow<'_, str>]) -> Option<String> {
    let found = if names.len() <= PAIRS_MEMBERS_MAX {
        names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name)
    } else {
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0])
    };
    found.map(|name| name.chars().take(ECHO_CHARACTERS_MAX).collect())
}

/// What `input` is if it is JSON at all, judged by its first character; `None` for an object or for no JSON.
fn kind_unless_object(input: &str) -> Option<Kind> {
    match input.trim_start_matches([' ', '\t', '\n', '\r']).as_bytes().first()? {
        b'[' => Some(Kind::Array),
        b'"' => Some(Kind::String),
        b't' | b'f' => Some(Kind::Boolean),
        b'n' => Some(Kind::Null),
        b'-' | b'0'..=b'9' => Some(Kind::Number),
        _ => None,
    }
}
