//! What an endpoint listens at: a path with named parts, and the query parameters that mean something there.
//!
//! `/ws/chat/{channel:int}` and `/ws/{user}?room_id={room:name=general}` are targets.
//!
//! **Invariant:** a value that was read is of its kind, so what is built from values alone can be told apart:
//! a `name` and an `int` hold no `:`, and only a `text` may hold anything visible.
//!
//! **Absent on purpose:** patterns. Three kinds are enough to keep rooms apart, and each can be explained in a line.

use std::borrow::Cow;
use std::fmt;

use crate::policy::Parameters;
use crate::ports::rights::Parameter;

/// The most parameters that one target has.
pub const PARAMETERS_MAX: usize = 8;

/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 255;

/// The longest value of a [`Kind::Name`], in bytes.
pub const NAME_VALUE_BYTES_MAX: usize = 64;

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number in its one decimal form.
    Int,
    /// 1 to 64 ASCII letters, digits, `_` and `-`.
    Name,
    /// 1 to 255 bytes without control characters and white space.
    Text,
}

/// A named part of a path or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// How templates call it.
    pub name: Box<str>,
    /// What it may be.
    pub kind: Kind,
    /// The query parameter that it comes from; a part of the path, if none.
    pub query: Option<Box<str>>,
    /// What it is when the query does not have it.
    pub default: Option<Box<str>>,
}

/// A path with its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    route: String,
    slots: Vec<Slot>,
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// The path's own text breaks a rule.
    #[error("{0} is not a path of this server")]
    Path(String),
    /// A pair of braces holds what is no slot.
    #[error("{{{0}}} is no parameter")]
    Slot(String),
    /// A slot has a name that templates use for something else.
    #[error("{{{0}}} means something else in templates: choose another name")]
    Reserved(String),
    /// The part behind the `?` is not `name={slot}`, joined by `&`.
    #[error("{0} is no query parameter")]
    Query(String),
    /// Two slots have one name.
    #[error("there are two parameters {0}")]
    Twice(String),
    /// A default is not of the slot's kind, or the slot is in the path.
    #[error("the default of {0} cannot stand there")]
    Default(String),
    /// There are too many slots.
    #[error("there are more than {PARAMETERS_MAX} parameters")]
    TooMany,
}

/// A value is missing, or is not of its slot's kind: what the request names does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's {0} is missing or not of its kind")]
pub struct BadParameter(pub Box<str>);

/// Names that templates use for something else.
const RESERVED: [&str; 14] = [
    "user",
    "now",
    "uuid",
    "conn",
    "in",
    "stored",
    "status",
    "chunk",
    "error",
    "resource",
    "query",
    "mentioned",
    "text",
    "extra",
];

