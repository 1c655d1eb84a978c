//! What is told of an account outside, by the names that clients know it by.
//!
//! **Invariant:** nothing of the password can be named.

use serde_json::Value;

use crate::ports::users::{User, is_attribute_name};

/// One field of an account under the name that it has outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountField {
    name: String,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Id,
    Name,
    Email,
    Active,
    Attribute,
}

impl AccountField {
    /// The field called `name`: `id`, `name` or `username`, `email`, `active`, else the attribute of that name.
    ///
    /// `None` when no attribute could be called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let source = match name {
            "id" => Source::Id,
            "name" | "username" => Source::Name,
            "email" => Source::Email,
            "active" => Source::Active,
            other if is_attribute_name(other) => Source::Attribute,
            _ => return None,
        };
        Some(Self { name: name.to_owned(), source })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `user` has there: the id is a number, and what the account does not have is null.
    #[must_use]
    pub fn value(&self, user: &User) -> Value {
        match self.source {
            Source::Id => user.id.0.into(),
            Source::Name => user.name.as_str().into(),
            Source::Email => user.email.as_deref().into(),
            Source::Active => user.active.into(),
            Source::Attribute => user.attributes.get(&self.name).cloned().unwrap_or_default(),
        }
    }
}
