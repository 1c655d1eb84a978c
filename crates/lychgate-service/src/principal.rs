//! Who somebody is, once that has been verified.

use std::sync::Arc;

/// One verified identity.
///
/// It is made from a verified token alone; nothing that a client says of itself ever gets in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    subject: Arc<str>,
}

impl Principal {
    /// The principal that a verified token names in `sub`.
    ///
    /// Only [`Admission`](crate::admission::Admission) calls this, with claims that were verified.
    pub(crate) fn from_verified_subject(subject: &str) -> Self {
        Self { subject: Arc::from(subject) }
    }

    /// The `sub` claim: 1 to 255 bytes without control characters.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}
