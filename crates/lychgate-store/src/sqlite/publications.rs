//! What durable channels keep, in SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::broker::{Author, Epoch, Kept, KeptAuthor, KeptVersion, Position, Tags};
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::publications::{Addition, Publications, ReadLimit, StoredPosition, StoredPublication};
use sqlx::{FromRow, SqliteConnection};

use super::SqliteStore;
use super::faults::store_error;

const EPOCH: &str = "SELECT epoch FROM channel_positions WHERE channel = ?1";
const FORGET: &str = "DELETE FROM publications WHERE channel = ?1";
const INSERT: &str = "INSERT OR REPLACE INTO publications \
    (channel, number, payload, author_user, author_client, connection_info, channel_info, expires_at_us, tags) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const TRIM: &str = "DELETE FROM publications WHERE channel = ?1 AND number <= ?2";
const REACH: &str = "INSERT INTO channel_positions \
    (channel, epoch, reached, expires_at_us, version, version_epoch) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (channel) DO UPDATE \
    SET epoch = ?2, reached = ?3, expires_at_us = ?4, version = ?5, version_epoch = ?6";
const POSITIONS: &str = "SELECT channel, epoch, reached, expires_at_us, version, version_epoch FROM channel_positions \
    WHERE expires_at_us > ?1 ORDER BY expires_at_us DESC LIMIT ?2";
const NEWEST: &str = "SELECT number, payload, author_user, author_client, connection_info, channel_info, \
    expires_at_us, tags FROM publications WHERE channel = ?1 AND expires_at_us > ?2 ORDER BY number DESC LIMIT ?3";
const PURGE: &str = "DELETE FROM publications WHERE id IN \
    (SELECT id FROM publications WHERE expires_at_us <= ?1 LIMIT ?2)";
const PURGE_POSITIONS: &str = "DELETE FROM channel_positions WHERE channel IN \
    (SELECT channel FROM channel_positions WHERE expires_at_us <= ?1 LIMIT ?2)";

/// What must be answered from an index, however much is kept.
#[cfg(test)]
pub(super) const INDEXED: [&str; 7] = [EPOCH, FORGET, TRIM, POSITIONS, NEWEST, PURGE, PURGE_POSITIONS];

#[derive(FromRow)]
struct PositionRow {
    channel: String,
    epoch: String,
    reached: i64,
    expires_at_us: i64,
    version: Option<i64>,
    version_epoch: String,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    payload: Vec<u8>,
    author_user: Option<String>,
    author_client: Option<String>,
    connection_info: Option<String>,
    channel_info: Option<String>,
    expires_at_us: i64,
    tags: Option<String>,
}

impl TryFrom<PositionRow> for StoredPosition {
    type Error = StoreError;

    fn try_from(row: PositionRow) -> Result<Self, StoreError> {
        let no_epoch = || StoreError::Broken("the epoch of a channel is no epoch".into());
        let epoch = Epoch::parse(&row.epoch).ok_or_else(no_epoch)?;
        Ok(Self {
            channel: ChannelName::new(&row.channel).map_err(|error| StoreError::Broken(error.into()))?,
            position: Position { epoch, offset: unsigned(row.reached)? },
            version: row
                .version
                .map(|number| KeptVersion { number: number.cast_unsigned(), epoch: row.version_epoch.into() }),
            expires_at: UnixMicros(unsigned(row.expires_at_us)?),
        })
    }
}

impl TryFrom<Row> for StoredPublication {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let author = row.author_user.as_deref().map(|user| {
            Box::new(KeptAuthor::of(Author {
                user,
                client: row.author_client.as_deref().unwrap_or_default(),
                connection_info: row.connection_info.as_deref(),
                channel_info: row.channel_info.as_deref(),
            }))
        });
        let tags = row.tags.as_deref().map_or_else(|| Ok(Tags::default()), read_tags)?;
        let kept = Kept { offset: unsigned(row.number)?, payload: row.payload.into(), author, tags };
        Ok(Self { kept: Arc::new(kept), expires_at: UnixMicros(unsigned(row.expires_at_us)?) })
    }
}

#[async_trait]
impl Publications for SqliteStore {
    async fn append(&self, additions: &[Addition]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        for addition in additions {
            add(&mut transaction, addition).await?;
        }
        transaction.commit().await.map_err(store_error)
    }

