//! The engine behind expressions: minijinja with our filters and nothing else of its own.
//!
//! **Invariant:** every filter and test is in [`FILTERS`] or [`TESTS`], and none of them makes more than a few times
//! what it is given.

use std::sync::{Arc, LazyLock};

use minijinja::value::{Object, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters, tests};
use smallvec::SmallVec;

/// The filters there are.
pub(super) const FILTERS: &[&str] = &[
    "abs", "bool", "d", "default", "first", "float", "int", "last", "length", "lower", "round", "string", "trim",
    "truncate", "upper", "with",
];

/// The tests there are.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "endingwith",
    "false",
    "float",
    "integer",
    "mapping",
    "none",
    "number",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
];

/// The one environment of the process.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    // Reading below what is absent gives what is absent; the filters are stricter.
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.add_filter("abs", filters::abs);
    engine.add_filter("bool", |value: &Value| value.is_true());
    engine.add_filter("d", default);
    engine.add_filter("default", default);
    engine.add_filter("first", filters::first);
    engine.add_filter("float", float);
    engine.add_filter("int", int);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("lower", |text: &str| text.to_lowercase());
    engine.add_filter("round", round);
    engine.add_filter("string", string);
    engine.add_filter("trim", |text: &str| text.trim().to_owned());
    engine.add_filter("truncate", |text: &str, characters: usize| text.chars().take(characters).collect::<String>());
    engine.add_filter("upper", |text: &str| text.to_uppercase());
    engine.add_filter("with", with);
    engine.add_test("boolean", tests::is_boolean);
    engine.add_test("defined", tests::is_defined);
    engine.add_test("endingwith", |text: &str, end: &str| text.ends_with(end));
    engine.add_test("false", tests::is_false);
    engine.add_test("float", tests::is_float);
    engine.add_test("integer", tests::is_integer);
    engine.add_test("mapping", tests::is_mapping);
    engine.add_test("none", tests::is_none);
    engine.add_test("number", tests::is_number);
    engine.add_test("sequence", tests::is_sequence);
    engine.add_test("startingwith", |text: &str, start: &str| text.starts_with(start));
    engine.add_test("string", tests::is_string);
    engine.add_test("true", tests::is_true);
    engine.add_test("undefined", tests::is_undefined);
    engine
});

/// The values of one expression's names, as `_0`, `_1`, ….
#[derive(Debug, Default)]
pub(super) struct Slots(pub(super) SmallVec<[Value; 4]>);

impl Object for Slots {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get(key.strip_prefix('_')?.parse::<usize>().ok()?).cloned()
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

fn default(value: &Value, other: Value) -> Value {
    if is_absent(value) { other } else { value.clone() }
}

/// A whole number of a number or of text; nothing of nothing.
pub(super) fn int(value: &Value) -> Result<Value, Error> {
    if is_absent(value) || value.is_integer() {
        return Ok(value.clone());
    }
    if let Some(text) = value.as_str() {
        return text.trim().parse::<i128>().map(Value::from).map_err(|_| failed("no whole number"));
    }
    match f64::try_from(value.clone()) {
        // Beyond this a double says no whole number exactly.
        Ok(number) if value.is_number() && number.abs() < 9e15 => Ok(Value::from(number.trunc() as i64)),
        _ => Err(failed("no whole number")),
    }
}

fn float(value: &Value) -> Result<Value, Error> {
    if is_absent(value) {
        return Ok(value.clone());
    }
    let number = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None if value.is_number() => f64::try_from(value.clone()).ok(),
        None => None,
    };
    number.filter(|number| number.is_finite()).map(Value::from).ok_or_else(|| failed("no number"))
}

fn string(value: &Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(_) => Ok(value.clone()),
        None if is_absent(value) => Ok(value.clone()),
        None if value.is_number() || value.as_object().is_none() => Ok(Value::from(value.to_string())),
        None => Err(failed("no text")),
    }
}

/// An object, or nothing, with one more member, in the place of one that had its name.
fn with(object: &Value, name: &str, member: Value) -> Result<Value, Error> {
    if !is_absent(object) && object.kind() != ValueKind::Map {
        return Err(failed("no object"));
    }
    let mut members = Vec::new();
    if !is_absent(object) {
        for key in object.try_iter()? {
            if key.as_str() != Some(name) {
                members.push((key.clone(), object.get_item(&key)?));
            }
        }
    }
    members.push((Value::from(name), member));
    Ok(Value::from_pairs(members))
}

/// To `digits` behind the point, 0 without.
fn round(value: &Value, digits: Option<u32>) -> Result<Value, Error> {
    if value.is_integer() {
        return Ok(value.clone());
    }
    let digits = digits.unwrap_or(0).min(15) as i32;
    let number = f64::try_from(value.clone()).map_err(|_| failed("no number"))?;
    let scale = 10_f64.powi(digits);
    Ok(Value::from((number * scale).round() / scale))
}
