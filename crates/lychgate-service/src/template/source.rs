//! A template as it is written: a JSON value whose objects keep the order of their keys.
//!
//! **Invariant:** the order of keys is the order of writing, since it is the order on the wire.
//!
//! **Absent on purpose:** `serde_json::Value`, whose objects sort their keys unless some crate of the build says else.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// One JSON value, not yet compiled.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text, which may hold expressions.
    Text(String),
    /// A list.
    List(Vec<Source>),
    /// Keys and values, in order; each key once.
    Object(Vec<(String, Source)>),
}

/// A text is no template source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON value that a template can be made of: {0}")]
pub struct SourceFault(String);

impl Source {
    /// Reads a source that is written as JSON.
    ///
    /// # Errors
    ///
    /// [`SourceFault`] when `text` is no JSON, names a key twice, or holds a whole number beyond 64 bits.
    pub fn from_json(text: &str) -> Result<Self, SourceFault> {
        serde_json::from_str(text).map_err(|error| SourceFault(error.to_string()))
    }
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Source, E> {
        Ok(Source::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Source, E> {
        Ok(Source::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Source, E> {
        Ok(Source::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Source, E> {
        i64::try_from(value).map(Source::Integer).map_err(|_| E::custom("a whole number beyond 64 bits"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Source, E> {
        Ok(Source::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Source, E> {
        Ok(Source::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Source, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Source::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Source, A::Error> {
        let mut object: Vec<(String, Source)> = Vec::new();
        while let Some((key, value)) = members.next_entry::<String, Source>()? {
            if object.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom("a key is there twice"));
            }
            object.push((key, value));
        }
        Ok(Source::Object(object))
    }
}
