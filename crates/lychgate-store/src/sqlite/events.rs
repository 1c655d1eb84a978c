//! Events for the application, in SQLite.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::events::{Change, Events, NewEvent, Open, StoredEvent, Waiting};
use serde_json::json;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::faults::store_error;

const LAST: &str = "SELECT last FROM event_sources WHERE source = ?1";
const REACH: &str = "INSERT INTO event_sources (source, last, lost) VALUES (?1, ?2, 0) \
    ON CONFLICT (source) DO UPDATE SET last = ?2";
/// Many in one statement: a list of body and time, of which the first gets the number ?2.
const INSERT: &str = "INSERT INTO events (source, number, body, at_us) \
    SELECT ?1, ?2 + key, value ->> 0, value ->> 1 FROM json_each(?3)";
/// A list of keys.
const CLOSE: &str = "DELETE FROM event_open WHERE source = ?1 AND key IN (SELECT value FROM json_each(?2))";
/// A list of key and body.
const OPEN: &str = "INSERT OR IGNORE INTO event_open (source, key, body) \
    SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)";
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
        let mut by_source: BTreeMap<&str, Vec<&NewEvent>> = BTreeMap::new();
        for event in events {
            by_source.entry(&event.source).or_default().push(event);
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        for (source, events) in by_source {
            insert(&mut transaction, source, &events).await?;
            Changes::of(&events).make(&mut transaction, source).await?;
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

/// Stores the events of one source behind its last one.
async fn insert(connection: &mut SqliteConnection, source: &str, events: &[&NewEvent]) -> Result<(), StoreError> {
    let last = sqlx::query_scalar::<_, i64>(LAST).bind(source).fetch_optional(&mut *connection);
    let last = last.await.map_err(store_error)?.unwrap_or(0);
    let rows = events.iter().map(|event| Ok(json!([event.body, signed(event.at.0)?])));
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    let reached = last + signed(rows.len() as u64)?;
    let insert = sqlx::query(INSERT).bind(source).bind(last + 1).bind(json!(rows).to_string());
    insert.execute(&mut *connection).await.map_err(store_error)?;
    sqlx::query(REACH).bind(source).bind(reached).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// What several events come to about what is open.
#[derive(Default)]
struct Changes<'a> {
    forgets: bool,
    /// Closed at some time, and perhaps opened anew behind that.
    closes: BTreeSet<&'a str>,
    /// Open at the end.
    opens: BTreeMap<&'a str, &'a str>,
}

impl<'a> Changes<'a> {
    fn of(events: &[&'a NewEvent]) -> Self {
        let mut changes = Self::default();
        for event in events {
            match &event.change {
                Change::Opens(key) => {
                    changes.opens.entry(key).or_insert(&event.body);
                }
                Change::Closes(key) => {
                    changes.opens.remove(&**key);
                    changes.closes.insert(key);
                }
                Change::Forgets => changes = Self { forgets: true, ..Self::default() },
            }
        }
        changes
    }

    async fn make(self, connection: &mut SqliteConnection, source: &str) -> Result<(), StoreError> {
        let Self { forgets, closes, opens } = self;
        let forgets = forgets.then_some([FORGET, TOLD]).into_iter().flatten();
        for statement in forgets {
            sqlx::query(statement).bind(source).execute(&mut *connection).await.map_err(store_error)?;
        }
        let (is_closed, is_opened) = (!closes.is_empty(), !opens.is_empty());
        let opens: Vec<_> = opens.into_iter().map(|(key, body)| json!([key, body])).collect();
        for (statement, list, is_needed) in [(CLOSE, json!(closes), is_closed), (OPEN, json!(opens), is_opened)] {
            if is_needed {
                let change = sqlx::query(statement).bind(source).bind(list.to_string());
                change.execute(&mut *connection).await.map_err(store_error)?;
            }
        }
        Ok(())
    }
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}
