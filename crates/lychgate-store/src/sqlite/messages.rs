//! Messages and reactions in SQLite.

use std::collections::HashMap;

use async_trait::async_trait;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::messages::{
    AppendRefused, Author, MessageId, Messages, NewMessage, REACTIONS_MAX, Reacted, Reaction, StoredMessage,
};
use lychgate_service::ports::users::UserId;
use sqlx::{FromRow, SqliteConnection};

use super::SqliteStore;
use super::faults::{is_missing_parent, store_error};

const HISTORY: &str = "SELECT id, channel, kind, author_id, author_subject, author_name, payload, at_us FROM messages \
    WHERE channel = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
/// The reactions to the same page. CROSS JOIN keeps SQLite from beginning with the reactions.
const REACTIONS: &str = "WITH page (id) AS \
      (SELECT id FROM messages WHERE channel = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3) \
    SELECT reactions.message_id, reactions.subject, reactions.emoji \
    FROM page CROSS JOIN reactions ON reactions.message_id = page.id ORDER BY reactions.id";
const TRIM: &str = "DELETE FROM messages WHERE channel = ?1 AND id <= \
    (SELECT id FROM messages WHERE channel = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1 AND channel = ?2)";
const COUNT: &str = "SELECT count(*) FROM reactions WHERE message_id = ?1";
const HAS: &str = "SELECT EXISTS (SELECT 1 FROM reactions WHERE message_id = ?1 AND subject = ?2 AND emoji = ?3)";
const UNREACT: &str = "DELETE FROM reactions WHERE message_id = ?1 AND subject = ?2 AND emoji = ?3";

/// What must be answered from an index, however many messages there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 7] = [HISTORY, REACTIONS, TRIM, EXISTS, COUNT, HAS, UNREACT];

#[derive(FromRow)]
struct Row {
    id: i64,
    channel: String,
    kind: String,
    author_id: Option<i64>,
    author_subject: String,
    author_name: String,
    payload: String,
    at_us: i64,
}

impl Row {
    fn into_message(self, reactions: &mut HashMap<i64, Vec<Reaction>>) -> Result<StoredMessage, StoreError> {
        let message = NewMessage {
            channel: ChannelName::new(&self.channel).map_err(|error| StoreError::Broken(error.into()))?,
            kind: self.kind,
            author: Author {
                user_id: self.author_id.map(UserId),
                subject: self.author_subject,
                name: self.author_name,
            },
            payload: self.payload,
            at: UnixMicros(u64::try_from(self.at_us).map_err(|error| StoreError::Broken(error.into()))?),
        };
        let reactions = reactions.remove(&self.id).unwrap_or_default();
        Ok(StoredMessage { id: MessageId(self.id), message, reactions })
    }
}

#[async_trait]
impl Messages for SqliteStore {
    async fn append(&self, messages: &[NewMessage]) -> Result<Vec<Result<MessageId, AppendRefused>>, StoreError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(insert(&mut transaction, message).await?);
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(answers)
    }

    async fn history(
        &self,
        channel: &ChannelName,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let before = before.map_or(i64::MAX, |id| id.0);
        // Both halves see the same state of the database.
        let mut transaction = self.readers.begin().await.map_err(store_error)?;
        let rows = sqlx::query_as::<_, Row>(HISTORY).bind(channel.as_str()).bind(before).bind(limit);
        let rows = rows.fetch_all(&mut *transaction).await.map_err(store_error)?;
        let came = sqlx::query_as::<_, (i64, String, String)>(REACTIONS);
        let came = came.bind(channel.as_str()).bind(before).bind(limit);
        let came = came.fetch_all(&mut *transaction).await.map_err(store_error)?;
        transaction.rollback().await.map_err(store_error)?;

        let mut reactions: HashMap<i64, Vec<Reaction>> = HashMap::new();
        for (message, subject, emoji) in came {
            reactions.entry(message).or_default().push(Reaction { subject, emoji });
        }
        rows.into_iter().map(|row| row.into_message(&mut reactions)).collect()
    }

    async fn trim(&self, channel: &ChannelName, keep: u32) -> Result<u64, StoreError> {
        let trimmed = sqlx::query(TRIM).bind(channel.as_str()).bind(keep);
        Ok(trimmed.execute(&self.writer).await.map_err(store_error)?.rows_affected())
    }

    async fn react(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        if !exists(&mut transaction, channel, message).await? {
            return Ok(Reacted::NoMessage);
        }
        let has = sqlx::query_scalar(HAS).bind(message.0).bind(&reaction.subject).bind(&reaction.emoji);
        if has.fetch_one(&mut *transaction).await.map_err(store_error)? {
            return Ok(Reacted::Unchanged);
        }
        let count: u32 =
            sqlx::query_scalar(COUNT).bind(message.0).fetch_one(&mut *transaction).await.map_err(store_error)?;
        if count >= REACTIONS_MAX {
            return Ok(Reacted::TooMany);
        }
        sqlx::query("INSERT INTO reactions (message_id, subject, emoji) VALUES (?1, ?2, ?3)")
            .bind(message.0)
            .bind(&reaction.subject)
            .bind(&reaction.emoji)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Reacted::Changed)
    }

    async fn unreact(
        &self,
        channel: &ChannelName,
        message: MessageId,
        reaction: &Reaction,
    ) -> Result<Reacted, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        if !exists(&mut transaction, channel, message).await? {
            return Ok(Reacted::NoMessage);
        }
        let gone = sqlx::query(UNREACT).bind(message.0).bind(&reaction.subject).bind(&reaction.emoji);
        let gone = gone.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() == 1;
        transaction.commit().await.map_err(store_error)?;
        Ok(if gone { Reacted::Changed } else { Reacted::Unchanged })
    }
}

/// Stores one message; a refused one leaves the transaction as it was.
async fn insert(
    connection: &mut SqliteConnection,
    message: &NewMessage,
) -> Result<Result<MessageId, AppendRefused>, StoreError> {
    let at_us = i64::try_from(message.at.0).map_err(|error| StoreError::Broken(error.into()))?;
    let stored = sqlx::query(
        "INSERT INTO messages (channel, kind, author_id, author_subject, author_name, payload, at_us) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    );
    let stored = stored
        .bind(message.channel.as_str())
        .bind(&message.kind)
        .bind(message.author.user_id.map(|id| id.0))
        .bind(&message.author.subject)
        .bind(&message.author.name)
        .bind(&message.payload)
        .bind(at_us);
    match stored.execute(connection).await {
        Ok(done) => Ok(Ok(MessageId(done.last_insert_rowid()))),
        // The foreign key decides, so that no user can go between a check and the insert.
        Err(error) if is_missing_parent(&error) => Ok(Err(AppendRefused::UnknownAuthor)),
        Err(error) => Err(store_error(error)),
    }
}

async fn exists(
    connection: &mut SqliteConnection,
    channel: &ChannelName,
    message: MessageId,
) -> Result<bool, StoreError> {
    let exists = sqlx::query_scalar(EXISTS).bind(message.0).bind(channel.as_str());
    exists.fetch_one(connection).await.map_err(store_error)
}
