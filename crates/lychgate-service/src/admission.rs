//! The decision at the gate: who is it, where may it go, and until when.

use std::sync::Arc;

use lychgate_token::{Refusal, Token, Verifier};

use crate::policy::{Permit, Policy};
use crate::ports::clock::Clock;
use crate::principal::Principal;

/// How long after `exp` a socket may still be open, in seconds. Part of what the product promises.
const CLOSE_AFTER_EXPIRY_S: u64 = 5;

/// One second is kept back for the sweep that closes sockets.
const GRACE_S: u64 = CLOSE_AFTER_EXPIRY_S - 1;

/// Somebody who may come in.
#[derive(Debug)]
pub struct Admitted {
    /// Who, and where to.
    pub permit: Permit,
    /// When the socket must end, in whole seconds from now; `None` if the token never expires.
    pub ends_in_s: Option<u64>,
}

/// Checks credentials. Shared by all endpoints; cheap to clone.
#[derive(Clone)]
pub struct Admission {
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// An admission that trusts what `verifier` trusts.
    #[must_use]
    pub fn new(verifier: Arc<Verifier>, clock: Arc<dyn Clock>) -> Self {
        Self { verifier, clock }
    }

    /// Lets the bearer of `token` in by `policy`, or says which check failed.
    ///
    /// # Errors
    ///
    /// The first [`Refusal`]; [`Refusal::Missing`] when there is no token at all.
    pub fn admit(&self, token: Option<&Token>, policy: &Policy) -> Result<Admitted, Refusal> {
        let token = token.ok_or(Refusal::Missing)?;
        let now_s = self.clock.now().seconds();
        let claims = self.verifier.verify(token, now_s)?;
        let ends_in_s = match claims.exp {
            None => None,
            Some(exp) => Some(ends_in_s(exp, now_s).ok_or(Refusal::Expired { exp, now: now_s })?),
        };
        let principal = Principal::from_verified_subject(&claims.sub);
        Ok(Admitted { permit: policy.permit(principal), ends_in_s })
    }
}

/// How long a socket whose token ends at `exp` may stay, or `None` if it must not start at all.
///
/// A token that is past `exp` but within the leeway enters for the rest of the grace time,
/// so that every socket ends between `exp` and `exp` + 5 s.
const fn ends_in_s(exp: u64, now_s: u64) -> Option<u64> {
    if exp > now_s {
        Some(exp - now_s)
    } else if now_s - exp < GRACE_S {
        Some(exp + GRACE_S - now_s)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::ends_in_s;

    #[test]
    fn a_socket_ends_between_exp_and_five_seconds_later() {
        let exp = 1_000;
        for now_s in 900..1_020 {
            match ends_in_s(exp, now_s) {
                Some(left) => {
                    let end = now_s + left;
                    assert!(left > 0, "entered at {now_s} with its deadline passed");
                    assert!((exp..exp + 5).contains(&end), "entered at {now_s}, ends at {end}");
                }
                None => assert!(now_s >= exp + 4, "refused at {now_s}"),
            }
        }
        assert_eq!(ends_in_s(exp, 999), Some(1));
    }
}
