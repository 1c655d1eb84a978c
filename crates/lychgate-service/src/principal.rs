//! Who somebody is, once that has been verified.

use std::sync::Arc;

use crate::ports::directory::Person;
use crate::ports::users::UserId;

/// One identity. Cheap to clone.
///
/// It is made from a verified token, and from what a directory says of whom that names; or it is the visitor
/// whom a configuration lets in without a token, by the name that the configuration gives.
/// Nothing that a client says of itself ever gets in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Identity>);

#[derive(Debug, PartialEq, Eq)]
struct Identity {
    subject: Box<str>,
    /// Where it is not the subject.
    id: Option<Box<str>>,
    name: Option<Box<str>>,
    email: Option<Box<str>>,
    user_id: Option<UserId>,
    is_anonymous: bool,
}

impl Principal {
    /// The principal that a verified token names in `sub`, and calls `name`, if it does.
    ///
    /// Only [`Admission`](crate::admission::Admission) calls this outside of tests, with claims that were verified.
    #[must_use]
    pub fn from_verified_subject(subject: &str, name: Option<&str>) -> Self {
        Self::of(Identity { name: name.map(Box::from), ..Identity::bare(subject) })
    }

    /// The person whom a directory found under a verified subject.
    #[must_use]
    pub fn from_person(subject: &str, person: &Person) -> Self {
        Self::of(Identity {
            id: (person.id != subject).then(|| person.id.as_str().into()),
            name: person.name.as_deref().filter(|name| *name != subject).map(Box::from),
            email: person.email.as_deref().map(Box::from),
            user_id: person.user_id,
            ..Identity::bare(subject)
        })
    }

    /// A visitor without a token.
    #[must_use]
    pub fn anonymous(name: &str) -> Self {
        Self::of(Identity { is_anonymous: true, ..Identity::bare(name) })
    }

    fn of(identity: Identity) -> Self {
        Self(Arc::new(identity))
    }

    /// The `sub` claim, or the anonymous visitor's name: 1 to 255 bytes without control characters.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The id by which resources know this user: a directory's, else the subject.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id.as_deref().unwrap_or(&self.0.subject)
    }

    /// The user's number, if this is a user of this server who was looked up.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.0.user_id
    }

    /// What the user is called: by a directory, else by the token, else the subject.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name.as_deref().unwrap_or(&self.0.subject)
    }

    /// The user's e-mail address, if a directory knows one.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether nobody vouches for this visitor.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.is_anonymous
    }
}

impl Identity {
    fn bare(subject: &str) -> Self {
        Self { subject: subject.into(), id: None, name: None, email: None, user_id: None, is_anonymous: false }
    }
}
