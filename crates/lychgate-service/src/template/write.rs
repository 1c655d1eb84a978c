//! Values as JSON, and values as text.

use std::io::Write as _;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::datum::Datum;
use super::fault::RenderFault;

/// Where a template writes, and how much it may.
pub(super) struct Out<'o> {
    pub(super) bytes: &'o mut Vec<u8>,
    begin: usize,
    bytes_max: usize,
}

/// Why one value cannot be written. The expression is known to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritable {
    NoValue,
    NotText,
    NotFinite,
    Failed,
    TooLarge,
}

impl Unwritable {
    pub(super) fn of(self, expression: &str, bytes_max: usize) -> RenderFault {
        let expression = expression.to_owned();
        match self {
            Self::NoValue => RenderFault::NoValue { expression },
            Self::NotText => RenderFault::NotText { expression },
            Self::NotFinite => RenderFault::NotFinite { expression },
            Self::Failed => RenderFault::Failed { expression },
            Self::TooLarge => RenderFault::TooLarge { bytes_max },
        }
    }
}

impl<'o> Out<'o> {
    pub(super) fn new(bytes: &'o mut Vec<u8>, bytes_max: usize) -> Self {
        Self { begin: bytes.len(), bytes, bytes_max }
    }

    pub(super) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Takes back everything that was written.
    pub(super) fn undo(&mut self) {
        self.bytes.truncate(self.begin);
    }

    pub(super) fn raw(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        if self.bytes.len() - self.begin + text.len() > self.bytes_max {
            return Err(Unwritable::TooLarge);
        }
        self.bytes.extend_from_slice(text);
        Ok(())
    }

    /// A JSON string, or its inside alone.
    pub(super) fn string(&mut self, text: &str, quoted: bool) -> Result<(), Unwritable> {
        if self.bytes.len() - self.begin + text.len() > self.bytes_max {
            return Err(Unwritable::TooLarge);
        }
        let before = self.bytes.len();
        serde_json::to_writer(&mut *self.bytes, text).map_err(|_| Unwritable::Failed)?;
        if !quoted {
            self.bytes.pop();
            self.bytes.remove(before);
        }
        self.checked()
    }

    fn checked(&self) -> Result<(), Unwritable> {
        if self.bytes.len() - self.begin > self.bytes_max { Err(Unwritable::TooLarge) } else { Ok(()) }
    }

    fn display(&mut self, number: impl std::fmt::Display) -> Result<(), Unwritable> {
        write!(self.bytes, "{number}").map_err(|_| Unwritable::Failed)?;
        self.checked()
    }

    fn float(&mut self, number: f64) -> Result<(), Unwritable> {
        if !number.is_finite() {
            return Err(Unwritable::NotFinite);
        }
        serde_json::to_writer(&mut *self.bytes, &number).map_err(|_| Unwritable::Failed)?;
        self.checked()
    }

    /// A value as JSON.
    pub(super) fn datum(&mut self, datum: &Datum<'_>) -> Result<(), Unwritable> {
        match datum {
            Datum::Missing | Datum::Null => self.raw(b"null"),
            Datum::Boolean(boolean) => self.raw(if *boolean { b"true" } else { b"false" }),
            Datum::Integer(number) => self.display(number),
            Datum::Float(number) => self.float(*number),
            Datum::Text(text) => self.string(text, true),
            Datum::Part(part) => self.raw(part.raw().as_bytes()),
            Datum::Tree(tree) => {
                serde_json::to_writer(&mut *self.bytes, tree).map_err(|_| Unwritable::Failed)?;
                self.checked()
            }
            Datum::List(items) => self.list(items.iter(), |out, item| out.raw(item.0.as_bytes())),
            Datum::Reactions(reactions) => self.list(reactions.iter(), |out, reaction| {
                out.raw(br#"{"user_id":"#)?;
                out.string(&reaction.subject, true)?;
                out.raw(br#","emoji":"#)?;
                out.string(&reaction.emoji, true)?;
                out.raw(b"}")
            }),
        }
    }

    fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        self.raw(b"[")?;
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.raw(b",")?;
            }
            write(self, item)?;
        }
        self.raw(b"]")
    }

    /// What an expression came to, as JSON.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), Unwritable> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => self.raw(b"null"),
            ValueKind::Bool => self.raw(if value.is_true() { b"true" } else { b"false" }),
            ValueKind::Number if value.is_integer() => self.display(value),
            ValueKind::Number => self.float(f64::try_from(value.clone()).map_err(|_| Unwritable::Failed)?),
            ValueKind::String => self.string(value.as_str().ok_or(Unwritable::Failed)?, true),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().map_err(|_| Unwritable::Failed)?;
                self.list(items, |out, item| out.value(&item))
            }
            ValueKind::Map => {
                self.raw(b"{")?;
                for (at, key) in value.try_iter().map_err(|_| Unwritable::Failed)?.enumerate() {
                    if at > 0 {
                        self.raw(b",")?;
                    }
                    self.string(key.as_str().ok_or(Unwritable::Failed)?, true)?;
                    self.raw(b":")?;
                    self.value(&value.get_item(&key).map_err(|_| Unwritable::Failed)?)?;
                }
                self.raw(b"}")
            }
            _ => Err(Unwritable::Failed),
        }
    }

    /// A value as part of a text: as it is, or as the inside of a JSON string.
    pub(super) fn datum_as_text(&mut self, datum: &Datum<'_>, json: bool) -> Result<(), Unwritable> {
        match datum {
            Datum::Missing | Datum::Null => Err(Unwritable::NoValue),
            Datum::Text(text) => self.text(text, json),
            Datum::Part(part) if part.is_null() => Err(Unwritable::NoValue),
            Datum::Part(part) if part.is_compound() => Err(Unwritable::NotText),
            Datum::Part(part) => match part.as_text() {
                Some(text) => self.text(&text, json),
                None => self.raw(part.raw().as_bytes()),
            },
            Datum::Tree(serde_json::Value::String(text)) => self.text(text, json),
            Datum::Tree(serde_json::Value::Null) => Err(Unwritable::NoValue),
            Datum::Tree(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Err(Unwritable::NotText),
            Datum::List(_) | Datum::Reactions(_) => Err(Unwritable::NotText),
            plain => self.datum(plain),
        }
    }

    /// What an expression came to, as part of a text.
    pub(super) fn value_as_text(&mut self, value: &Value, json: bool) -> Result<(), Unwritable> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Err(Unwritable::NoValue),
            ValueKind::String => self.text(value.as_str().ok_or(Unwritable::Failed)?, json),
            ValueKind::Bool | ValueKind::Number => self.value(value),
            _ => Err(Unwritable::NotText),
        }
    }

    fn text(&mut self, text: &str, json: bool) -> Result<(), Unwritable> {
        if json { self.string(text, false) } else { self.raw(text.as_bytes()) }
    }
}
