//! What can be wrong with a file of accounts and with its rows.
//!
//! **Invariant:** no fault holds a value from a row: what is printed about a line must not print the password in it.

use std::io;

use super::import_rows::LINE_BYTES_MAX;
use super::password_rule::WeakPassword;
use crate::ports::users::{AttributesFault, NameFault};

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct RowFault {
    /// The number of its line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: RowError,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The line is too long.
    #[error("the line has more than {LINE_BYTES_MAX} bytes")]
    LineLong,
    /// The line is no UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// A quote is opened and not closed.
    #[error("a quoted value is not closed on the line")]
    OpenQuote,
    /// There are more or fewer values than columns.
    #[error("it has {found} values for {expected} columns (a value that holds a comma must be quoted)")]
    ColumnCount {
        /// Values in the row.
        found: usize,
        /// Columns in the header.
        expected: usize,
    },
    /// The line is no JSON.
    #[error("it is not JSON, from column {column} on")]
    NotJson {
        /// The first column, counted from 1, that does not fit.
        column: usize,
    },
    /// The line is JSON of another shape.
    #[error(
        "up to column {column} it is not an object of name, email, password_hash, password (texts), active (true or false) and attributes (an object), each once"
    )]
    OtherJson {
        /// Where reading stopped, counted from 1.
        column: usize,
    },
    /// The column `active` says neither yes nor no.
    #[error("active is neither true nor false")]
    Active,
    /// There is neither a hash nor a password.
    #[error("it has neither a password_hash nor a password")]
    NoSecret,
    /// There is a hash and a password.
    #[error("it has a password_hash and a password; only one of them can count")]
    TwoSecrets,
    /// The name cannot be one.
    #[error("the name cannot be used: {0}")]
    Name(NameFault),
    /// The address cannot be one.
    #[error("the e-mail address cannot be used: {0}")]
    Email(NameFault),
    /// The attributes cannot be some.
    #[error(transparent)]
    Attributes(#[from] AttributesFault),
    /// No login could ever verify the hash.
    #[error(
        "the password hash is neither bcrypt ($2a$, $2b$, $2y$, cost 4 to 14) nor argon2id (version 19, memory up to 256 MiB, up to 10 passes and 16 lanes)"
    )]
    Hash,
    /// With one more kind of hash, a failed login would take too long.
    #[error("it would bring one more kind of costly password hash than failed logins can imitate in time")]
    HashingWork,
    /// The password breaks the rule.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// Somebody has the name already, in the store or further up in the file.
    #[error("the name is taken")]
    NameTaken,
    /// Somebody has the address already, in the store or further up in the file.
    #[error("the e-mail address is taken")]
    EmailTaken,
}

/// Why a file cannot be read as rows at all.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFile {
    /// The file could not be read on.
    #[error("line {line}: the file could not be read")]
    Io {
        /// The line that was being read, counted from 1.
        line: u64,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The header is none.
    #[error(
        "line {line}: the first line must name the columns: name, password_hash or password, and if wanted email, active and attributes; {what}"
    )]
    Header {
        /// The line of the header, counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}
