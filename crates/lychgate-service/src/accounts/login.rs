//! Logging in with a password.
//!
//! **Invariant:** every failed login does the same computations: one of each kind of hash that the store holds.
//! The account's own hash stands for its kind and the others are imitated.
//! An unknown account has no hash of its own, so all of them are.
//! So neither the time nor the load tells an unknown account from a wrong password,
//! nor an account imported with bcrypt from one made here.
//!
//! **Absent on purpose:** waiting until a fixed time has passed.
//! It would have to be longer than the longest computation under load, and a clock shows the load.

use secrecy::{ExposeSecret, SecretString};

use super::hash_functions::HashFunctions;
use super::hashing::Busy;
use super::password_rule::PASSWORD_BYTES_MAX;
use super::{Accounts, LoginField};
use crate::ports::StoreError;
use crate::ports::users::{EMAIL_BYTES_MAX, HashKind, NAME_BYTES_MAX, PasswordHash, User};

/// What somebody logs in with.
#[derive(Debug)]
pub struct LoginRequest<'a> {
    /// The name or address, as it was sent.
    pub login: &'a str,
    /// The password, as it was sent.
    pub password: SecretString,
    /// What `login` may be.
    pub fields: &'a [LoginField],
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    /// There is no such account, or this is not its password; which of them is not said.
    #[error("the name or the password is wrong")]
    BadCredentials,
    /// The password is right and the account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed; nothing is known about the password.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The active user whom `request` names and whose password it holds.
    ///
    /// A hash that is not of [`HashKind::POLICY`] is replaced on the way. Where that fails, the login succeeds all the same.
    ///
    /// # Errors
    ///
    /// See [`LoginRefused`].
    ///
    /// # Cancel safety
    ///
    /// A dropped login changes nothing, or replaces the hash by another hash of the same password.
    /// Its computation goes on to its end and keeps its place until then.
    pub async fn login(&self, request: LoginRequest<'_>) -> Result<User, LoginRefused> {
        if !request.is_possible() {
            return Err(LoginRefused::BadCredentials);
        }
        let kinds = self.users.hash_kinds().await?;
        let Some(user) = self.find(request.login, request.fields).await? else {
            self.hashing.run(move |functions| imitate_all(functions, &request.password, &kinds, None)).await?;
            return Err(LoginRefused::BadCredentials);
        };
        if user.password_hash.kind() == HashKind::Unsupported {
            tracing::warn!(
                user_id = user.id.0,
                "the stored password hash is of no supported kind, so nobody can log in"
            );
        }
        let mut verified = self.verify(&user, &request.password, &kinds).await?;
        // Hashing took its time, and an account that was closed or changed meanwhile must not get in by it.
        let user = match self.users.find_by_id(user.id).await? {
            Some(current) if current.password_hash == user.password_hash => current,
            Some(current) => {
                verified = self.verify(&current, &request.password, &kinds).await?;
                current
            }
            None => return Err(LoginRefused::BadCredentials),
        };
        if !user.active {
            return Err(LoginRefused::Disabled);
        }
        match verified.better_hash {
            Some(better) => Ok(self.upgrade(user, better).await),
            None => Ok(user),
        }
    }

    async fn verify(&self, user: &User, password: &SecretString, kinds: &[HashKind]) -> Result<Verified, LoginRefused> {
        let (hash, active) = (user.password_hash.clone(), user.active);
        let (password, kinds) = (password.clone(), kinds.to_vec());
        let verified = self.hashing.run(move |functions| {
            if functions.verify(password.expose_secret(), &hash) {
                if !active {
                    // Nobody gets in by it, so it costs what a failure costs, and an edge that hides the state can.
                    imitate_all(functions, &password, &kinds, Some(hash.kind()));
                }
                let better_hash =
                    (active && is_replaceable(&hash, &password)).then(|| functions.hash(password.expose_secret()));
                return Some(Verified { better_hash });
            }
            imitate_all(functions, &password, &kinds, Some(hash.kind()));
            None
        });
        verified.await?.ok_or(LoginRefused::BadCredentials)
    }

    async fn upgrade(&self, user: User, better: PasswordHash) -> User {
        match self.users.set_password_hash(user.id, Some(&user.password_hash), &better).await {
            Ok(true) => User { password_hash: better, ..user },
            // Another login was first, or the password was changed: theirs is the newer one.
            Ok(false) => user,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(user_id = user.id.0, cause = error, "the password hash was not upgraded");
                user
            }
        }
    }
}

impl LoginRequest<'_> {
    /// Whether any account could answer to it; when none could, no work is done for it.
    fn is_possible(&self) -> bool {
        let password = self.password.expose_secret();
        !self.login.trim().is_empty()
            && self.login.len() <= NAME_BYTES_MAX.max(EMAIL_BYTES_MAX)
            && !password.trim().is_empty()
            && password.len() <= PASSWORD_BYTES_MAX
    }
}

/// The password was right.
struct Verified {
    better_hash: Option<PasswordHash>,
}

/// Does one computation of each of `kinds` but the one that was `done` for real.
fn imitate_all(functions: &dyn HashFunctions, password: &SecretString, kinds: &[HashKind], done: Option<HashKind>) {
    let is_usable = |kind: &HashKind| *kind != HashKind::Unsupported;
    let done = done.filter(is_usable);
    for kind in kinds.iter().copied().filter(is_usable).filter(|kind| Some(*kind) != done) {
        functions.imitate(password.expose_secret(), kind);
    }
    // A store without a single usable hash answers in the time of one that has them.
    if done.is_none() && !kinds.iter().any(is_usable) {
        functions.imitate(password.expose_secret(), HashKind::POLICY);
    }
}

/// Whether a better hash can stand for this one.
///
/// Bcrypt reads 72 bytes. Of a longer password the rest was never verified,
/// and a hash of the whole would lock out whoever types the rest as it was meant.
fn is_replaceable(hash: &PasswordHash, password: &SecretString) -> bool {
    match hash.kind() {
        HashKind::Bcrypt { .. } => password.expose_secret().len() <= 72,
        kind => kind != HashKind::POLICY,
    }
}