impl Target {
    /// Reads `/path/{slot}?name={slot}`. A slot is `name`, `name:kind` or, in the query, `name:kind=default`.
    ///
    /// # Errors
    ///
    /// The first [`TargetFault`].
    pub fn parse(text: &str) -> Result<Self, TargetFault> {
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let (route, mut slots) = parse_path(path)?;
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let fault = || TargetFault::Query(pair.to_owned());
            let (name, slot) = pair.split_once('=').ok_or_else(fault)?;
            let inner = slot.strip_prefix('{').and_then(|slot| slot.strip_suffix('}')).ok_or_else(fault)?;
            if !is_word(name) {
                return Err(fault());
            }
            slots.push(Slot { query: Some(name.into()), ..parse_slot(inner)? });
        }
        check_slots(&slots)?;
        Ok(Self { route, slots })
    }

    /// Slots without a path, such as those of a channel's name.
    pub(crate) fn of_slots(slots: Vec<Slot>) -> Result<Self, TargetFault> {
        check_slots(&slots)?;
        Ok(Self { route: String::new(), slots })
    }

    /// `/ws`, without parameters.
    #[must_use]
    pub fn root() -> Self {
        Self { route: "/ws".to_owned(), slots: Vec::new() }
    }

    /// The path as the router takes it: `{name}` for every slot.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The slots in the order in which they stand.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Reads every slot: `path` has the decoded parts by name, `query` finds a decoded query parameter.
    ///
    /// # Errors
    ///
    /// [`BadParameter`] for the first value that is not there or not of its kind.
    pub fn read<'a>(
        &self,
        path: &dyn Fn(&str) -> Option<Cow<'a, str>>,
        query: &dyn Fn(&str) -> Option<Cow<'a, str>>,
    ) -> Result<Parameters, BadParameter> {
        let values = self.slots.iter().map(|slot| {
            let found = slot.query.as_deref().map_or_else(|| path(&slot.name), query);
            let value = match (&found, &slot.default) {
                (Some(value), _) => slot.kind.read(value),
                (None, Some(default)) => slot.kind.read(default),
                (None, None) => None,
            };
            value.map(|value| (slot.name.clone(), value)).ok_or_else(|| BadParameter(slot.name.clone()))
        });
        values.collect::<Result<Vec<_>, _>>().map(Into::into)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut route = self.route.as_str();
        for slot in self.slots.iter().filter(|slot| slot.query.is_none()) {
            let bare = format!("{{{}}}", slot.name);
            if let Some((before, after)) = route.split_once(&bare) {
                write!(f, "{before}{slot}")?;
                route = after;
            }
        }
        f.write_str(route)?;
        for (index, slot) in self.slots.iter().filter(|slot| slot.query.is_some()).enumerate() {
            let lead = if index == 0 { '?' } else { '&' };
            write!(f, "{lead}{}={slot}", slot.query.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}", self.name)?;
        match self.kind {
            Kind::Int => f.write_str(":int")?,
            Kind::Name => f.write_str(":name")?,
            Kind::Text => {}
        }
        if let Some(default) = &self.default {
            write!(f, "={default}")?;
        }
        f.write_str("}")
    }
}

impl Slot {
    /// Reads `name`, `name:kind` or `name:kind=default`.
    pub(crate) fn parse(inner: &str) -> Result<Self, TargetFault> {
        parse_slot(inner)
    }
}

impl Kind {
    /// Whether `value` is of this kind.
    #[must_use]
    pub fn fits(self, value: &str) -> bool {
        self.read(value).is_some()
    }

    /// The value, if it is of this kind.
    pub(crate) fn read(self, value: &str) -> Option<Parameter> {
        match self {
            // "+7" and "007" parse as well; two spellings of one number would be two channels somewhere.
            Self::Int => value.parse::<i64>().ok().filter(|n| n.to_string() == value).map(Parameter::Integer),
            Self::Name => {
                let fits = (1..=NAME_VALUE_BYTES_MAX).contains(&value.len())
                    && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                fits.then(|| Parameter::Text(value.to_owned()))
            }
            Self::Text => {
                let fits = (1..=VALUE_BYTES_MAX).contains(&value.len())
                    && !value.chars().any(|c| c.is_control() || c.is_whitespace());
                fits.then(|| Parameter::Text(value.to_owned()))
            }
        }
    }
}

fn parse_path(path: &str) -> Result<(String, Vec<Slot>), TargetFault> {
    let fault = || TargetFault::Path(path.to_owned());
    if !path.starts_with('/') || path.contains("//") || (path.len() > 1 && path.ends_with('/')) || path.len() > 255 {
        return Err(fault());
    }
    let mut route = String::new();
    let mut slots = Vec::new();
    for part in path.split('/').skip(1) {
        route.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(inner) => {
                let slot = parse_slot(inner)?;
                route.push_str(&format!("{{{}}}", slot.name));
                slots.push(slot);
            }
            None if part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)) => route.push_str(part),
            None => return Err(fault()),
        }
    }
    Ok((route, slots))
}

