//! What this server keeps on disk, and what the application's own database says of rights.
//!
//! **Invariant:** what a write reports as done outlives a crash of the program and of the machine.
//!
//! **Absent on purpose:** no type of the database library leaves this crate;
//! the ports of `lychgate-service` say what it does.

pub mod application;
pub mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

pub use sqlite::{OpenError, SqliteStore};

/// Opens the database that `url` names, and makes it if there is none.
///
/// `sqlite:data/lychgate.db` is a file relative to the working directory, `sqlite:/var/lib/lychgate/lychgate.db` an absolute one,
/// and `sqlite::memory:` a database that is gone with the program.
///
/// ```
/// use lychgate_service::ports::users::Users;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = lychgate_store::open("sqlite::memory:").await?;
/// assert_eq!(store.find_by_name("ada").await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`OpenError`] says what is wrong, with which file, and what to do about it.
pub async fn open(url: &str) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(url).await
}
