//! One-time tickets: a token for a short errand, so that the token itself stays out of addresses and logs.
//!
//! **Invariant:** a ticket opens one connection, and ends no later than the token that it was given for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lychgate_token::{Refusal, Token, Verifier};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::tickets::{StoredTicket, Tickets};
use crate::proof::Proof;
use crate::revocations::{NotAdmissible, Revocations};

/// The random bytes of a ticket.
const TICKET_BYTES: usize = 32;

/// A ticket as a client carries it: 43 characters of base64url. Prints as redacted.
#[derive(Clone)]
pub struct Ticket(SecretString);

impl Ticket {
    /// Takes whatever a client sent; whether it is one, the office says.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text, for the answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hash(&self) -> Option<[u8; 32]> {
        let bytes = URL_SAFE_NO_PAD.decode(self.expose()).ok().filter(|bytes| bytes.len() == TICKET_BYTES)?;
        digest::digest(&digest::SHA256, &bytes).as_ref().try_into().ok()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(redacted)")
    }
}

/// Gives tickets for tokens, and proofs for tickets.
pub struct TicketOffice {
    tickets: Arc<dyn Tickets>,
    verifier: Arc<Verifier>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
}

/// Why no ticket was given or taken.
#[derive(Debug, thiserror::Error)]
pub enum TicketRefused {
    /// The token, or the ticket in its place, is not good.
    #[error(transparent)]
    Credential(#[from] Refusal),
    /// The token is genuine, and revoked; or nobody knows whether it is.
    #[error(transparent)]
    NotAdmissible(#[from] NotAdmissible),
    /// Tickets cannot be kept or looked up now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine has no random numbers.
    #[error("no random numbers can be had")]
    NoRandomness,
}

impl TicketOffice {
    /// An office whose tickets are good for `lifetime`, a second at least.
    #[must_use]
    pub fn new(
        tickets: Arc<dyn Tickets>,
        verifier: Arc<Verifier>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
        lifetime: Duration,
    ) -> Self {
        Self { tickets, verifier, revocations, clock, lifetime }
    }

    /// A ticket for the bearer of `token`, and how many seconds it is good for.
    ///
    /// # Errors
    ///
    /// [`TicketRefused`], and then there is no ticket.
    pub async fn issue(&self, token: Option<&Token>) -> Result<(Ticket, u64), TicketRefused> {
        let now_s = self.clock.now().seconds();
        let claims = self.verifier.verify(token.ok_or(Refusal::Missing)?, now_s)?;
        let proof = Proof::of_claims(&claims);
        self.revocations.check(&proof.subject, &proof.marks)?;
        let mut bytes = [0; TICKET_BYTES];
        rand::fill(&mut bytes).map_err(|_| TicketRefused::NoRandomness)?;
        let ticket = Ticket::new(URL_SAFE_NO_PAD.encode(bytes));
        let hash = ticket.hash().ok_or(TicketRefused::NoRandomness)?;
        let until_s = now_s.saturating_add(self.lifetime.as_secs().max(1));
        let expires_at_s = proof.exp.map_or(until_s, |exp| exp.min(until_s).max(now_s + 1));
        self.tickets.put(&StoredTicket { hash, claims: proof.to_json(), expires_at_s }, now_s).await?;
        Ok((ticket, expires_at_s - now_s))
    }

    /// What the token proved that `ticket` was given for. The ticket is worth nothing afterwards, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] for what is no ticket, was used, or is over: the three cannot be told apart.
    pub async fn redeem(&self, ticket: &Ticket) -> Result<Proof, TicketRefused> {
        let hash = ticket.hash().ok_or(Refusal::Malformed)?;
        let taken = self.tickets.take(&hash, self.clock.now().seconds()).await?;
        let proof = taken.and_then(|claims| Proof::from_json(&claims));
        Ok(proof.ok_or(Refusal::Malformed)?)
    }
}
