//! The signing key in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::keys::{Keys, StoredKey};
use secrecy::ExposeSecret;
use sqlx::{FromRow, Sqlite, SqliteExecutor};

use super::SqliteStore;
use super::faults::store_error;

#[derive(FromRow)]
struct Row {
    kid: String,
    algorithm: String,
    pkcs8: Vec<u8>,
    created_at_s: i64,
}

impl Row {
    fn into_key(self) -> Result<StoredKey, StoreError> {
        Ok(StoredKey {
            kid: self.kid,
            algorithm: self.algorithm,
            pkcs8: self.pkcs8.into(),
            created_at_s: u64::try_from(self.created_at_s).map_err(|error| StoreError::Broken(error.into()))?,
        })
    }
}

#[async_trait]
impl Keys for SqliteStore {
    async fn signing_key(&self) -> Result<Option<StoredKey>, StoreError> {
        current(&self.readers).await
    }

    async fn load_or_insert_signing_key(&self, candidate: StoredKey) -> Result<StoredKey, StoreError> {
        // A key that is there is read without writing, so that a server starts on a full disk.
        if let Some(key) = current(&self.readers).await? {
            return Ok(key);
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        if let Some(key) = current(&mut *transaction).await? {
            return Ok(key);
        }
        sqlx::query::<Sqlite>(
            "INSERT INTO signing_keys (kid, algorithm, pkcs8, is_current, created_at_s) VALUES (?1, ?2, ?3, 1, ?4)",
        )
        .bind(&candidate.kid)
        .bind(&candidate.algorithm)
        .bind(candidate.pkcs8.expose_secret())
        .bind(i64::try_from(candidate.created_at_s).map_err(|error| StoreError::Broken(error.into()))?)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(candidate)
    }
}

async fn current<'e>(executor: impl SqliteExecutor<'e>) -> Result<Option<StoredKey>, StoreError> {
    let row =
        sqlx::query_as::<_, Row>("SELECT kid, algorithm, pkcs8, created_at_s FROM signing_keys WHERE is_current = 1");
    let row = row.fetch_optional(executor).await.map_err(store_error)?;
    row.map(Row::into_key).transpose()
}
