//! The way of a token from text to claims.
//!
//! **Invariant:** the algorithm comes from the configured key; the header's `alg` is compared with it and decides
//! nothing (RFC 8725 section 3.1).
//! An unverified `iss` chooses among configured profiles, and the same profile then has to find that very `iss`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::UnixSeconds;
use crate::claims::{self, Claims};
use crate::compact::{self, Compact};
use crate::header::{self, Header};
use crate::key::VerifyingKey;
use crate::profile::{IssuerProfile, ProfileFault, ProfileKind};
use crate::refusal::Refusal;
use crate::token::Token;

/// The most profiles of one verifier, which is also the most signature checks that a token with a `kid` can cause.
const PROFILES_MAX: usize = 16;

/// The most keys without a key id, which is the most signature checks that a token without a `kid` can cause.
const KEYS_WITHOUT_KID_MAX: usize = 16;

/// Verifies tokens against a fixed set of issuer profiles.
///
/// It is immutable, so one instance serves all threads; a changed key set is a new verifier.
pub struct Verifier {
    /// Older issuers first: a token without `iss` is more likely theirs.
    profiles: Vec<Named>,
}

struct Named {
    name: Arc<str>,
    profile: IssuerProfile,
}

impl Verifier {
    /// Takes the profiles, in the order in which tokens without `iss` try them.
    ///
    /// A verifier without any profile is possible and refuses every token.
    ///
    /// # Errors
    ///
    /// The first [`ProfileFault`] found.
    pub fn new(profiles: Vec<IssuerProfile>) -> Result<Self, ProfileFault> {
        let without_kid = profiles.iter().flat_map(|profile| &profile.keys).filter(|key| key.kid().is_none()).count();
        if profiles.len() > PROFILES_MAX || without_kid > KEYS_WITHOUT_KID_MAX {
            return Err(ProfileFault::TooMany { profiles_max: PROFILES_MAX, keys_max: KEYS_WITHOUT_KID_MAX });
        }
        for (index, profile) in profiles.iter().enumerate() {
            profile.check()?;
            let earlier = &profiles[..index];
            if earlier.iter().any(|other| other.name == profile.name) {
                return Err(ProfileFault::DuplicateName { profile: profile.name.clone() });
            }
            if profile.issuer.is_some() && earlier.iter().any(|other| other.issuer == profile.issuer) {
                return Err(ProfileFault::DuplicateIssuer { profile: profile.name.clone() });
            }
        }
        let mut profiles: Vec<Named> =
            profiles.into_iter().map(|profile| Named { name: profile.name.as_str().into(), profile }).collect();
        // The sort is stable, so the given order stays within each kind.
        profiles.sort_by_key(|named| named.profile.kind == ProfileKind::Own);
        Ok(Self { profiles })
    }

    /// Verifies `token` as of `now` and returns what it says.
    ///
    /// The time limits are half open: a token is refused from `exp` + leeway on, and taken from `nbf` - leeway on.
    ///
    /// # Errors
    ///
    /// The one [`Refusal`] that stands for the first broken rule.
    /// Until the signature is verified, no refusal depends on a claim other than through the choice of the profile.
    pub fn verify(&self, token: &Token, now: UnixSeconds) -> Result<Claims, Refusal> {
        let Compact { header, claims, signing_input, signature } = compact::parse(token.expose())?;
        let header = header::read(header)?;
        let candidates = self.candidates(claims.get("iss"));
        let named = signer(candidates, &header, signing_input, &signature)?;
        claims::check(&named.profile, &named.name, header.typ.as_deref(), claims, now)
    }

    /// The profile of this issuer alone, or all of them if the token names none of ours.
    ///
    /// In the second case the signer's own profile decides: it may take tokens without `iss`, and answers
    /// [`Refusal::WrongIssuer`] to a name that is not its own.
    fn candidates(&self, iss: Option<&Value>) -> &[Named] {
        let iss = iss.and_then(Value::as_str);
        match self.profiles.iter().position(|named| iss.is_some() && named.profile.issuer.as_deref() == iss) {
            Some(index) => &self.profiles[index..=index],
            None => &self.profiles,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.profiles.iter().map(|named| &named.profile)).finish()
    }
}

/// Finds the profile whose key made `signature`.
///
/// A token with a `kid` is checked against the key of exactly that id, one without against the keys without an id.
fn signer<'a>(
    candidates: &'a [Named],
    header: &Header,
    signing_input: &[u8],
    signature: &Vec<u8>,
) -> Result<&'a Named, Refusal> {
    let mut named_key = false;
    let mut tried = false;
    for named in candidates {
        for key in named.profile.keys.iter().filter(|key| key.kid() == header.kid.as_deref()) {
            named_key = true;
            if !has_algorithm(key, header) {
                continue;
            }
            if key.verifies(signing_input, signature) {
                return Ok(named);
            }
            tried = true;
        }
    }
    let mut keys = candidates.iter().flat_map(|named| &named.profile.keys);
    Err(if tried {
        Refusal::BadSignature
    } else if named_key || !keys.any(|key| has_algorithm(key, header)) {
        Refusal::WrongAlgorithm
    } else {
        Refusal::UnknownKey
    })
}

fn has_algorithm(key: &VerifyingKey, header: &Header) -> bool {
    key.algorithm().as_str() == header.algorithm
}
