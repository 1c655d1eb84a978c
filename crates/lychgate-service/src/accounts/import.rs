//! Bringing accounts along from elsewhere.
//!
//! **Invariant:** a row is stored whole or not at all, and a row that is refused leaves the ones around it alone.
//! Running the same file again stores what is missing and reports the rest as taken.
//!
//! **Absent on purpose:** nothing is updated. A file that changes accounts would change passwords unseen.

use std::collections::BTreeSet;
use std::io::BufRead;

use hashbrown::HashSet;
use secrecy::ExposeSecret;

use super::Accounts;
use super::hashing::Busy;
use super::import_faults::{RowError, RowFault, UnreadableFile};
use super::import_rows::{ImportRow, ImportRows, ImportSecret};
use super::password_rule::PasswordRule;
use crate::ports::StoreError;
use crate::ports::users::{HashKind, InsertError, NewUser, PasswordHash};

/// The most rows of one import; a dry run remembers their names.
pub const IMPORT_ROWS_MAX: u64 = 1_000_000;
/// The most faults that a report lists; the others are counted.
pub const FAULTS_LISTED_MAX: usize = 1_000;
/// The most that one failed login may cost, in the unit of [`HashKind::work`]: three to four seconds of a core.
///
/// Each kind of hash in the store is imitated at every failed login, so a row that brings a new kind costs all of them.
pub const HASHING_WORK_MAX: u64 = 128;

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Look at every row and store none. Passwords are not hashed.
    pub dry_run: bool,
    /// How strictly passwords that are not hashed yet are looked at.
    pub rule: PasswordRule,
}

/// What became of the rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Accounts stored, or in a dry run those that would have been.
    pub created: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// The first [`FAULTS_LISTED_MAX`] of them, in the order of the file.
    pub faults: Vec<RowFault>,
}

/// An import that ended before the file did. What `report` counts as created is stored.
#[derive(Debug, thiserror::Error)]
#[error("the import stopped before line {line}")]
pub struct ImportStopped {
    /// The first line that was not looked at or not stored, counted from 1.
    pub line: u64,
    /// What became of the rows before it.
    pub report: ImportReport,
    /// Why it stopped.
    #[source]
    pub cause: StopCause,
}

/// Why an import ended before its file did.
#[derive(Debug, thiserror::Error)]
pub enum StopCause {
    /// The file cannot be read on.
    #[error(transparent)]
    File(#[from] UnreadableFile),
    /// The store failed. When the answer was lost, the row may be stored all the same.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The file is too long for one import.
    #[error("more than {IMPORT_ROWS_MAX} rows: cut the file and import the pieces")]
    TooManyRows,
}

impl Accounts {
    /// Stores the accounts that `rows` describe, and says which rows it refused and why.
    ///
    /// # Errors
    ///
    /// [`ImportStopped`] when the file or the store fails; it says how far the import came.
    ///
    /// # Cancel safety
    ///
    /// A dropped import has stored the rows up to some line, each of them whole.
    pub async fn import<R: BufRead + Send>(
        &self,
        mut rows: ImportRows<R>,
        options: ImportOptions,
    ) -> Result<ImportReport, ImportStopped> {
        let mut report = ImportReport::default();
        match self.import_into(&mut report, &mut rows, options).await {
            Ok(()) => Ok(report),
            Err(cause) => Err(ImportStopped { line: rows.line(), report, cause }),
        }
    }

    async fn import_into<R: BufRead + Send>(
        &self,
        report: &mut ImportReport,
        rows: &mut ImportRows<R>,
        options: ImportOptions,
    ) -> Result<(), StopCause> {
        let mut kinds = KnownKinds::new(self.users.hash_kinds().await?);
        let mut seen = SeenNames::default();
        while let Some(row) = rows.next_row()? {
            if report.created + report.refused == IMPORT_ROWS_MAX {
                return Err(StopCause::TooManyRows);
            }
            let stored = match row {
                Ok(row) => self.import_row(row, options, &mut kinds, &mut seen).await?,
                Err(fault) => Err(fault),
            };
            match stored {
                Ok(()) => report.created += 1,
                Err(fault) => {
                    report.refused += 1;
                    if report.faults.len() < FAULTS_LISTED_MAX {
                        report.faults.push(fault);
                    }
                }
            }
        }
        Ok(())
    }

