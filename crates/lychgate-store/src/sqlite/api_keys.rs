//! API keys in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::api_keys::{ApiKeys, StoredApiKey};

use super::SqliteStore;
use super::faults::{seconds, store_error};

const FIND: &str =
    "SELECT name, hash, scopes, created_at_s, last_used_at_s, revoked_at_s FROM api_keys WHERE hash = ?1";
const LIST: &str = "SELECT name, hash, scopes, created_at_s, last_used_at_s, revoked_at_s FROM api_keys \
    WHERE name > ?1 ORDER BY name LIMIT ?2";
const REVOKE: &str = "UPDATE api_keys SET revoked_at_s = ?2 WHERE name = ?1 AND revoked_at_s IS NULL";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE name = ?1)";
/// The condition is the statement's, so that of many processes one writes.
const NOTE_USE: &str = "UPDATE api_keys SET last_used_at_s = ?2 \
    WHERE hash = ?1 AND (last_used_at_s IS NULL OR last_used_at_s <= ?3)";

/// What must be answered from an index, however many keys there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 4] = [FIND, LIST, REVOKE, NOTE_USE];

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    hash: Vec<u8>,
    scopes: String,
    created_at_s: i64,
    last_used_at_s: Option<i64>,
    revoked_at_s: Option<i64>,
}

impl TryFrom<Row> for StoredApiKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unsigned = |at_s: i64| u64::try_from(at_s).map_err(|error| StoreError::Broken(error.into()));
        let is_no_hash = |_| StoreError::Broken("the hash of an API key has not 32 bytes".into());
        Ok(Self {
            name: row.name,
            hash: row.hash.try_into().map_err(is_no_hash)?,
            scopes: row.scopes.split(' ').map(str::to_owned).collect(),
            created_at_s: unsigned(row.created_at_s)?,
            last_used_at_s: row.last_used_at_s.map(unsigned).transpose()?,
            revoked_at_s: row.revoked_at_s.map(unsigned).transpose()?,
        })
    }
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn insert(&self, key: &StoredApiKey) -> Result<bool, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO api_keys (name, hash, scopes, created_at_s, last_used_at_s, revoked_at_s) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&key.name)
        .bind(key.hash.as_slice())
        .bind(key.scopes.join(" "))
        .bind(seconds(key.created_at_s)?)
        .bind(key.last_used_at_s.map(seconds).transpose()?)
        .bind(key.revoked_at_s.map(seconds).transpose()?);
        let inserted = inserted.execute(&self.writer).await.map_err(store_error)?;
        Ok(inserted.rows_affected() == 1)
    }

    async fn find(&self, hash: &[u8; 32]) -> Result<Option<StoredApiKey>, StoreError> {
        let row = sqlx::query_as::<_, Row>(FIND).bind(hash.as_slice());
        let row = row.fetch_optional(&self.readers).await.map_err(store_error)?;
        row.map(StoredApiKey::try_from).transpose()
    }

    async fn list(&self, after: &str, limit: u32) -> Result<Vec<StoredApiKey>, StoreError> {
        let rows = sqlx::query_as::<_, Row>(LIST).bind(after).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        rows.into_iter().map(StoredApiKey::try_from).collect()
    }

    async fn revoke(&self, name: &str, now_s: u64) -> Result<Option<bool>, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let revoked = sqlx::query(REVOKE).bind(name).bind(seconds(now_s)?);
        let was_good = revoked.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() == 1;
        let exists = sqlx::query_scalar(EXISTS).bind(name);
        let exists: bool = exists.fetch_one(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(exists.then_some(was_good))
    }

    async fn note_use(&self, hash: &[u8; 32], now_s: u64, every_s: u64) -> Result<bool, StoreError> {
        // Below zero nothing is noted, and what was never used is due all the same.
        let noted_until_s = seconds(now_s)?.saturating_sub(seconds(every_s)?);
        let noted = sqlx::query(NOTE_USE).bind(hash.as_slice()).bind(seconds(now_s)?).bind(noted_until_s);
        Ok(noted.execute(&self.writer).await.map_err(store_error)?.rows_affected() == 1)
    }
}
