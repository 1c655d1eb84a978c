//! Why a database could not be opened, and what to do about it.

use std::path::PathBuf;

/// Why a database could not be opened.
///
/// Its text names the file and ends with what to do; a program prints it and stops.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no database.
    #[error(
        "the database URL {url:?} cannot be used: {what}. Write sqlite: and a path, such as sqlite:data/lychgate.db"
    )]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The folder is missing and cannot be made.
    #[error("the folder {path:?} of the database cannot be made. Make it, or let this user make it")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The file, or a file that SQLite puts beside it, cannot be read and written.
    #[error(
        "the database {path:?} cannot be read and written. Give this user the file and its folder, on a disk that takes writes"
    )]
    Access {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others can read the file, and that cannot be changed.
    #[error(
        "the database {path:?} holds keys and password hashes, and others can read it (mode {mode:o}). Set its mode to 600"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Why they cannot be changed.
        #[source]
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{path:?} is not a SQLite database, or is damaged. Name another file, or restore this one from a backup")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database is another program's.
    #[error("{path:?} is the database of another program. Name another file; a new one is made if there is none")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database {path:?} was made by a newer version (schema {found}; this version knows {known}). Run that version, or restore a backup from before"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that it has.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// Another program keeps the database locked.
    #[error("the database {path:?} is locked by another program. End that program or its transaction, and try again")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no space to set the database up.
    #[error("there is no space on the disk of the database {path:?}. Make some, and try again")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Setting the database up failed in a way that has no name of its own.
    #[error("the database {path:?} cannot be set up. Restore it from a backup, or name another file")]
    Setup {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
