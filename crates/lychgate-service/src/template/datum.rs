//! What a name stands for while a template is rendered.

use std::borrow::Cow;

use minijinja::Value;

use super::inbound::Part;
use crate::ports::messages::Reaction;

/// One value behind a name.
#[derive(Clone, Debug)]
pub enum Datum<'a> {
    /// Nothing is there.
    Missing,
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A value of the client's frame, which is copied as the client spelled it.
    Part(Part<'a>),
    /// A value that the application gave.
    Tree(&'a serde_json::Value),
    /// What another template wrote, several times.
    List(&'a [Rendered]),
    /// Reactions, each as `{"user_id", "emoji"}`.
    Reactions(&'a [Reaction]),
}

/// One JSON value that a template wrote; see [`Template::rendered`](super::Template::rendered).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered(pub(super) Box<str>);

impl Rendered {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> Datum<'a> {
    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// The value for an expression; `None` where expressions cannot look into it.
    pub(super) fn to_value(&self) -> Option<Value> {
        Some(match self {
            Self::Missing => Value::UNDEFINED,
            Self::Null => Value::from(()),
            Self::Boolean(boolean) => Value::from(*boolean),
            Self::Integer(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_ref()),
            Self::Part(part) => part.to_value(),
            Self::Tree(tree) => tree_value(tree),
            Self::Reactions(reactions) => reactions
                .iter()
                .map(|one| Value::from_pairs([("user_id", one.subject.as_str()), ("emoji", one.emoji.as_str())]))
                .collect(),
            Self::List(_) => return None,
        })
    }
}

fn tree_value(tree: &serde_json::Value) -> Value {
    match tree {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(boolean) => Value::from(*boolean),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (_, Some(whole)) => Value::from(whole),
            _ => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(tree_value).collect(),
        serde_json::Value::Object(members) => {
            Value::from_pairs(members.iter().map(|(key, value)| (key.as_str(), tree_value(value))))
        }
    }
}
