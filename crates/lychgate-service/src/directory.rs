//! Where people are looked up: among this server's own accounts, or by asking whoever else knows.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::ports::StoreError;
use crate::ports::directory::{Directory, Person, SubjectKind};
use crate::ports::rights::{Answer, Question, Relation, Rights, RightsError};
use crate::ports::users::{User, UserId, Users};

/// This server's own accounts.
pub struct AccountsDirectory(Arc<dyn Users>);

impl AccountsDirectory {
    /// Looks people up in `users`.
    #[must_use]
    pub fn new(users: Arc<dyn Users>) -> Self {
        Self(users)
    }
}

#[async_trait]
impl Directory for AccountsDirectory {
    async fn find(&self, subject: &str, kind: SubjectKind) -> Result<Option<Person>, RightsError> {
        let id = subject.parse::<UserId>().ok();
        let found = match (kind, id) {
            (SubjectKind::Id | SubjectKind::IdOrEmail, Some(id)) => self.0.find_by_id(id).await,
            (SubjectKind::Id, None) => Ok(None),
            (SubjectKind::IdOrEmail, None) => self.0.find_by_email(subject).await,
            (SubjectKind::Name, _) => self.0.find_by_name(subject).await,
        };
        Ok(found.map_err(unavailable)?.map(person))
    }
}

fn unavailable(error: StoreError) -> RightsError {
    match error {
        StoreError::Broken(_) => RightsError::Broken(error.into()),
        StoreError::Unavailable(_) | StoreError::Full(_) => RightsError::Unavailable(error.into()),
    }
}

fn person(user: User) -> Person {
    let User { id, name, email, active, .. } = user;
    Person { id: id.to_string(), user_id: Some(id), name: Some(name), email, active }
}

/// Whoever answers questions about rights, asked who somebody is.
///
/// The resource is `user`, the relation membership, and the attributes of the answer say the rest:
/// `id`, `name`, `email` and `active`. Without `id` it is the subject; without `active` everybody who is there is.
pub struct AskedDirectory(Arc<dyn Rights>);

impl AskedDirectory {
    /// Asks `rights`.
    #[must_use]
    pub fn new(rights: Arc<dyn Rights>) -> Self {
        Self(rights)
    }
}

#[async_trait]
impl Directory for AskedDirectory {
    async fn find(&self, subject: &str, _kind: SubjectKind) -> Result<Option<Person>, RightsError> {
        let question = Question {
            relation: Relation::Member,
            resource: "user".to_owned(),
            user: subject.to_owned(),
            parameters: Vec::new(),
        };
        let Answer::Granted(said) = self.0.ask(&question).await? else { return Ok(None) };
        let text = |name: &str| match said.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let active = match said.get("active") {
            None | Some(Value::Bool(true)) => true,
            // SQLite has no truth values.
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            Some(_) => false,
        };
        let id = text("id").unwrap_or_else(|| subject.to_owned());
        Ok(Some(Person { id, user_id: None, name: text("name"), email: text("email"), active }))
    }
}
