//! What an application wants said of its users beside name and address: a few small values by name.
//!
//! **Invariant:** at most [`ATTRIBUTES_MAX`] values, together at most [`ATTRIBUTES_BYTES_MAX`] as JSON.
//! Each is a text without control characters, a number, or true or false,
//! and none has a name that an account's own field has, so nothing here can pass for one.
//!
//! **Absent on purpose:** lists, objects and null. What has a structure belongs to the application's own database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The most attributes of one user.
pub const ATTRIBUTES_MAX: usize = 64;
/// The most bytes of one user's attributes, written as JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 4 * 1024;
/// The most bytes of an attribute's name.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;

/// The fields that every account has; no attribute is called by one of these.
const OWN_FIELDS: [&str; 5] = ["id", "name", "username", "email", "active"];

/// The attributes of one user. `Debug` tells how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, Value>);

/// A value to be set, or an attribute to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeChange {
    /// The attribute's name.
    pub name: String,
    /// Its new value; `None` removes it, and removing what is not there is no fault.
    pub value: Option<Value>,
}

/// Why attributes were not taken. No variant holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttributesFault {
    /// A name cannot be one.
    #[error(
        "an attribute's name is 1 to {ATTRIBUTE_NAME_BYTES_MAX} letters, digits, - and _, begins with a letter, and is none of id, name, username, email and active"
    )]
    Name,
    /// A value is of no kind that is kept.
    #[error("an attribute is a text without control characters, a number, or true or false")]
    Value,
    /// A name occurs twice.
    #[error("an attribute occurs twice")]
    Twice,
    /// There are too many.
    #[error("there are more than {ATTRIBUTES_MAX} attributes")]
    Many,
    /// They are too long.
    #[error("the attributes have more than {ATTRIBUTES_BYTES_MAX} bytes as JSON")]
    Long,
    /// The text is no JSON object.
    #[error("the attributes are no JSON object")]
    NoObject,
}

impl Attributes {
    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// [`AttributesFault`] says which rule the text breaks.
    pub fn from_json(text: &str) -> Result<Self, AttributesFault> {
        serde_json::from_str::<ReadAttributes>(text).map_err(|_| AttributesFault::NoObject)?.0
    }

    /// The JSON object, its names in order.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and flags under text names always have a JSON form.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The value called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These attributes after `changes`, which are made in their order.
    ///
    /// # Errors
    ///
    /// [`AttributesFault`] when a change, or what comes of all of them, breaks a rule.
    pub fn with(&self, changes: &[AttributeChange]) -> Result<Self, AttributesFault> {
        let mut all = self.0.clone();
        for AttributeChange { name, value } in changes {
            check_name(name)?;
            match value {
                Some(value) => {
                    check_value(value)?;
                    all.insert(name.clone(), value.clone());
                }
                None => {
                    all.remove(name);
                }
            }
        }
        Self(all).within_limits()
    }

    fn within_limits(self) -> Result<Self, AttributesFault> {
        if self.0.len() > ATTRIBUTES_MAX {
            return Err(AttributesFault::Many);
        }
        if self.to_json().len() > ATTRIBUTES_BYTES_MAX { Err(AttributesFault::Long) } else { Ok(self) }
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({}, redacted)", self.0.len())
    }
}

/// Whether an attribute may be called `name`.
#[must_use]
pub fn is_attribute_name(name: &str) -> bool {
    name.len() <= ATTRIBUTE_NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && !OWN_FIELDS.contains(&name)
}

fn check_name(name: &str) -> Result<(), AttributesFault> {
    if is_attribute_name(name) { Ok(()) } else { Err(AttributesFault::Name) }
}

fn check_value(value: &Value) -> Result<(), AttributesFault> {
    match value {
        Value::String(text) if !text.chars().any(char::is_control) => Ok(()),
        Value::Bool(_) | Value::Number(_) => Ok(()),
        _ => Err(AttributesFault::Value),
    }
}

/// An object as it was read.
///
/// A broken rule is a value here and no failure of reading, so that it can be told without serde's words,
/// which would quote what was written.
pub(crate) struct ReadAttributes(pub(crate) Result<Attributes, AttributesFault>);

impl<'de> Deserialize<'de> for ReadAttributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = ReadAttributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadAttributes, A::Error> {
                let (mut all, mut names, mut fault) = (BTreeMap::new(), BTreeSet::new(), None);
                // Read to the end whatever is wrong, so that what follows the object is still looked at.
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let checked = check_name(&name)
                        .and_then(|()| check_value(&value))
                        .and_then(|()| if names.insert(name.clone()) { Ok(()) } else { Err(AttributesFault::Twice) });
                    fault = fault.or(checked.err());
                    all.insert(name, value);
                }
                Ok(ReadAttributes(fault.map_or_else(|| Attributes(all).within_limits(), Err)))
            }
        }

        deserializer.deserialize_map(Read)
    }
}
