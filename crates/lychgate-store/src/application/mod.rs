//! Rights by one query against the application's own database, SQLite or Postgres.
//!
//! The operator writes the query; what a client sends is only ever bound to it.
//!
//! **Invariant:** nothing of the application's is changed: connections are read-only,
//! and the query is run as a part of a SELECT, where the grammar has no place for a write.
//! No value becomes text of a query, and no password of the URL text of an error.
//!
//! **Absent on purpose:** no cache. What the application has committed is what the next question sees.

use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::rights::{Answer, Question, Rights, RightsError};

mod open_error;
mod outcome;
mod place;
mod postgres;
mod postgres_types;
mod query;
mod scan;
mod sqlite;
#[cfg(test)]
mod tests;
mod values;

pub use open_error::OpenError;

use place::Place;
use query::Query;

/// How much one question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a question may take, the wait for a connection included; 2 s by default.
    pub timeout: Duration,
    /// Connections to the application's database; 4 by default. More questions than that wait for one.
    pub connections_max: u32,
    /// The largest answer in bytes: the columns of the row, as JSON; 65,536 by default.
    pub answer_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), connections_max: 4, answer_bytes_max: 64 * 1024 }
    }
}

/// Answers questions with one query. Clones share its connections.
///
/// A question ends within [`Limits::timeout`], and nothing is remembered.
///
/// For a member a row is a yes and no row is a no.
/// For an owner no row means that there is no such resource; the first column of the first row is whose it is,
/// compared with the user as text and byte for byte.
/// The other columns become the answer's attributes, for a member all of them.
#[derive(Clone)]
pub struct ApplicationRights(Database);

#[derive(Clone)]
enum Database {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// Opens the application's database and has it check `query`.
///
/// `url` is `sqlite:path` of a file that exists, or `postgres://user:password@host/database`; TLS is as `sslmode` says,
/// and a password may also come from `PGPASSWORD` or `~/.pgpass`.
///
/// `query` is one SELECT, which may begin with WITH.
/// In it `:user` is the verified user, `:resource` the name of the resource, and each of `parameters` what the request
/// said; a dot is written as an underscore, so that `query.room` is `:query_room`.
/// A parameter that the request left out is NULL.
///
/// # Errors
///
/// [`OpenError`] says what is wrong with the URL or the query, in the database's own words where it was asked.
pub async fn open(url: &str, query: &str, parameters: &[&str], limits: Limits) -> Result<ApplicationRights, OpenError> {
    let place = Place::parse(url)?;
    let query = Query::parse(query, parameters, place.dialect())?;
    let database = match place {
        Place::Sqlite(path) => Database::Sqlite(sqlite::Sqlite::open(&path, query, limits).await?),
        Place::Postgres(options) => Database::Postgres(postgres::Postgres::open(*options, query, limits).await?),
    };
    Ok(ApplicationRights(database))
}

impl ApplicationRights {
    /// Closes every connection once its last question has ended.
    pub async fn close(&self) {
        match &self.0 {
            Database::Sqlite(sqlite) => sqlite.close().await,
            Database::Postgres(postgres) => postgres.close().await,
        }
    }
}

#[async_trait]
impl Rights for ApplicationRights {
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        match &self.0 {
            Database::Sqlite(sqlite) => sqlite.ask(question).await,
            Database::Postgres(postgres) => postgres.ask(question).await,
        }
    }
}

/// How long [`Readiness::is_ready`] waits for an answer.
const READY_WAIT: Duration = Duration::from_secs(1);

#[async_trait]
impl Readiness for ApplicationRights {
    fn name(&self) -> &'static str {
        "application database"
    }

    async fn is_ready(&self) -> bool {
        let ping = async {
            match &self.0 {
                Database::Sqlite(sqlite) => sqlite.ping().await,
                Database::Postgres(postgres) => postgres.ping().await,
            }
        };
        matches!(tokio::time::timeout(READY_WAIT, ping).await, Ok(true))
    }
}
