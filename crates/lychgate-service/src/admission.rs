//! The decision at the gate: who is it, where may it go, and until when.
//!
//! The order is fixed: credential, user, what the path names, and only then the right to it.
//! So a stranger learns nothing of what exists, and every connection costs at most one look-up of each kind.

use std::sync::Arc;
use std::time::Duration;

use lychgate_token::{Refusal, Token, Verifier};
use serde_json::{Map, Value};

use crate::grants::Grants;
use crate::identity::{IdentityRule, Unidentified};
use crate::policy::{Denied, Parameters, Permit, Policy};
use crate::ports::clock::{Clock, UnixMicros};
use crate::proof::Proof;
use crate::revocations::{NotAdmissible, Revocations};
use crate::target::BadParameter;
use crate::ticket_office::{Ticket, TicketOffice, TicketRefused};

/// How long after `exp` a socket may still be open, in seconds. Part of what the product promises.
const CLOSE_AFTER_EXPIRY_S: u64 = 5;

/// Two seconds are kept back: for the sweep that closes sockets, and for a machine that is busy when it should run.
const GRACE_S: u64 = CLOSE_AFTER_EXPIRY_S - 2;

/// What somebody brings to be let in.
#[derive(Debug)]
pub enum Credential {
    /// A token.
    Token(Token),
    /// A ticket that stands in for one.
    Ticket(Ticket),
}

/// Whom an endpoint lets in, and where that leads.
#[derive(Clone)]
pub struct Door {
    /// Who somebody is.
    pub identity: IdentityRule,
    /// Where they may go.
    pub policy: Policy,
}

impl Door {
    /// Whether the answer rests on more than the token, so that it may change while a socket is open.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.policy.is_asked() || self.identity.lookup.is_some()
    }
}

/// Somebody who may come in.
#[derive(Debug)]
pub struct Admitted {
    /// Who, and where to.
    pub permit: Permit,
    /// How long the socket may stay; `None` if the credential never expires.
    pub ends_in: Option<Duration>,
    /// What the credential has proved; nothing, for a visitor without one. Boxed, since a connection's task has room for
    /// what it once was admitted by.
    pub proof: Option<Box<Proof>>,
}

/// Why somebody stays outside.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The credential.
    #[error(transparent)]
    Credential(#[from] Refusal),
    /// Who they are, or are not.
    #[error(transparent)]
    Unidentified(#[from] Unidentified),
    /// The right.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Tickets cannot be looked up now.
    #[error(transparent)]
    Tickets(TicketRefused),
    /// The credential is genuine, and revoked; or nobody knows whether it is.
    #[error(transparent)]
    NotAdmissible(#[from] NotAdmissible),
}

impl Refused {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Credential(refusal) => refusal.code(),
            Self::Unidentified(Unidentified::Required) => "required",
            Self::Unidentified(Unidentified::NoId) => "subject",
            Self::Unidentified(Unidentified::NoUser) => "user",
            Self::Unidentified(Unidentified::Inactive) => "inactive",
            Self::Unidentified(Unidentified::Mismatch) => "mismatch",
            Self::Denied(Denied::NotFound) => "not_found",
            Self::Denied(Denied::NotOwner) => "not_owner",
            Self::Denied(Denied::Forbidden) => "forbidden",
            Self::NotAdmissible(why) => why.code(),
            Self::Unidentified(Unidentified::Unknown(_)) | Self::Denied(Denied::Unknown(_)) | Self::Tickets(_) => {
                "lookup"
            }
        }
    }
}

impl From<TicketRefused> for Refused {
    fn from(refused: TicketRefused) -> Self {
        match refused {
            TicketRefused::Credential(refusal) => Self::Credential(refusal),
            TicketRefused::NotAdmissible(why) => Self::NotAdmissible(why),
            other => Self::Tickets(other),
        }
    }
}

/// Checks credentials. Shared by all endpoints; cheap to clone.
#[derive(Clone)]
pub struct Admission {
    verifier: Arc<Verifier>,
    tickets: Option<Arc<TicketOffice>>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// An admission that trusts what `verifier` trusts, and the tickets of an office, as far as they are not revoked.
    #[must_use]
    pub fn new(
        verifier: Arc<Verifier>,
        tickets: Option<Arc<TicketOffice>>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { verifier, tickets, revocations, clock }
    }

    /// Whether what `proof` was read from may still open something, as at the door.
    ///
    /// # Errors
    ///
    /// [`NotAdmissible`].
    pub fn recheck(&self, proof: &Proof) -> Result<(), NotAdmissible> {
        self.revocations.check(&proof.subject, &proof.marks)
    }

