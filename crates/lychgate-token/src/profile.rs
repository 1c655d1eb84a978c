//! Whose tokens are taken, and what each issuer's tokens must look like.

use crate::key::VerifyingKey;

/// The leeway of a profile that names none, in seconds.
pub const LEEWAY_S_DEFAULT: u64 = 5;

/// The longest leeway, in seconds: more would keep dead tokens alive rather than forgive clocks.
pub const LEEWAY_S_MAX: u64 = 60;

/// The most keys of one profile: the old, the present and the next one of many publishers.
const KEYS_MAX: usize = 64;

/// One issuer: its keys and its rules.
///
/// Keys belong to their profile: a key of one profile never decides about another issuer's token (RFC 8725 section 3.8).
#[derive(Clone, Debug)]
pub struct IssuerProfile {
    /// The name by which logs, metrics and [`Claims::issuer_profile`](crate::Claims::issuer_profile) speak of it.
    pub name: String,
    /// The one `iss` that is this profile's own, compared whole.
    pub issuer: Option<String>,
    /// The `aud` entry that means us, compared whole.
    pub audience: Option<String>,
    /// Which claims and which `typ` the tokens must have.
    pub kind: ProfileKind,
    /// How far the issuer's clock may differ from ours, in seconds; at most [`LEEWAY_S_MAX`].
    pub leeway_s: u64,
    /// The longest time from `iat` to `exp`, in seconds.
    pub lifetime_s_max: Option<u64>,
    /// The keys, at most 64; a key id occurs once.
    pub keys: Vec<VerifyingKey>,
    /// The `jti` of the one token that may lack `exp`: the test token of a development server.
    pub exempt_jti: Option<String>,
}

/// What a token of a profile must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// Our own access tokens (RFC 9068): `typ` is `at+jwt`; `exp`, `iat`, `iss`, `aud`, `sub`, `jti` and `sid` are
    /// required.
    Own,
    /// Tokens of an issuer that came before us: `sub` and `exp` are required, `typ` is `JWT` or absent, and a *present*
    /// `iss` or `aud` that is not the profile's own is refused.
    Legacy,
    /// As [`Legacy`](Self::Legacy), and where the profile has an issuer or an audience the token has to name it.
    Named,
}

impl IssuerProfile {
    /// A profile for our own access tokens, with the default leeway and no cap on the lifetime.
    #[must_use]
    pub fn own(name: &str, issuer: &str, audience: &str, keys: Vec<VerifyingKey>) -> Self {
        let issuer = Some(issuer.to_owned());
        let audience = Some(audience.to_owned());
        Self { issuer, audience, kind: ProfileKind::Own, ..Self::legacy(name, keys) }
    }

    /// A profile for an older issuer whose tokens carry neither `iss` nor `aud`, with the default leeway and no cap on
    /// the lifetime.
    #[must_use]
    pub fn legacy(name: &str, keys: Vec<VerifyingKey>) -> Self {
        Self {
            name: name.to_owned(),
            issuer: None,
            audience: None,
            kind: ProfileKind::Legacy,
            leeway_s: LEEWAY_S_DEFAULT,
            lifetime_s_max: None,
            keys,
            exempt_jti: None,
        }
    }

    /// Whether this profile can be used at all, seen by itself.
    pub(crate) fn check(&self) -> Result<(), ProfileFault> {
        let profile = self.name.clone();
        if profile.is_empty() {
            return Err(ProfileFault::NoName);
        }
        let blank = |text: &Option<String>| text.as_deref().is_some_and(|text| text.trim().is_empty());
        if blank(&self.issuer) || blank(&self.audience) || blank(&self.exempt_jti) {
            return Err(ProfileFault::Blank { profile });
        }
        if self.kind == ProfileKind::Own && (self.issuer.is_none() || self.audience.is_none()) {
            return Err(ProfileFault::Incomplete { profile });
        }
        if self.leeway_s > LEEWAY_S_MAX {
            return Err(ProfileFault::Leeway { profile, leeway_s: self.leeway_s });
        }
        if self.lifetime_s_max == Some(0) {
            return Err(ProfileFault::Lifetime { profile });
        }
        if self.keys.is_empty() || self.keys.len() > KEYS_MAX {
            return Err(ProfileFault::KeyCount { profile, keys: self.keys.len() });
        }
        let kids = || self.keys.iter().filter_map(VerifyingKey::kid);
        if kids().enumerate().any(|(index, kid)| kids().take(index).any(|earlier| earlier == kid)) {
            return Err(ProfileFault::DuplicateKid { profile });
        }
        Ok(())
    }
}

/// Why a set of profiles cannot be used; each is a fault of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileFault {
    /// A profile's name is empty.
    #[error("an issuer profile has no name")]
    NoName,
    /// Two profiles share a name.
    #[error("two issuer profiles are named {profile:?}")]
    DuplicateName {
        /// The name.
        profile: String,
    },
    /// Two profiles share an issuer, so it would be open which one decides.
    #[error("issuer profile {profile:?} has the same issuer as another one")]
    DuplicateIssuer {
        /// The later of the two.
        profile: String,
    },
    /// Too many profiles, or too many keys without a key id: one token could cost that many signature checks.
    #[error("too many: at most {profiles_max} issuer profiles, and {keys_max} keys without a key id among them all")]
    TooMany {
        /// The most profiles.
        profiles_max: usize,
        /// The most keys without a key id.
        keys_max: usize,
    },
    /// `issuer`, `audience` or `exempt_jti` is given, and blank.
    #[error("issuer profile {profile:?}: issuer, audience and exempt_jti must not be blank")]
    Blank {
        /// Which one.
        profile: String,
    },
    /// A profile of our own tokens lacks its issuer or its audience.
    #[error("issuer profile {profile:?}: own tokens need an issuer and an audience")]
    Incomplete {
        /// Which one.
        profile: String,
    },
    /// The leeway is above [`LEEWAY_S_MAX`].
    #[error("issuer profile {profile:?}: a leeway of {leeway_s} s is above the {LEEWAY_S_MAX} s allowed")]
    Leeway {
        /// Which one.
        profile: String,
        /// The leeway asked for, in seconds.
        leeway_s: u64,
    },
    /// The lifetime cap is zero, which no token could meet.
    #[error("issuer profile {profile:?}: a lifetime cap of 0 s refuses every token")]
    Lifetime {
        /// Which one.
        profile: String,
    },
    /// There is no key, or there are too many.
    #[error("issuer profile {profile:?}: {keys} keys, and 1 to {KEYS_MAX} are possible")]
    KeyCount {
        /// Which one.
        profile: String,
        /// How many it has.
        keys: usize,
    },
    /// Two keys share a key id.
    #[error("issuer profile {profile:?}: two keys have the same key id")]
    DuplicateKid {
        /// Which one.
        profile: String,
    },
}
