//! What is bound to a query's slots.

use lychgate_service::ports::rights::{Parameter, Question};

use super::query::Slot;

/// What one slot gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// The request left the parameter out.
    Null,
    Integer(i64),
    /// Only ever in the place of a text that could be mistaken for it.
    Real(f64),
    Text(String),
}

/// The values of `slots`, in their order.
pub(super) fn values(slots: &[Slot], question: &Question) -> Vec<Value> {
    let of = |slot: &Slot| match slot {
        Slot::User => integer(&question.user).map_or_else(|| Value::Text(question.user.clone()), Value::Integer),
        Slot::Resource => Value::Text(question.resource.clone()),
        Slot::Parameter(name) => match question.parameters.iter().find(|(known, _)| **known == **name) {
            Some((_, Parameter::Integer(number))) => Value::Integer(*number),
            Some((_, Parameter::Text(text))) => Value::Text(text.clone()),
            None => Value::Null,
        },
    };
    slots.iter().map(of).collect()
}

/// The whole number that `text` is the one spelling of.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// The number that SQLite would take `text` for in a comparison with a column of numbers, where it is not its spelling.
///
/// `05` is no user, and a column of numbers has a 5 (<https://www.sqlite.org/datatype3.html#type_affinity>).
pub(super) fn mistaken(text: &str) -> Option<Value> {
    if integer(text).is_some() {
        return None;
    }
    let trimmed = text.trim_matches([' ', '\t', '\n', '\x0B', '\x0C', '\r']);
    let looks_like_one = trimmed.contains(|c: char| c.is_ascii_digit())
        && trimmed.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    if !looks_like_one {
        return None;
    }
    let whole = trimmed.parse::<i64>().ok().map(Value::Integer);
    whole.or_else(|| trimmed.parse::<f64>().ok().map(Value::Real))
}
