//! What a row, or none, means.

use lychgate_service::ports::StoreCause;
use lychgate_service::ports::rights::{Answer, Question, Relation, RightsError};
use serde_json::{Map, Value};

use super::open_error::OpenError;

/// The first row of an answer.
pub(super) struct Row {
    /// The first column as text, if it is not null.
    pub(super) owner: Option<String>,
    /// The first column as it is.
    pub(super) first: Value,
    /// The other columns, by name.
    pub(super) others: Map<String, Value>,
}

/// What `row` says to `question`; `first_name` is what its first column is called.
pub(super) fn answer(question: &Question, first_name: &str, row: Option<Row>) -> Answer {
    match (question.relation, row) {
        (Relation::Member, None) => Answer::Foreign,
        (Relation::Member, Some(row)) => {
            let mut attributes = row.others;
            attributes.insert(first_name.to_owned(), row.first);
            Answer::Granted(attributes)
        }
        (Relation::Owner, None) => Answer::Absent,
        (Relation::Owner, Some(row)) => {
            // The bytes decide: 7 is not 07, and a resource without an owner is nobody's.
            if row.owner.as_deref() == Some(question.user.as_str()) {
                Answer::Granted(row.others)
            } else {
                Answer::Foreign
            }
        }
    }
}

/// The name of the first column, where the names tell the columns apart.
pub(super) fn first_name<'a>(names: impl Iterator<Item = &'a str>) -> Result<String, OpenError> {
    let names: Vec<_> = names.collect();
    let first = names.first().ok_or_else(|| OpenError::Query("it gives no columns".to_owned()))?;
    let twice = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name));
    match twice {
        Some((_, name)) => {
            Err(OpenError::Query(format!("it gives two columns named {name}; call one something else with AS")))
        }
        None => Ok((*first).to_owned()),
    }
}

pub(super) fn broken(cause: impl Into<StoreCause>) -> RightsError {
    RightsError::Broken(cause.into())
}

pub(super) fn unavailable(cause: impl Into<StoreCause>) -> RightsError {
    RightsError::Unavailable(cause.into())
}
