//! What SQLite's result codes mean to a caller (<https://www.sqlite.org/rescode.html>).

use std::path::Path;

use lychgate_service::ports::StoreError;
use sqlx::migrate::MigrateError;

use super::OpenError;

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PERM: i32 = 3;
const AUTH: i32 = 23;
const NOTADB: i32 = 26;

/// Sorts a failure of a statement by what the caller can do.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let code = primary_code(&error);
    let is_transient = matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_))
        || matches!(error, sqlx::Error::WorkerCrashed);
    match code {
        Some(FULL) => StoreError::Full(error.into()),
        Some(BUSY | LOCKED | READONLY | IOERR | CANTOPEN | PERM) => StoreError::Unavailable(error.into()),
        None if is_transient => StoreError::Unavailable(error.into()),
        _ => StoreError::Broken(error.into()),
    }
}

/// Sorts a failure on the way to an open database at `path`.
pub(super) fn open_error(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match primary_code(&error) {
        Some(NOTADB | CORRUPT) => OpenError::NotADatabase { path },
        Some(BUSY | LOCKED) => OpenError::Locked { path },
        Some(FULL) => OpenError::Full { path },
        Some(READONLY | IOERR | CANTOPEN | PERM | AUTH) => OpenError::Access { path, source: error.into() },
        _ => OpenError::Setup { path, source: error.into() },
    }
}

/// Sorts a failure of a migration of the database at `path`.
pub(super) fn migrate_error(path: &Path, error: MigrateError) -> OpenError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => open_error(path, error),
        error => OpenError::Setup { path: path.to_owned(), source: error.into() },
    }
}

/// Whether another connection held a lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

/// Whether a row was refused because what it refers to is not there.
pub(super) fn is_missing_parent(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// Unix seconds as SQLite keeps them.
pub(super) fn seconds(unix_s: u64) -> Result<i64, StoreError> {
    i64::try_from(unix_s).map_err(|error| StoreError::Broken(error.into()))
}

/// The result code without the detail that its upper bits hold.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xFF)
}
