//! Events for the application, in SQLite.

use std::collections::HashMap;

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::events::{Change, Events, NewEvent, Open, StoredEvent, Waiting};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::faults::store_error;

const LAST: &str = "SELECT last FROM event_sources WHERE source = ?1";
const REACH: &str = "INSERT INTO event_sources (source, last, lost) VALUES (?1, ?2, 0) \
    ON CONFLICT (source) DO UPDATE SET last = ?2";
const INSERT: &str = "INSERT INTO events (source, number, body, at_us) VALUES (?1, ?2, ?3, ?4)";
const OPEN: &str = "INSERT OR IGNORE INTO event_open (source, key, body) VALUES (?1, ?2, ?3)";
const CLOSE: &str = "DELETE FROM event_open WHERE source = ?1 AND key = ?2";
const FORGET: &str = "DELETE FROM event_open WHERE source = ?1";
const TOLD: &str = "UPDATE event_sources SET lost = 0 WHERE source = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM events WHERE source = ?1";
const LOST: &str = "SELECT lost FROM event_sources WHERE source = ?1";
const OLDEST: &str = "SELECT number, body, at_us FROM events WHERE source = ?1 ORDER BY number LIMIT ?2";
const REMOVE: &str = "DELETE FROM events WHERE source = ?1 AND number <= ?2";
const LIST: &str = "SELECT key, body FROM event_open WHERE source = ?1 ORDER BY key LIMIT ?2";
const NOTE: &str = "INSERT INTO event_sources (source, last, lost) VALUES (?1, 0, ?2) \
    ON CONFLICT (source) DO UPDATE SET lost = lost + ?2";

/// What must be answered from an index, however much waits.
#[cfg(test)]
pub(super) const INDEXED: [&str; 8] = [LAST, CLOSE, FORGET, COUNT, LOST, OLDEST, REMOVE, LIST];

#[async_trait]
impl Events for SqliteStore {
    async fn append(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let mut reached: HashMap<&str, i64> = HashMap::new();
        for event in events {
            let last = match reached.get(&*event.source) {
                Some(last) => *last,
                None => last_number(&mut transaction, &event.source).await?,
            };
            insert(&mut transaction, event, last + 1).await?;
            reached.insert(&event.source, last + 1);
        }
        for (source, last) in reached {
            run(&mut transaction, REACH, source, last).await?;
        }
        // Behind the rows of the sources, so that there is one.
        for event in events.iter().filter(|event| event.change == Change::Forgets) {
            sqlx::query(TOLD).bind(&*event.source).execute(&mut *transaction).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)
    }

    async fn waiting(&self, source: &str) -> Result<Waiting, StoreError> {
        let count = sqlx::query_scalar::<_, i64>(COUNT).bind(source);
        let events = count.fetch_one(&self.readers).await.map_err(store_error)?;
        let lost = sqlx::query_scalar::<_, i64>(LOST).bind(source);
        let lost = lost.fetch_optional(&self.readers).await.map_err(store_error)?;
        Ok(Waiting { events: unsigned(events)?, lost: unsigned(lost.unwrap_or(0))? })
    }

    async fn oldest(&self, source: &str, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query_as::<_, (i64, String, i64)>(OLDEST).bind(source).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        let stored = rows.into_iter().map(|(number, body, at_us)| {
            Ok(StoredEvent { number: unsigned(number)?, body: body.into(), at: UnixMicros(unsigned(at_us)?) })
        });
        stored.collect()
    }

    async fn remove(&self, source: &str, through: u64) -> Result<u64, StoreError> {
        // A number that is too large for the database is larger than any in it.
        let through = i64::try_from(through).unwrap_or(i64::MAX);
        let removed = sqlx::query(REMOVE).bind(source).bind(through).execute(&self.writer);
        Ok(removed.await.map_err(store_error)?.rows_affected())
    }

    async fn open(&self, source: &str, limit: u32) -> Result<Vec<Open>, StoreError> {
        let rows = sqlx::query_as::<_, (String, String)>(LIST).bind(source).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        Ok(rows.into_iter().map(|(key, body)| Open { key: key.into(), body: body.into() }).collect())
    }

    async fn note_lost(&self, source: &str, count: u64) -> Result<(), StoreError> {
        let note = sqlx::query(NOTE).bind(source).bind(signed(count)?).execute(&self.writer);
        note.await.map_err(store_error)?;
        Ok(())
    }
}

async fn last_number(connection: &mut SqliteConnection, source: &str) -> Result<i64, StoreError> {
    let last = sqlx::query_scalar::<_, i64>(LAST).bind(source).fetch_optional(connection);
    Ok(last.await.map_err(store_error)?.unwrap_or(0))
}

async fn insert(connection: &mut SqliteConnection, event: &NewEvent, number: i64) -> Result<(), StoreError> {
    let NewEvent { source, body, at, change } = event;
    let row = sqlx::query(INSERT).bind(&**source).bind(number).bind(&**body).bind(signed(at.0)?);
    row.execute(&mut *connection).await.map_err(store_error)?;
    let changed = match change {
        Change::Opens(key) => sqlx::query(OPEN).bind(&**source).bind(&**key).bind(&**body),
        Change::Closes(key) => sqlx::query(CLOSE).bind(&**source).bind(&**key),
        Change::Forgets => sqlx::query(FORGET).bind(&**source),
    };
    changed.execute(connection).await.map_err(store_error)?;
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
    source: &str,
    number: i64,
) -> Result<(), StoreError> {
    sqlx::query(statement).bind(source).bind(number).execute(connection).await.map_err(store_error)?;
    Ok(())
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}