    /// Lets the bearer of `credential` in by `door`, or says which check failed first.
    ///
    /// # Errors
    ///
    /// [`Refused`]. A credential that is there and bad is never treated as none.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing, except that a ticket may have been used up.
    pub async fn admit(
        &self,
        credential: Option<&Credential>,
        door: &Door,
        parameters: Result<Parameters, BadParameter>,
    ) -> Result<Admitted, Refused> {
        let now = self.clock.now();
        let Some(credential) = credential else {
            let visitor = match door.identity.anonymous {
                Some(_) => door.identity.visitor(parameters.as_ref().ok())?,
                None => return Err(Refusal::Missing.into()),
            };
            let parameters = parameters.map_err(|_| Denied::NotFound)?;
            let permit = door.policy.permit(visitor, parameters, &Grants::default()).await?;
            return Ok(Admitted { permit, ends_in: None, proof: None });
        };
        let proof = match credential {
            Credential::Token(token) => Proof::of_claims(&self.verifier.verify(token, now.seconds())?),
            Credential::Ticket(ticket) => match &self.tickets {
                Some(office) => office.redeem(ticket).await?,
                None => return Err(Refusal::Malformed.into()),
            },
        };
        self.admit_proof(proof, now, door, parameters).await
    }

    /// Lets in whom the application names, in the fields of its answer; where it names nobody, as a visitor.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn admit_named(
        &self,
        answer: &Map<String, Value>,
        door: &Door,
        parameters: Result<Parameters, BadParameter>,
    ) -> Result<Admitted, Refused> {
        let now = self.clock.now();
        let proof = Proof::of_application(answer, now.seconds()).map_err(Refusal::from)?;
        self.admit_proof(proof, now, door, parameters).await
    }

    async fn admit_proof(
        &self,
        proof: Proof,
        now: UnixMicros,
        door: &Door,
        parameters: Result<Parameters, BadParameter>,
    ) -> Result<Admitted, Refused> {
        self.recheck(&proof)?;
        let ends_in = match proof.exp {
            None => None,
            Some(exp) => Some(ends_in(exp, now).ok_or(Refusal::Expired { exp, now: now.seconds() })?),
        };
        let principal = if proof.subject.is_empty() {
            door.identity.visitor(parameters.as_ref().ok())?
        } else {
            door.identity.identify(&proof).await?
        };
        let parameters = parameters.map_err(|_| Denied::NotFound)?;
        if !principal.is_anonymous() {
            door.identity.compare(&principal, &parameters)?;
        }
        let permit = door.policy.permit(principal, parameters, &proof.grants).await?;
        Ok(Admitted { permit, ends_in, proof: Some(Box::new(proof)) })
    }

    /// Asks again whether the holder of `permit` may stay, with the same look-ups as at the door.
    ///
    /// # Errors
    ///
    /// [`Refused`], also when nobody can be asked.
    pub async fn ask_again(&self, permit: &Permit, door: &Door) -> Result<(), Refused> {
        let principal = permit.principal();
        if !principal.is_anonymous() && door.identity.lookup.is_some() {
            let proof = Proof::of_subject(principal.subject());
            door.identity.identify(&proof).await?;
        }
        if door.policy.is_asked() {
            let parameters = permit.parameters().into();
            door.policy.permit(principal.clone(), parameters, &Grants::default()).await?;
        }
        Ok(())
    }
}
/// How long a socket whose token ends at `exp` may stay, or `None` if it must not start at all.
///
/// A token that is past `exp` but within the leeway enters for the rest of the grace time,
/// so that every socket ends between `exp` and `exp` + 5 s.
fn ends_in(exp: u64, now: UnixMicros) -> Option<Duration> {
    let left = |until_s: u64| {
        let until_us = until_s.saturating_mul(1_000_000);
        until_us.checked_sub(now.0).filter(|left_us| *left_us > 0).map(Duration::from_micros)
    };
    left(exp).or_else(|| left(exp.saturating_add(GRACE_S)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_ends_between_exp_and_five_seconds_later() {
        const EXP_US: u64 = 1_000_000_000;
        for now_us in (EXP_US - 20_000_000..EXP_US + 20_000_000).step_by(99_991) {
            match ends_in(EXP_US / 1_000_000, UnixMicros(now_us)) {
                Some(left) => {
                    let left_us = u64::try_from(left.as_micros()).unwrap();
                    let end_us = now_us + left_us;
                    assert!(left_us > 0, "entered at {now_us} with its deadline passed");
                    assert!((EXP_US..EXP_US + 5_000_000).contains(&end_us), "entered at {now_us}, ends at {end_us}");
                }
                None => assert!(now_us >= EXP_US + 3_000_000, "refused at {now_us}"),
            }
        }
        assert_eq!(ends_in(1_000, UnixMicros(999_500_000)), Some(Duration::from_millis(500)));
    }
}
