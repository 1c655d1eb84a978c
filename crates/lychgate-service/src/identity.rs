//! From a proven subject to somebody: who that is here, and whether they may be here at all.
//!
//! **Invariant:** a principal is named by a verified token, or by the configuration's own word for visitors without one.
//! What a path or a query says of the user is compared and never believed.

use std::sync::Arc;

use crate::policy::Parameters;
use crate::ports::directory::{Directory, SubjectKind};
use crate::ports::rights::{Parameter, RightsError};
use crate::principal::Principal;
use crate::proof::Proof;
use crate::target::Kind;

/// How an endpoint knows people.
#[derive(Clone, Default)]
pub struct IdentityRule {
    /// What the subject of a token has to look like, if that is said.
    pub subject_kind: Option<Kind>,
    /// The look-up that every connection costs; none, if the token's word is enough.
    pub lookup: Option<Lookup>,
    /// What visitors without a token are called, if they may come in.
    pub anonymous: Option<Box<str>>,
    /// The parameter that has to be the user, byte for byte.
    pub path_user: Option<Box<str>>,
}

/// A look-up at each entry.
#[derive(Clone)]
pub struct Lookup {
    /// Where people are.
    pub directory: Arc<dyn Directory>,
    /// What the subject of a token names.
    pub subject: SubjectKind,
    /// Whether somebody who is disabled stays outside.
    pub must_be_active: bool,
    /// What becomes of a good token when nobody can be looked up.
    pub when_unavailable: WhenUnavailable,
}

/// What becomes of a good token when the directory is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// Its bearer stays outside.
    Refuse,
    /// Its word is enough until the directory is back. The log says so each time.
    TrustToken,
}

/// Why nobody could be made of a request.
#[derive(Debug, thiserror::Error)]
pub enum Unidentified {
    /// There is no token, and this path is not the visitors'.
    #[error("the path is not open to anonymous visitors")]
    Required,
    /// What the token calls its user cannot be anybody's id here.
    #[error("the token's subject cannot be an id here")]
    NoId,
    /// The token's user does not exist.
    #[error("the token's user does not exist")]
    NoUser,
    /// The token's user is disabled.
    #[error("the token's user is disabled")]
    Inactive,
    /// The token's user is not the one whom the path names.
    #[error("the token's user is not the one whom the path names")]
    Mismatch,
    /// Nobody could be asked.
    #[error(transparent)]
    Unknown(#[from] RightsError),
}

impl IdentityRule {
    /// The principal whom `proof` names; at most one look-up.
    ///
    /// # Errors
    ///
    /// [`Unidentified`]: nobody's id, no such user, a disabled one, or nobody to ask.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn identify(&self, proof: &Proof) -> Result<Principal, Unidentified> {
        if self.subject_kind.is_some_and(|kind| !kind.fits(&proof.subject)) {
            return Err(Unidentified::NoId);
        }
        let by_token = || Principal::from_verified_subject(&proof.subject, proof.name.as_deref());
        let Some(lookup) = &self.lookup else { return Ok(by_token()) };
        match lookup.directory.find(&proof.subject, lookup.subject).await {
            Ok(Some(person)) if person.active || !lookup.must_be_active => {
                Ok(Principal::from_person(&proof.subject, &person))
            }
            Ok(Some(_)) => Err(Unidentified::Inactive),
            Ok(None) => Err(Unidentified::NoUser),
            Err(error @ RightsError::Unavailable(_)) if lookup.when_unavailable == WhenUnavailable::TrustToken => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    cause,
                    user = proof.subject,
                    "users cannot be looked up: a verified token's word is taken, as configured"
                );
                Ok(by_token())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The visitor without a token, where the path is theirs.
    ///
    /// # Errors
    ///
    /// [`Unidentified::Required`] where it is not.
    pub fn visitor(&self, parameters: Option<&Parameters>) -> Result<Principal, Unidentified> {
        let name = self.anonymous.as_deref().ok_or(Unidentified::Required)?;
        let visitor = Principal::anonymous(name);
        match parameters {
            Some(parameters) if self.matches(&visitor, parameters) => Ok(visitor),
            _ => Err(Unidentified::Required),
        }
    }

    /// Holds the path's user against the proven one.
    ///
    /// # Errors
    ///
    /// [`Unidentified::Mismatch`] when they differ in a single byte.
    pub fn compare(&self, principal: &Principal, parameters: &Parameters) -> Result<(), Unidentified> {
        if self.matches(principal, parameters) { Ok(()) } else { Err(Unidentified::Mismatch) }
    }

    fn matches(&self, principal: &Principal, parameters: &Parameters) -> bool {
        let Some(wanted) = &self.path_user else { return true };
        let named = parameters.iter().find(|(name, _)| name == wanted);
        named.is_some_and(|(_, value)| match value {
            Parameter::Text(text) => text == principal.id(),
            Parameter::Integer(number) => number.to_string() == principal.id(),
        })
    }
}
