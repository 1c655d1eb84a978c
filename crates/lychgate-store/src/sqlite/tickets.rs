//! One-time tickets in SQLite.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::tickets::{StoredTicket, Tickets};

use super::SqliteStore;
use super::faults::{seconds, store_error};

/// How many tickets that nobody took one new ticket clears away: more than come in, so that they never pile up.
const FORGET: &str = "DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at_s <= ?1 ORDER BY expires_at_s LIMIT 16)";
const TAKE: &str = "DELETE FROM tickets WHERE hash = ?1 AND expires_at_s > ?2 RETURNING claims";

/// What must be answered from an index, however many tickets there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 2] = [FORGET, TAKE];

#[async_trait]
impl Tickets for SqliteStore {
    async fn put(&self, ticket: &StoredTicket, now_s: u64) -> Result<(), StoreError> {
        let (expires_at_s, now_s) = (seconds(ticket.expires_at_s)?, seconds(now_s)?);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        sqlx::query(FORGET).bind(now_s).execute(&mut *transaction).await.map_err(store_error)?;
        sqlx::query("INSERT INTO tickets (hash, claims, expires_at_s) VALUES (?1, ?2, ?3)")
            .bind(ticket.hash.as_slice())
            .bind(&ticket.claims)
            .bind(expires_at_s)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn take(&self, hash: &[u8; 32], now_s: u64) -> Result<Option<String>, StoreError> {
        // All rows are asked for, though there is at most one: the statement then runs to its end, which is its commit,
        // and a commit that fails is told.
        let taken = sqlx::query_scalar(TAKE).bind(hash.as_slice()).bind(seconds(now_s)?);
        let mut taken: Vec<String> = taken.fetch_all(&self.writer).await.map_err(store_error)?;
        Ok(taken.pop())
    }
}
