//! What an operator does with accounts, and a user with their own password.
//!
//! **Invariant:** no password is stored that its rule refuses, and none is stored but as a hash of the policy's kind.

use secrecy::{ExposeSecret, SecretString};

use super::hashing::Busy;
use super::password_rule::{PASSWORD_BYTES_MAX, PasswordRule, WeakPassword};
use super::{Accounts, LoginField};
use crate::ports::StoreError;
use crate::ports::sessions::EndedBy;
use crate::ports::users::{
    AttributeChange, Attributes, AttributesFault, Email, InsertError, NameFault, NewUser, PasswordHash, User, UserId,
    UserName,
};

/// The most users on one page of a list.
pub const PAGE_USERS_MAX: u32 = 1_000;

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// The name: see [`UserName`].
    pub name: &'a str,
    /// The e-mail address: see [`Email`].
    pub email: Option<&'a str>,
    /// The password, to be hashed.
    pub password: SecretString,
    /// How strictly the password is looked at.
    pub rule: PasswordRule,
    /// Whether the account may log in.
    pub active: bool,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateRefused {
    /// The name cannot be one.
    #[error("the name cannot be used: {0}")]
    Name(NameFault),
    /// The address cannot be one.
    #[error("the e-mail address cannot be used: {0}")]
    Email(NameFault),
    /// The password breaks the rule.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Somebody has the name, as a name or as an address.
    #[error("the name is taken")]
    NameTaken,
    /// Somebody has the address, as an address or as a name.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<InsertError> for CreateRefused {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::NameTaken => Self::NameTaken,
            InsertError::EmailTaken => Self::EmailTaken,
            InsertError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordRefused {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// The password breaks the rule.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why users could not change their own password.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRefused {
    /// The present password is another one, or the account is gone or disabled.
    #[error("the present password is wrong")]
    BadCredentials,
    /// The new password breaks the rule.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an account's attributes are as they were.
#[derive(Debug, thiserror::Error)]
pub enum AttributesRefused {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// The attributes would break a rule.
    #[error(transparent)]
    Attributes(#[from] AttributesFault),
    /// Somebody else changes them, again and again.
    #[error("the attributes are being changed by somebody else; try again")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often a change of attributes is tried when others change them meanwhile.
const ATTRIBUTES_TRIES_MAX: usize = 8;

/// A page of a list in ascending order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The users.
    pub users: Vec<User>,
    /// What to ask for the next page with; `None` on the last one.
    pub next: Option<UserId>,
}

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    ///
    /// See [`CreateRefused`]; nothing was stored then, unless the store itself failed half-way through the answer.
    ///
    /// # Cancel safety
    ///
    /// A dropped call made the account whole or not at all.
    pub async fn create(&self, account: NewAccount<'_>) -> Result<User, CreateRefused> {
        let name = UserName::new(account.name).map_err(CreateRefused::Name)?;
        let email = account.email.map(Email::new).transpose().map_err(CreateRefused::Email)?;
        account.rule.check(account.password.expose_secret(), &own_names(name.as_str(), account.email))?;
        let password_hash = self.hash(account.password).await?;
        let created_at_s = self.clock.now().seconds();
        let user = NewUser {
            name,
            email,
            password_hash,
            active: account.active,
            created_at_s,
            attributes: Attributes::default(),
        };
        Ok(self.users.insert(&user).await?)
    }

    /// Sets a password without asking for the one before; for operators.
    ///
    /// # Errors
    ///
    /// See [`SetPasswordRefused`]; the password is the one before then, or the new one where the store fails so late that
    /// it is the sessions which did not end.
    pub async fn set_password(
        &self,
        id: UserId,
        password: SecretString,
        rule: PasswordRule,
    ) -> Result<(), SetPasswordRefused> {
        let user = self.users.find_by_id(id).await?.ok_or(SetPasswordRefused::Unknown)?;
        rule.check(password.expose_secret(), &own_names(&user.name, user.email.as_deref()))?;
        let hash = self.hash(password).await?;
        if !self.users.set_password_hash(id, None, &hash).await? {
            return Err(SetPasswordRefused::Unknown);
        }
        Ok(self.end_sessions(id, EndedBy::Password).await?)
    }

    /// Sets the password of a user who knows the present one.
    ///
    /// # Errors
    ///
    /// See [`ChangeRefused`]; the password is the one before then, as with [`set_password`](Self::set_password).
    /// When two changes from the same present password race, one of them is refused.
    pub async fn change_password(
        &self,
        id: UserId,
        present: SecretString,
        new: SecretString,
    ) -> Result<(), ChangeRefused> {
        if present.expose_secret().len() > PASSWORD_BYTES_MAX {
            return Err(ChangeRefused::BadCredentials);
        }
        let user = self.users.find_by_id(id).await?.filter(|user| user.active).ok_or(ChangeRefused::BadCredentials)?;
        let rule = PasswordRule::Standard.check(new.expose_secret(), &own_names(&user.name, user.email.as_deref()));
        let hash = user.password_hash.clone();
        let changed = self.hashing.run(move |functions| {
            // The rule is told only to whoever knows the present password, and costs no second computation if broken.
            if !functions.verify(present.expose_secret(), &hash) {
                return Err(ChangeRefused::BadCredentials);
            }
            rule?;
            Ok(functions.hash(new.expose_secret()))
        });
        let new_hash = changed.await??;
        let is_set = self.users.set_password_hash(id, Some(&user.password_hash), &new_hash).await?;
        if !is_set {
            return Err(ChangeRefused::BadCredentials);
        }
        Ok(self.end_sessions(id, EndedBy::Password).await?)
    }

    /// Sets and removes attributes, all of `changes` or none of them, and gives the account as it is then.
    ///
    /// # Errors
    ///
    /// See [`AttributesRefused`]; the attributes are those from before then.
    pub async fn change_attributes(&self, id: UserId, changes: &[AttributeChange]) -> Result<User, AttributesRefused> {
        for _ in 0..ATTRIBUTES_TRIES_MAX {
            let user = self.users.find_by_id(id).await?.ok_or(AttributesRefused::Unknown)?;
            let attributes = user.attributes.with(changes)?;
            if self.users.set_attributes(id, &user.attributes, &attributes).await? {
                return Ok(User { attributes, ..user });
            }
        }
        Err(AttributesRefused::Contended)
    }

    /// Enables or disables an account, which ends its sessions; `false` when there is no such account.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; then it may be disabled with sessions that go on.
    pub async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        let is_there = self.users.set_active(id, active).await?;
        if !active {
            self.end_sessions(id, EndedBy::Disabled).await?;
        }
        Ok(is_there)
    }

    /// The accounts after `after`, at most `limit` of them and never more than [`PAGE_USERS_MAX`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn list(&self, after: Option<UserId>, limit: u32) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_USERS_MAX);
        let mut users = self.users.list(after, limit + 1).await?;
        let is_last = users.len() <= limit as usize;
        users.truncate(limit as usize);
        let next = if is_last { None } else { users.last().map(|user| user.id) };
        Ok(Page { users, next })
    }

    /// The account that an operator means by `login`: its name, its e-mail address, or `#` and its id.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn show(&self, login: &str) -> Result<Option<User>, StoreError> {
        match login.strip_prefix('#').map(str::parse) {
            Some(Ok(id)) => self.users.find_by_id(id).await,
            Some(Err(_)) | None => self.find(login, &[LoginField::Name, LoginField::Email]).await,
        }
    }

    /// The account with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn find_by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.users.find_by_id(id).await
    }

    pub(super) async fn hash(&self, password: SecretString) -> Result<PasswordHash, Busy> {
        self.hashing.run(move |functions| functions.hash(password.expose_secret())).await
    }
}

fn own_names<'a>(name: &'a str, email: Option<&'a str>) -> Vec<&'a str> {
    std::iter::once(name).chain(email).collect()
}
