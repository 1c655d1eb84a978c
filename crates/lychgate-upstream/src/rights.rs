//! Rights as the application itself knows them.
//!
//! **Invariant:** only an answer that says so in every part lets anybody in.
//!
//! **Absent on purpose:** memory. [`Remembered`](crate::remembered::Remembered) has one, for this and for others.

use std::sync::Arc;

use async_trait::async_trait;
use lychgate_service::ports::application::{Application, CallFault, Manner};
use lychgate_service::ports::rights::{Answer, Parameter, Question, Relation, Rights, RightsError};
use serde_json::{Map, Value, json};

/// Asks the application. A question takes as long as a call.
pub struct ApplicationRights(Arc<dyn Application>);

impl ApplicationRights {
    /// Rights that `application` knows.
    #[must_use]
    pub fn new(application: Arc<dyn Application>) -> Self {
        Self(application)
    }
}

#[async_trait]
impl Rights for ApplicationRights {
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        match self.0.call_as(&asked(question), Manner::QUESTION).await {
            Ok(answer) => understood(answer).map_err(|unclear| RightsError::Broken(Box::new(unclear))),
            Err(CallFault::Status(404)) => Ok(Answer::Absent),
            Err(CallFault::Status(403)) => Ok(Answer::Foreign),
            Err(fault @ (CallFault::Unavailable | CallFault::Status(408 | 429 | 500..))) => {
                Err(RightsError::Unavailable(Box::new(fault)))
            }
            Err(fault) => Err(RightsError::Broken(Box::new(fault))),
        }
    }
}

fn asked(question: &Question) -> Value {
    let relation = match question.relation {
        Relation::Owner => "owner",
        Relation::Member => "member",
    };
    let parameters = question.parameters.iter().map(|(name, parameter)| {
        let value = match parameter {
            Parameter::Integer(number) => Value::from(*number),
            Parameter::Text(text) => Value::from(text.as_str()),
        };
        (name.clone(), value)
    });
    json!({
        "event": "rights",
        "relation": relation,
        "resource": question.resource,
        "user": question.user,
        "parameters": Value::Object(parameters.collect()),
    })
}

/// Which part of an answer is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unclear {
    #[error("the application's answer is no JSON object")]
    Answer,
    #[error("\"allowed\" in the application's answer is neither true nor false")]
    Allowed,
    #[error("\"exists\" in the application's answer is neither true nor false, or contradicts \"allowed\"")]
    Exists,
    #[error("\"attributes\" in the application's answer is no JSON object")]
    Attributes,
}

fn understood(answer: Value) -> Result<Answer, Unclear> {
    let Value::Object(mut answer) = answer else { return Err(Unclear::Answer) };
    let Some(Value::Bool(allowed)) = answer.remove("allowed") else { return Err(Unclear::Allowed) };
    let exists = match answer.remove("exists") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(exists)) => exists,
        Some(_) => return Err(Unclear::Exists),
    };
    let attributes = match answer.remove("attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err(Unclear::Attributes),
    };
    match (allowed, exists) {
        (true, true) => Ok(Answer::Granted(attributes)),
        (false, true) => Ok(Answer::Foreign),
        (false, false) => Ok(Answer::Absent),
        (true, false) => Err(Unclear::Exists),
    }
}
