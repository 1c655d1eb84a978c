//! One expression, compiled.
//!
//! A bare name, and a name with `|int`, are written without the engine: almost every leaf is one of the two.

use minijinja::Value;

use super::datum::Datum;
use super::engine::{self, ENGINE, Slots};
use super::fault::TemplateFault;
use super::lexer::{self, Plain};
use super::meaning::Meaning;
use super::names::Names;
use super::scope::Scope;
use super::write::{Out, Unwritable};

/// One expression.
#[derive(Debug)]
pub(super) struct Expression {
    /// As configured, for faults.
    pub(super) source: Box<str>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Name(Meaning),
    Int(Meaning),
    Engine { compiled: minijinja::Expression<'static, 'static>, names: Box<[Meaning]> },
}

impl Expression {
    /// Compiles `source`, and adds the names that it uses to `used`.
    pub(super) fn compile(source: &str, known: &Names, used: &mut Vec<Box<str>>) -> Result<Self, TemplateFault> {
        let rewritten = lexer::rewrite(source, known)?;
        let names: Box<[Meaning]> = rewritten.names.iter().map(|name| Meaning::of(name)).collect();
        for name in rewritten.names {
            if !used.iter().any(|known| **known == *name) {
                used.push(name.into());
            }
        }
        let work = match (rewritten.plain, names.first()) {
            (Some(Plain::Name), Some(name)) => Work::Name(name.clone()),
            (Some(Plain::Int), Some(name)) => Work::Int(name.clone()),
            _ => {
                let compiled = ENGINE.compile_expression_owned(rewritten.text).map_err(|error| {
                    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                    TemplateFault::new(format!("{{{source}}} is no expression: {why}"), "Correct it")
                })?;
                Work::Engine { compiled, names }
            }
        };
        let expression = Self { source: source.into(), work };
        if let Work::Engine { compiled, names } = &expression.work
            && names.is_empty()
            && compiled.eval(Value::from_object(Slots::default())).is_err()
        {
            return Err(TemplateFault::new(format!("{{{source}}} cannot be worked out"), "Correct it"));
        }
        Ok(expression)
    }

    /// Whether it says the same everywhere.
    pub(super) fn is_constant(&self) -> bool {
        matches!(&self.work, Work::Engine { names, .. } if names.is_empty())
    }

    /// Writes the value as JSON; what is absent is null.
    pub(super) fn write(&self, scope: &Scope<'_>, out: &mut Out<'_>) -> Result<(), Unwritable> {
        match self.evaluate(scope)? {
            Worked::Datum(datum) => out.datum(&datum),
            Worked::Value(value) => out.value(&value),
        }
    }

    /// Writes the value as text: as it is, or as the inside of a JSON string.
    pub(super) fn write_text(&self, scope: &Scope<'_>, out: &mut Out<'_>, json: bool) -> Result<(), Unwritable> {
        match self.evaluate(scope)? {
            Worked::Datum(datum) => out.datum_as_text(&datum, json),
            Worked::Value(value) => out.value_as_text(&value, json),
        }
    }

    /// Writes a constant.
    pub(super) fn write_constant(&self, out: &mut Out<'_>, as_text: bool, json: bool) -> Result<(), Unwritable> {
        let Work::Engine { compiled, .. } = &self.work else { return Err(Unwritable::Failed) };
        let value = compiled.eval(Value::from_object(Slots::default())).map_err(|_| Unwritable::Failed)?;
        if as_text { out.value_as_text(&value, json) } else { out.value(&value) }
    }

    fn evaluate<'s>(&self, scope: &'s Scope<'_>) -> Result<Worked<'s>, Unwritable> {
        match &self.work {
            Work::Name(name) => Ok(Worked::Datum(scope.get(name))),
            Work::Int(name) => int(scope.get(name)).map(Worked::Datum),
            Work::Engine { compiled, names } => {
                let values = names.iter().map(|name| scope.get(name).to_value());
                let slots = values.collect::<Option<_>>().map(Slots).ok_or(Unwritable::Failed)?;
                compiled.eval(Value::from_object(slots)).map(Worked::Value).map_err(|_| Unwritable::Failed)
            }
        }
    }
}

enum Worked<'s> {
    Datum(Datum<'s>),
    Value(Value),
}

/// The filter `int`, as the engine has it.
fn int(datum: Datum<'_>) -> Result<Datum<'_>, Unwritable> {
    let parsed = |text: &str| text.trim().parse().map(Datum::Integer).map_err(|_| Unwritable::Failed);
    match datum {
        Datum::Missing | Datum::Null | Datum::Integer(_) => Ok(datum),
        Datum::Text(text) => parsed(&text),
        Datum::Part(part) if part.is_null() => Ok(Datum::Null),
        Datum::Part(part) if part.as_text().is_some() => parsed(&part.as_text().unwrap_or_default()),
        // A number as it was spelled, if it is a whole one.
        Datum::Part(part) if part.raw().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Ok(datum),
        other => {
            let value = other.to_value().ok_or(Unwritable::Failed)?;
            let number = engine::int(&value).ok().and_then(|number| i128::try_from(number).ok());
            number.map(Datum::Integer).ok_or(Unwritable::Failed)
        }
    }
}
