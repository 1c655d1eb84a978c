//! The decision at the gate: who is it, where may it go, and until when.

use std::sync::Arc;
use std::time::Duration;

use lychgate_token::{Refusal, Token, Verifier};

use crate::policy::{Permit, Policy};
use crate::ports::clock::{Clock, UnixMicros};
use crate::principal::Principal;

/// How long after `exp` a socket may still be open, in seconds. Part of what the product promises.
const CLOSE_AFTER_EXPIRY_S: u64 = 5;

/// Two seconds are kept back: for the sweep that closes sockets, and for a machine that is busy when it should run.
const GRACE_S: u64 = CLOSE_AFTER_EXPIRY_S - 2;

/// Somebody who may come in.
#[derive(Debug)]
pub struct Admitted {
    /// Who, and where to.
    pub permit: Permit,
    /// How long the socket may stay; `None` if the token never expires.
    pub ends_in: Option<Duration>,
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
        let now = self.clock.now();
        let claims = self.verifier.verify(token, now.seconds())?;
        let ends_in = match claims.exp {
            None => None,
            Some(exp) => Some(ends_in(exp, now).ok_or(Refusal::Expired { exp, now: now.seconds() })?),
        };
        let principal = Principal::from_verified_subject(&claims.sub);
        Ok(Admitted { permit: policy.permit(principal), ends_in })
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
