//! API keys: what a program of the application shows to fill the registry, and what each key is good for.
//!
//! **Invariant:** a key's text leaves this file once, when it is made; from then on its hash alone is known.
//!
//! **Absent on purpose:** a key that is good for everything, and an end by itself. A scope is named for each right,
//! and a key is good until it is revoked, which is felt by the next request.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::ports::StoreError;
use crate::ports::api_keys::{API_KEY_NAME_BYTES_MAX, ApiKeys, StoredApiKey};
use crate::ports::clock::Clock;

/// What every key begins with, so that a scanner of sources or logs knows one when it sees it.
pub const API_KEY_PREFIX: &str = "lgk_";

/// The random bytes of a key.
const KEY_BYTES: usize = 32;

/// How often a use of a key is noted at most: often enough to tell which keys are in use, and no write per request.
const NOTED_EVERY_S: u64 = 60;

/// One right that a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// To read resources and members.
    RegistryRead,
    /// To change them.
    RegistryWrite,
    /// To publish in channels.
    ChannelsPublish,
    /// To read who is in channels and what they keep.
    ChannelsRead,
    /// To subscribe, unsubscribe and disconnect clients, and to have channels forget.
    ChannelsManage,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: &[Self] =
        &[Self::RegistryRead, Self::RegistryWrite, Self::ChannelsPublish, Self::ChannelsRead, Self::ChannelsManage];

    /// Its name, in commands, in stores and in refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegistryRead => "registry:read",
            Self::RegistryWrite => "registry:write",
            Self::ChannelsPublish => "channels:publish",
            Self::ChannelsRead => "channels:read",
            Self::ChannelsManage => "channels:manage",
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key as a program carries it: `lgk_` and 43 characters of base64url. Prints as redacted.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes whatever somebody sent; whether it is one, the office says.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The text, for the one answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hash(&self) -> Option<[u8; 32]> {
        let text = self.expose().strip_prefix(API_KEY_PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
        digest::digest(&digest::SHA256, &bytes).as_ref().try_into().ok()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// Whether a key may be called so: 1 to 64 characters of visible ASCII.
#[must_use]
pub fn is_api_key_name(name: &str) -> bool {
    (1..=API_KEY_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Makes keys, and says whose a key is.
pub struct ApiKeyOffice {
    keys: Arc<dyn ApiKeys>,
    clock: Arc<dyn Clock>,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyNotMade {
    /// Nothing can be called so.
    #[error("a key's name has 1 to {API_KEY_NAME_BYTES_MAX} characters of visible ASCII and no blanks")]
    Name,
    /// It would be good for nothing.
    #[error("a key needs a scope")]
    NoScope,
    /// A key is or was called so.
    #[error("the name is taken, if only by a key that was revoked")]
    Taken,
    /// The machine has no random numbers.
    #[error("no random numbers can be had")]
    NoRandomness,
    /// Keys cannot be kept now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a key opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyRefused {
    /// What was shown is no key.
    #[error("what was shown is no API key")]
    Malformed,
    /// It could be a key, and is none of ours.
    #[error("there is no such API key")]
    Unknown,
    /// It was good once.
    #[error("the API key {name} is revoked")]
    Revoked {
        /// What operators call it.
        name: String,
    },
    /// It is good, and not for this.
    #[error("the API key {name} lacks the scope {scope}")]
    Lacks {
        /// What operators call it.
        name: String,
        /// What it would need.
        scope: Scope,
    },
    /// Keys cannot be looked up now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApiKeyRefused {
    /// Its name in logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown_key",
            Self::Revoked { .. } => "revoked",
            Self::Lacks { .. } => "scope",
            Self::Store(_) => "store",
        }
    }
}

impl ApiKeyOffice {
    /// An office whose keys are kept in `keys`.
    #[must_use]
    pub fn new(keys: Arc<dyn ApiKeys>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock }
    }

    /// Makes a key called `name` that is good for `scopes`. A scope that is named twice counts once.
    ///
    /// # Errors
    ///
    /// [`ApiKeyNotMade`], and then there is no key.
    pub async fn make(&self, name: &str, scopes: &[Scope]) -> Result<(ApiKey, StoredApiKey), ApiKeyNotMade> {
        if !is_api_key_name(name) {
            return Err(ApiKeyNotMade::Name);
        }
        let scopes = Scope::ALL.iter().filter(|scope| scopes.contains(scope));
        let scopes: Vec<String> = scopes.map(ToString::to_string).collect();
        if scopes.is_empty() {
            return Err(ApiKeyNotMade::NoScope);
        }
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| ApiKeyNotMade::NoRandomness)?;
        let key = ApiKey::new(&format!("{API_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
        let stored = StoredApiKey {
            name: name.to_owned(),
            hash: key.hash().ok_or(ApiKeyNotMade::NoRandomness)?,
            scopes,
            created_at_s: self.clock.now().seconds(),
            last_used_at_s: None,
            revoked_at_s: None,
        };
        if self.keys.insert(&stored).await? { Ok((key, stored)) } else { Err(ApiKeyNotMade::Taken) }
    }

    /// The name of the one who shows `key`, if it is good for `scope`. That it was shown is noted, about once a minute.
    ///
    /// # Errors
    ///
    /// [`ApiKeyRefused`]; also when keys cannot be looked up.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing, except that the use may be noted.
    pub async fn check(&self, key: &ApiKey, scope: Scope) -> Result<String, ApiKeyRefused> {
        self.check_any(key, scope, &[]).await
    }

    /// The same for a key that is good for `scope` or for one of the `others`.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); a key that is good for none of them is told that it lacks `scope`.
    ///
    /// # Cancel safety
    ///
    /// As [`check`](Self::check).
    pub async fn check_any(&self, key: &ApiKey, scope: Scope, others: &[Scope]) -> Result<String, ApiKeyRefused> {
        let hash = key.hash().ok_or(ApiKeyRefused::Malformed)?;
        let stored = self.keys.find(&hash).await?.ok_or(ApiKeyRefused::Unknown)?;
        let name = stored.name;
        if stored.revoked_at_s.is_some() {
            return Err(ApiKeyRefused::Revoked { name });
        }
        let now_s = self.clock.now().seconds();
        if stored.last_used_at_s.is_none_or(|at_s| at_s.saturating_add(NOTED_EVERY_S) <= now_s)
            && let Err(error) = self.keys.note_use(&hash, now_s, NOTED_EVERY_S).await
        {
            // A full disk must not keep anybody from reading.
            tracing::warn!(key = name, cause = %error, "the use of an API key could not be noted");
        }
        let is_held = |scope: &Scope| stored.scopes.iter().any(|held| held == scope.name());
        if is_held(&scope) || others.iter().any(is_held) { Ok(name) } else { Err(ApiKeyRefused::Lacks { name, scope }) }
    }

    /// Keys whose names come after `after`, in byte order, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list(&self, after: &str, limit: u32) -> Result<Vec<StoredApiKey>, StoreError> {
        self.keys.list(after, limit).await
    }

    /// Revokes the key of that name; `None` if there is none, else whether it was good until now.
    ///
    /// # Errors
    ///
    /// [`StoreError`], and then it may still be good.
    pub async fn revoke(&self, name: &str) -> Result<Option<bool>, StoreError> {
        self.keys.revoke(name, self.clock.now().seconds()).await
    }
}
