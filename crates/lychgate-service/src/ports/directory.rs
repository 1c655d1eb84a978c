//! Who there is: looking a verified subject up where the people are.
//!
//! **Invariant:** somebody who cannot be looked up is an error and never a stranger who may pass.

use async_trait::async_trait;

use super::rights::RightsError;
use super::users::UserId;

/// What the subject of a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// The user's id.
    Id,
    /// The user's name.
    Name,
    /// The user's id, or in older tokens the e-mail address.
    IdOrEmail,
}

/// Somebody who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id by which resources know them.
    pub id: String,
    /// Their number, if they are a user of this server.
    pub user_id: Option<UserId>,
    /// What they are called.
    pub name: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Whether they may come in at all.
    pub active: bool,
}

/// Finds people by what a token says of them.
///
/// # Contract
///
/// A call ends within a time that its adapter documents. A change that was acknowledged is seen by every later call.
///
/// # Cancel safety
///
/// A dropped call did nothing.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The person whom `subject` names; `None` if there is nobody.
    async fn find(&self, subject: &str, kind: SubjectKind) -> Result<Option<Person>, RightsError>;
}
