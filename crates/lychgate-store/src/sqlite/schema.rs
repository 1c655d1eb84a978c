//! Whose database a file is, and its way from an older schema to this version's.
//!
//! **Invariant:** a file that is another program's, or a newer version's, is closed as it was found.

use std::path::Path;
use std::sync::LazyLock;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use super::OpenError;
use super::connect::Setup;
use super::faults::{migrate_error, open_error};

/// Every schema this version knows, in order. Written out: the macro for it would compile SQLite a second time, for the compiler.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "accounts", include_str!("../../migrations/sqlite/0001_accounts.sql")),
        migration(2, "systems", include_str!("../../migrations/sqlite/0002_systems.sql")),
        migration(3, "attributes", include_str!("../../migrations/sqlite/0003_attributes.sql")),
        migration(4, "api_keys", include_str!("../../migrations/sqlite/0004_api_keys.sql")),
        migration(5, "publications", include_str!("../../migrations/sqlite/0005_publications.sql")),
        migration(6, "tags", include_str!("../../migrations/sqlite/0006_tags.sql")),
        migration(7, "events", include_str!("../../migrations/sqlite/0007_events.sql")),
        migration(8, "sessions", include_str!("../../migrations/sqlite/0008_sessions.sql")),
    ])
});

/// `PRAGMA application_id` of our databases: "LYCH".
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"LYCH");

/// Looks whether the database may be taken: it is empty, or ours and of a schema that this version knows.
pub(super) async fn inspect(setup: &Setup) -> Result<(), OpenError> {
    let mut connection = setup.visitor().await?;
    let verdict = look(&mut connection, setup.path()).await;
    // The verdict is what matters; a connection that does not close in order is dropped.
    let _ = connection.close().await;
    verdict
}

async fn look(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| open_error(path, error);
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await.map_err(failed)?;
    let application_id: i32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(failed)?;
    match (application_id, tables) {
        (APPLICATION_ID, _) => {}
        (0, 0) => return Ok(()),
        _ => return Err(OpenError::Foreign { path: path.into() }),
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let (found, known) = (found.unwrap_or_default(), known_version());
    if found > known { Err(OpenError::Newer { path: path.into(), found, known }) } else { Ok(()) }
}

/// Brings the database to this version's schema, whole or not at all.
///
/// It holds the write lock from before it looks what is missing:
/// of several servers that start at once one migrates, and the others find it done.
pub(super) async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let failed = |error| open_error(path, error);
    let mut transaction = writer.begin_with("BEGIN EXCLUSIVE").await.map_err(failed)?;
    MIGRATIONS.run(&mut *transaction).await.map_err(|error| migrate_error(path, error))?;
    transaction.commit().await.map_err(failed)
}

fn known_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}
