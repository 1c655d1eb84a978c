//! Who may enter what: the question that an endpoint's policy asks of whoever knows, and the answer.
//!
//! The one who knows is this server's own registry, the application's database, or the application itself.
//!
//! **Invariant:** an answer that cannot be had is an error and never a yes.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::StoreCause;

/// How somebody must stand to a resource to enter it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// It belongs to them.
    Owner,
    /// They are listed as one of its members; its owner counts as one.
    Member,
}

/// May this user enter this resource?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// What the user has to be.
    pub relation: Relation,
    /// The resource's name, such as `chat:5`.
    pub resource: String,
    /// The verified user, as the identity rule names them: an id, or a name.
    pub user: String,
    /// What the path and the query said, by name, for a question in somebody else's words.
    pub parameters: Vec<(String, Parameter)>,
}

/// One value from a path or a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// A whole number, where the path asks for one.
    Integer(i64),
    /// Anything else.
    Text(String),
}

/// What the one who knows said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// They may, and this is what else was said of the resource, by name.
    Granted(Map<String, Value>),
    /// The resource is there and they may not.
    Foreign,
    /// There is no such resource.
    Absent,
}

/// Why there is no answer. Whoever asked must refuse.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The one who knows is away, busy or too slow; the same question may be answered later.
    #[error("whether the user may enter could not be found out in time")]
    Unavailable(#[source] StoreCause),
    /// The one who knows answered what is no answer; an operator has to look.
    #[error("the answer to whether the user may enter is not one")]
    Broken(#[source] StoreCause),
}

/// Answers questions about rights.
///
/// # Contract
///
/// * A call ends within a time that its adapter documents, with an answer or an error.
/// * Names are compared byte for byte.
/// * A change that the one who knows has acknowledged is seen by every later question,
///   except for as long as the adapter says that it remembers answers.
///
/// # Cancel safety
///
/// A dropped call did nothing.
#[async_trait]
pub trait Rights: Send + Sync {
    /// Asks one question.
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError>;
}