fn parse_slot(inner: &str) -> Result<Slot, TargetFault> {
    let fault = || TargetFault::Slot(inner.to_owned());
    let (head, default) = inner.split_once('=').map_or((inner, None), |(head, default)| (head, Some(default)));
    let (name, kind) = head.split_once(':').map_or((head, "text"), |(name, kind)| (name, kind));
    let kind = match kind {
        "int" => Kind::Int,
        "name" => Kind::Name,
        "text" => Kind::Text,
        _ => return Err(fault()),
    };
    if !is_word(name) {
        return Err(fault());
    }
    if RESERVED.contains(&name) {
        return Err(TargetFault::Reserved(name.to_owned()));
    }
    Ok(Slot { name: name.into(), kind, query: None, default: default.map(Into::into) })
}

fn check_slots(slots: &[Slot]) -> Result<(), TargetFault> {
    if slots.len() > PARAMETERS_MAX {
        return Err(TargetFault::TooMany);
    }
    for (index, slot) in slots.iter().enumerate() {
        if slots[..index].iter().any(|other| other.name == slot.name) {
            return Err(TargetFault::Twice(slot.name.to_string()));
        }
        if let Some(default) = &slot.default
            && (slot.query.is_none() || slot.kind.read(default).is_none())
        {
            return Err(TargetFault::Default(slot.name.to_string()));
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str, path: &[(&str, &str)], query: &[(&str, &str)]) -> Result<Parameters, BadParameter> {
        let find = |list: &[(&str, &str)], name: &str| {
            list.iter().find(|(key, _)| *key == name).map(|(_, value)| Cow::Owned((*value).to_owned()))
        };
        Target::parse(target).unwrap().read(&|name| find(path, name), &|name| find(query, name))
    }

    #[test]
    fn a_target_reads_back_as_it_was_written() {
        for text in [
            "/ws",
            "/",
            "/ws/chat/{channel:int}",
            "/ws/{person}?room_id={room:name=general}",
            "/a/{b}/c/{d:name}?e={f:int}&g={h=x}",
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Target::parse("/ws/chat/{channel:int}?a={b}").unwrap().route(), "/ws/chat/{channel}");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "ws",
            "/ws/",
            "//ws",
            "/w s",
            "/ws/{}",
            "/ws/{a:word}",
            "/ws/x{a}",
            "/ws/{a}/{a}",
            "/ws?a",
            "/ws?a=b",
            "/ws?a b={c}",
            "/ws/{a=1}",
            "/ws?a={b:int=x}",
            "/ws/{now}",
            "/ws/{1a}",
            "/ws?",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let many = (0..9).map(|n| format!("/{{p{n}}}")).collect::<String>();
        assert_eq!(Target::parse(&many), Err(TargetFault::TooMany));
    }

    #[test]
    fn values_are_of_their_kind_or_refused() {
        let int = |value: &str| read("/{a:int}", &[("a", value)], &[]);
        assert_eq!(int("42").unwrap()[0].1, Parameter::Integer(42));
        for bad in ["", "x", "007", "+7", " 7", "7 ", "9223372036854775808", "1e3", "٤٢"] {
            assert!(int(bad).is_err(), "{bad:?}");
        }
        let name = |value: &str| read("/{a:name}", &[("a", value)], &[]);
        assert!(name("gen_eral-2").is_ok());
        for bad in ["", "a:b", "a b", "ä", "a/b", "a*", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        let text = |value: &str| read("/{a}", &[("a", value)], &[]);
        assert!(text("ann@example.com:8").is_ok());
        for bad in ["", "a b", "a\n", "a\0", "\u{a0}", &"a".repeat(256)] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_query_may_be_silent_only_where_there_is_a_default() {
        let target = "/ws?room_id={room:name=general}";
        assert_eq!(read(target, &[], &[]).unwrap()[0], ("room".into(), Parameter::Text("general".to_owned())));
        let other = read(target, &[], &[("room_id", "x")]).unwrap();
        assert_eq!(other[0].1, Parameter::Text("x".to_owned()));
        assert!(read(target, &[], &[("room_id", "a:b")]).is_err(), "a bad value does not fall back");
        assert!(read("/ws?room_id={room:name}", &[], &[]).is_err());
    }
}
