//! Revocations in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::revocations::{Numbered, Revocation, RevocationLog, Revoked};

use super::SqliteStore;
use super::faults::{seconds, store_error};

pub(super) const INSERT: &str =
    "INSERT INTO revocations (kind, name, until_s, ends_at_s, created_at_s) VALUES (?1, ?2, ?3, ?4, ?5)";
/// More than come in, so that they never pile up.
const FORGET: &str = "DELETE FROM revocations WHERE id IN \
    (SELECT id FROM revocations WHERE ends_at_s <= ?1 ORDER BY ends_at_s LIMIT 64)";
const SINCE: &str = "SELECT id, kind, name, until_s, ends_at_s FROM revocations WHERE id > ?1 ORDER BY id LIMIT ?2";

const UNBLOCK: &str = "DELETE FROM revocations WHERE kind = 'block' AND name = ?1";

/// What must be answered from an index, however many revocations there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 3] = [FORGET, SINCE, UNBLOCK];

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    name: String,
    until_s: i64,
    ends_at_s: i64,
}

impl TryFrom<Row> for Numbered {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unsigned = |number: i64| u64::try_from(number).map_err(|error| StoreError::Broken(error.into()));
        let until_s = unsigned(row.until_s)?;
        let what = match row.kind.as_str() {
            "token" => Revoked::Token(row.name),
            "session" => Revoked::Session(row.name),
            "user" => Revoked::User { subject: row.name, issued_until_s: until_s },
            "everybody" => Revoked::Everybody { issued_until_s: until_s },
            "block" => Revoked::Block { subject: row.name, until_s },
            _ => return Err(StoreError::Broken("a revocation is of no known kind".into())),
        };
        let revocation = Revocation { what, ends_at_s: unsigned(row.ends_at_s)? };
        Ok(Self { number: unsigned(row.id)?, revocation })
    }
}

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn append(&self, revocation: &Revocation, entries_max: u32, now_s: u64) -> Result<bool, StoreError> {
        let (kind, name, until_s) = match &revocation.what {
            Revoked::Token(jti) => ("token", jti.as_str(), 0),
            Revoked::Session(sid) => ("session", sid.as_str(), 0),
            Revoked::User { subject, issued_until_s } => ("user", subject.as_str(), *issued_until_s),
            Revoked::Everybody { issued_until_s } => ("everybody", "", *issued_until_s),
            Revoked::Block { subject, until_s } => ("block", subject.as_str(), *until_s),
        };
        let now_s = seconds(now_s)?;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        sqlx::query(FORGET).bind(now_s).execute(&mut *transaction).await.map_err(store_error)?;
        // Counted up to the limit alone, however many there are.
        let kept = sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM revocations LIMIT ?1)").bind(entries_max);
        let kept: i64 = kept.fetch_one(&mut *transaction).await.map_err(store_error)?;
        let has_room = kept < i64::from(entries_max);
        if let Revoked::Block { subject, .. } = &revocation.what {
            sqlx::query(UNBLOCK).bind(subject).execute(&mut *transaction).await.map_err(store_error)?;
        }
        if has_room {
            let insert = sqlx::query(INSERT).bind(kind).bind(name).bind(seconds(until_s)?);
            let insert = insert.bind(seconds(revocation.ends_at_s)?).bind(now_s);
            insert.execute(&mut *transaction).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(has_room)
    }

    async fn since(&self, after: u64, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = sqlx::query_as::<_, Row>(SINCE).bind(after).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        rows.into_iter().map(Numbered::try_from).collect()
    }
}