    async fn positions(&self, now: UnixMicros, limit: usize) -> Result<Vec<StoredPosition>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = sqlx::query_as::<_, PositionRow>(POSITIONS).bind(signed(now.0)?).bind(limit);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        rows.into_iter().map(StoredPosition::try_from).collect()
    }

    async fn newest(
        &self,
        channel: &ChannelName,
        now: UnixMicros,
        limit: ReadLimit,
    ) -> Result<Vec<StoredPublication>, StoreError> {
        let rows = sqlx::query_as::<_, Row>(NEWEST);
        let rows = rows.bind(channel.as_str()).bind(signed(now.0)?);
        let mut rows = rows.bind(i64::try_from(limit.publications).unwrap_or(i64::MAX)).fetch(&self.readers);
        let (mut newest, mut bytes) = (Vec::new(), 0_usize);
        while let Some(row) = rows.try_next().await.map_err(store_error)? {
            bytes = bytes.saturating_add(row.payload.len());
            if bytes > limit.bytes {
                break;
            }
            newest.push(StoredPublication::try_from(row)?);
        }
        newest.reverse();
        Ok(newest)
    }

    async fn forget(&self, channel: &ChannelName) -> Result<(), StoreError> {
        sqlx::query(FORGET).bind(channel.as_str()).execute(&self.writer).await.map_err(store_error)?;
        Ok(())
    }

    async fn purge(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let mut gone = 0;
        for statement in [PURGE, PURGE_POSITIONS] {
            let purged = sqlx::query(statement).bind(signed(now.0)?).bind(limit);
            gone += purged.execute(&mut *transaction).await.map_err(store_error)?.rows_affected();
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(gone)
    }
}

async fn add(connection: &mut SqliteConnection, addition: &Addition) -> Result<(), StoreError> {
    let Addition { channel, epoch, publications, version, keep, expires_at } = addition;
    let Some(last) = publications.last() else { return Ok(()) };
    let (channel, reached) = (channel.as_str(), last.kept.offset);
    let before = sqlx::query_scalar::<_, String>(EPOCH).bind(channel);
    let before = before.fetch_optional(&mut *connection).await.map_err(store_error)?;
    if before.as_deref() != Some(epoch.as_str()) {
        sqlx::query(FORGET).bind(channel).execute(&mut *connection).await.map_err(store_error)?;
    }
    for StoredPublication { kept, expires_at } in publications {
        let author = kept.author.as_ref().map(|author| author.author());
        let insert = sqlx::query(INSERT)
            .bind(channel)
            .bind(signed(kept.offset)?)
            .bind(&*kept.payload)
            .bind(author.map(|author| author.user))
            .bind(author.map(|author| author.client))
            .bind(author.and_then(|author| author.connection_info))
            .bind(author.and_then(|author| author.channel_info))
            .bind(signed(expires_at.0)?)
            .bind(written_tags(&kept.tags)?);
        insert.execute(&mut *connection).await.map_err(store_error)?;
    }
    let gone = reached.saturating_sub(u64::try_from(*keep).unwrap_or(u64::MAX));
    if gone > 0 {
        let trim = sqlx::query(TRIM).bind(channel).bind(signed(gone)?);
        trim.execute(&mut *connection).await.map_err(store_error)?;
    }
    let reach = sqlx::query(REACH).bind(channel).bind(epoch.as_str());
    let reach = reach.bind(signed(reached)?).bind(signed(expires_at.0)?);
    let reach = reach
        .bind(version.as_ref().map(|version| version.number.cast_signed()))
        .bind(version.as_ref().map_or("", |version| &version.epoch));
    reach.execute(&mut *connection).await.map_err(store_error)?;
    Ok(())
}

/// Tags as a JSON object; none at all are none.
fn written_tags(tags: &Tags) -> Result<Option<String>, StoreError> {
    if tags.is_empty() {
        return Ok(None);
    }
    let tags: BTreeMap<&str, &str> = tags.as_slice().iter().map(|(name, value)| (&**name, &**value)).collect();
    serde_json::to_string(&tags).map(Some).map_err(|error| StoreError::Broken(error.into()))
}

fn read_tags(text: &str) -> Result<Tags, StoreError> {
    let tags = serde_json::from_str(text).map_err(|error| StoreError::Broken(error.into()))?;
    Tags::new(tags).map_err(|error| StoreError::Broken(error.into()))
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}