    /// The inner result is about this row alone.
    async fn import_row(
        &self,
        row: ImportRow,
        options: ImportOptions,
        kinds: &mut KnownKinds,
        seen: &mut SeenNames,
    ) -> Result<Result<(), RowFault>, StopCause> {
        let line = row.line;
        let fault = |error| Ok(Err(RowFault { line, error }));
        let ImportRow { name, email, secret, active, attributes, .. } = row;
        let own_names: Vec<&str> =
            std::iter::once(name.as_str()).chain(email.as_ref().map(|email| email.as_str())).collect();
        let password_hash = match secret {
            ImportSecret::Hash(hash) => hash,
            ImportSecret::Password(password) => {
                if let Err(weak) = options.rule.check(password.expose_secret(), &own_names) {
                    return fault(weak.into());
                }
                if options.dry_run { PasswordHash::new(DRY_RUN_HASH) } else { self.hash(password).await? }
            }
        };
        if let Err(error) = kinds.admit(password_hash.kind()) {
            return fault(error);
        }
        let created_at_s = self.clock.now().seconds();
        let user = NewUser { name, email, password_hash, active, created_at_s, attributes };
        let inserted = if options.dry_run {
            self.users.check_insert(&user).await.and_then(|()| seen.insert(&user))
        } else {
            self.users.insert(&user).await.map(|_| ())
        };
        match inserted {
            Ok(()) => Ok(Ok(())),
            Err(InsertError::NameTaken) => fault(RowError::NameTaken),
            Err(InsertError::EmailTaken) => fault(RowError::EmailTaken),
            Err(InsertError::Store(error)) => Err(error.into()),
        }
    }
}

/// A hash of the policy's kind that no password has: it stands for the one that a dry run does not compute.
const DRY_RUN_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The kinds of hash that a failed login has to imitate.
struct KnownKinds {
    kinds: BTreeSet<HashKind>,
    work: u64,
}

impl KnownKinds {
    fn new(kinds: Vec<HashKind>) -> Self {
        // New passwords and every upgrade bring the policy's kind sooner or later.
        let kinds: BTreeSet<_> = kinds.into_iter().chain([HashKind::POLICY]).collect();
        Self { work: kinds.iter().map(|kind| kind.work()).sum(), kinds }
    }

    fn admit(&mut self, kind: HashKind) -> Result<(), RowError> {
        if kind == HashKind::Unsupported {
            return Err(RowError::Hash);
        }
        if self.kinds.contains(&kind) {
            return Ok(());
        }
        if self.work + kind.work() > HASHING_WORK_MAX {
            return Err(RowError::HashingWork);
        }
        self.work += kind.work();
        self.kinds.insert(kind);
        Ok(())
    }
}

/// The names that a dry run would have stored by now.
#[derive(Default)]
struct SeenNames {
    names: HashSet<String>,
    names_folded: HashSet<String>,
    emails_folded: HashSet<String>,
}

impl SeenNames {
    fn insert(&mut self, user: &NewUser) -> Result<(), InsertError> {
        let (name_folded, email_folded) = (user.name.folded(), user.email.as_ref().map(|email| email.folded()));
        if self.names.contains(user.name.as_str()) || self.emails_folded.contains(&name_folded) {
            return Err(InsertError::NameTaken);
        }
        if email_folded
            .as_ref()
            .is_some_and(|email| self.emails_folded.contains(email) || self.names_folded.contains(email))
        {
            return Err(InsertError::EmailTaken);
        }
        self.names.insert(user.name.as_str().to_owned());
        self.names_folded.insert(name_folded);
        self.emails_folded.extend(email_folded);
        Ok(())
    }
}
