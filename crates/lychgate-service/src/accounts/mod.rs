//! Accounts: who may log in, and with which password.
//!
//! **Invariant:** from the answer to a failed login, and from the time it took, nobody learns whether the account exists.
//! Only a right password tells a disabled account from an unknown one.
//!
//! **Absent on purpose:** sign-up and reset by e-mail. The application that owns its people does both,
//! and passes on what came of it. Passwords are not normalised either: the bytes that were set are the bytes that log in.

use std::sync::Arc;

use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::sessions::{End, EndedBy, Sessions};
use crate::ports::users::{User, UserId, Users};

mod field;
mod hash_functions;
mod hashing;
mod import;
mod import_faults;
mod import_rows;
mod login;
mod manage;
mod password_rule;

pub use field::AccountField;
pub use hash_functions::{HashFunctions, StandardHashes};
pub use hashing::{Busy, Hashing, HashingLimits, HashingLoad};
pub use import::{
    FAULTS_LISTED_MAX, HASHING_WORK_MAX, IMPORT_ROWS_MAX, ImportOptions, ImportReport, ImportStopped, StopCause,
};
pub use import_faults::{RowError, RowFault, UnreadableFile};
pub use import_rows::{ImportFormat, ImportRow, ImportRows, ImportSecret, LINE_BYTES_MAX};
pub use login::{LoginRefused, LoginRequest};
pub use manage::{
    AttributesRefused, ChangeRefused, CreateRefused, NewAccount, PAGE_USERS_MAX, Page, SetPasswordRefused,
};
pub use password_rule::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordRule, WeakPassword, barred_stems,
};

/// The use cases around accounts; one value serves any number of callers at once.
pub struct Accounts {
    users: Arc<dyn Users>,
    hashing: Hashing,
    clock: Arc<dyn Clock>,
    sessions: Option<OpenSessions>,
}

/// Sessions that end with what happens to their account.
pub struct OpenSessions {
    /// Where they are kept.
    pub sessions: Arc<dyn Sessions>,
    /// How long a token may be good after it was issued, leeway included, in seconds.
    pub longest_token_s: u64,
}

impl Accounts {
    /// Accounts kept in `users`, whose passwords are hashed and verified by `hashing`.
    pub fn new(users: Arc<dyn Users>, hashing: Hashing, clock: Arc<dyn Clock>) -> Self {
        Self { users, hashing, clock, sessions: None }
    }

    /// The same, where accounts may have sessions: those of an account end when it is disabled, or has a new password.
    #[must_use]
    pub fn with_sessions(self, sessions: OpenSessions) -> Self {
        Self { sessions: Some(sessions), ..self }
    }

    async fn end_sessions(&self, user: UserId, by: EndedBy) -> Result<(), StoreError> {
        let Some(OpenSessions { sessions, longest_token_s }) = &self.sessions else { return Ok(()) };
        let now_s = self.clock.now().seconds();
        let end = End { by, now_s, tokens_end_at_s: now_s.saturating_add(*longest_token_s) };
        sessions.end_all_of(user, end).await.map(|_| ())
    }

    /// How busy the hashing is, for metrics and for shutting down.
    pub fn hashing(&self) -> &Hashing {
        &self.hashing
    }

    /// The user that `login` names in one of `fields`; the first field that has one wins.
    ///
    /// Every field is asked, whichever answers, so that the time does not tell which one did.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn find(&self, login: &str, fields: &[LoginField]) -> Result<Option<User>, StoreError> {
        let mut found = None;
        for field in fields {
            let user = match field {
                LoginField::Name => self.users.find_by_name(login).await?,
                LoginField::Email => self.users.find_by_email(login).await?,
            };
            found = found.or(user);
        }
        Ok(found)
    }
}

/// What the text that somebody logs in with is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginField {
    /// The name, byte for byte.
    Name,
    /// The e-mail address, whatever the letter case.
    Email,
}
