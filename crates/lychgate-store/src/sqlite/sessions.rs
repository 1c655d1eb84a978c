//! Sessions and refresh tokens in SQLite.
//!
//! A rotation reads, judges and writes under the write lock, which it takes first. So of many at once each is judged by
//! what the one before has left.

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::sessions::{
    End, EndedBy, NewRefresh, RefreshHash, RefreshState, Rotation, Sessions, Shown, StoredSession,
};
use lychgate_service::ports::users::UserId;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::faults::{seconds, store_error};

/// How many sessions that are over one login clears away: more than come in, so that they never pile up.
/// Each takes its tokens with it.
const FORGET: &str = "DELETE FROM sessions WHERE sid IN \
    (SELECT sid FROM sessions WHERE idle_ends_at_s <= ?1 ORDER BY idle_ends_at_s LIMIT 2)";
const LIVE: &str = "SELECT sid FROM sessions WHERE user_id = ?1 AND ended_at_s IS NULL AND idle_ends_at_s > ?2 \
    ORDER BY last_used_at_us, created_at_s";
const LIST: &str = "SELECT sid, user_id, address, created_at_s, last_used_at_us, ends_at_s, idle_ends_at_s, ended_at_s, \
    ended_by FROM sessions WHERE user_id = ?1 ORDER BY created_at_s DESC, sid DESC";
const FIND: &str = "SELECT s.sid, s.user_id, s.address, s.created_at_s, s.last_used_at_us, s.ends_at_s, \
    s.idle_ends_at_s, s.ended_at_s, s.ended_by FROM refresh_tokens \
    JOIN sessions AS s ON s.sid = refresh_tokens.sid WHERE hash = ?1";
const STATE: &str = "SELECT refresh_tokens.sid, used_at_us, heir, repeated, replaced, \
    refresh_tokens.idle_ends_at_s, s.ended_at_s IS NOT NULL AS is_ended, s.ends_at_s, \
    EXISTS (SELECT 1 FROM refresh_tokens AS h WHERE h.hash = refresh_tokens.heir AND h.used_at_us IS NULL \
      AND h.replaced = 0) AS has_live_heir \
    FROM refresh_tokens JOIN sessions AS s ON s.sid = refresh_tokens.sid WHERE refresh_tokens.hash = ?1";
const END: &str = "UPDATE sessions SET ended_at_s = ?2, ended_by = ?3 WHERE sid = ?1 AND ended_at_s IS NULL";
const TOUCH: &str = "UPDATE sessions SET last_used_at_us = ?2, idle_ends_at_s = ?3 WHERE sid = ?1";
const USE: &str = "UPDATE refresh_tokens SET used_at_us = ?2, heir = ?3 WHERE hash = ?1 AND used_at_us IS NULL";
const REPEAT: &str = "UPDATE refresh_tokens SET repeated = 1 WHERE hash = ?1 AND repeated = 0";
const REPLACE: &str = "UPDATE refresh_tokens SET replaced = 1 WHERE hash = ?1 AND used_at_us IS NULL AND replaced = 0";
const GIVE_HEIR: &str = "UPDATE refresh_tokens SET heir = ?2, repeated = 1 WHERE hash = ?1 AND repeated = 0";
const INSERT_TOKEN: &str = "INSERT INTO refresh_tokens (hash, sid, idle_ends_at_s) VALUES (?1, ?2, ?3)";
/// Used tokens of the session that would be over by now had nobody used them. A few with each rotation, which adds one.
const PRUNE: &str = "DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens \
    WHERE sid = ?1 AND idle_ends_at_s <= ?2 AND used_at_us IS NOT NULL LIMIT 4)";

/// What must be answered from an index, however many sessions there are.
#[cfg(test)]
pub(super) const INDEXED: [&str; 12] =
    [FORGET, LIVE, LIST, FIND, STATE, END, TOUCH, USE, REPEAT, REPLACE, GIVE_HEIR, PRUNE];

#[derive(sqlx::FromRow)]
struct Row {
    sid: String,
    user_id: i64,
    address: String,
    created_at_s: i64,
    last_used_at_us: i64,
    ends_at_s: i64,
    idle_ends_at_s: i64,
    ended_at_s: Option<i64>,
    ended_by: Option<String>,
}

impl TryFrom<Row> for StoredSession {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let by = |name: String| {
            EndedBy::named(&name).ok_or_else(|| StoreError::Broken("a session was ended by nothing known".into()))
        };
        let ended = match (row.ended_at_s, row.ended_by) {
            (Some(at_s), Some(name)) => Some((unsigned(at_s)?, by(name)?)),
            _ => None,
        };
        Ok(Self {
            sid: row.sid,
            user: UserId(row.user_id),
            address: row.address,
            created_at_s: unsigned(row.created_at_s)?,
            last_used_at_us: unsigned(row.last_used_at_us)?,
            ends_at_s: unsigned(row.ends_at_s)?,
            idle_ends_at_s: unsigned(row.idle_ends_at_s)?,
            ended,
        })
    }
}

#[derive(sqlx::FromRow)]
struct State {
    sid: String,
    used_at_us: Option<i64>,
    heir: Option<Vec<u8>>,
    repeated: bool,
    replaced: bool,
    idle_ends_at_s: i64,
    is_ended: bool,
    ends_at_s: i64,
    has_live_heir: bool,
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn open(
        &self,
        session: &StoredSession,
        first: RefreshHash,
        per_user_max: u32,
        tokens_end_at_s: u64,
    ) -> Result<Vec<String>, StoreError> {
        let now_s = session.created_at_s;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let forget = sqlx::query(FORGET).bind(seconds(now_s)?);
        forget.execute(&mut *transaction).await.map_err(store_error)?;
        let live = sqlx::query_scalar::<_, String>(LIVE).bind(session.user.0).bind(seconds(now_s)?);
        let mut ended = live.fetch_all(&mut *transaction).await.map_err(store_error)?;
        ended.truncate((ended.len() + 1).saturating_sub(per_user_max as usize));
        for sid in &ended {
            end(&mut transaction, sid, End { by: EndedBy::Limit, now_s, tokens_end_at_s }).await?;
        }
        sqlx::query(
            "INSERT INTO sessions (sid, user_id, address, created_at_s, last_used_at_us, ends_at_s, idle_ends_at_s) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(&session.sid)
        .bind(session.user.0)
        .bind(&session.address)
        .bind(seconds(session.created_at_s)?)
        .bind(micros(session.last_used_at_us)?)
        .bind(seconds(session.ends_at_s)?)
        .bind(seconds(session.idle_ends_at_s)?)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        let first = NewRefresh { hash: first, idle_ends_at_s: session.idle_ends_at_s };
        insert(&mut transaction, &session.sid, first).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(ended)
    }

    async fn find(&self, hash: &RefreshHash) -> Result<Option<StoredSession>, StoreError> {
        let row = sqlx::query_as::<_, Row>(FIND).bind(hash.as_slice());
        let row = row.fetch_optional(&self.readers).await.map_err(store_error)?;
        row.map(StoredSession::try_from).transpose()
    }

    async fn rotate(&self, shown: &Shown) -> Result<Rotation, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let state = sqlx::query_as::<_, State>(STATE).bind(shown.hash.as_slice());
        let Some(state) = state.fetch_optional(&mut *transaction).await.map_err(store_error)? else {
            return Ok(Rotation::Unknown);
        };
        let verdict = RefreshState {
            used_at_us: state.used_at_us.map(unsigned).transpose()?,
            is_repeated: state.repeated,
            is_replaced: state.replaced,
            idle_ends_at_s: unsigned(state.idle_ends_at_s)?,
            has_live_heir: state.has_live_heir,
            is_ended: state.is_ended,
            session_ends_at_s: unsigned(state.ends_at_s)?,
        }
        .verdict(shown);
        match verdict {
            Rotation::Rotated | Rotation::Replaced => {
                succeed(&mut transaction, &state, shown).await?;
            }
            Rotation::Repeated => {
                let repeat = sqlx::query(REPEAT).bind(shown.hash.as_slice());
                once(repeat.execute(&mut *transaction).await)?;
            }
            Rotation::Replayed => {
                let (now_s, tokens_end_at_s) = (shown.now.seconds(), shown.tokens_end_at_s);
                end(&mut transaction, &state.sid, End { by: EndedBy::Replay, now_s, tokens_end_at_s }).await?;
            }
            Rotation::RepeatedBefore | Rotation::Ended | Rotation::Over | Rotation::Unknown => return Ok(verdict),
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(verdict)
    }

    async fn end(&self, sid: &str, how: End) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let ended = end(&mut transaction, sid, how).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(ended)
    }

    async fn end_all_of(&self, user: UserId, how: End) -> Result<u32, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let live = sqlx::query_scalar::<_, String>(LIVE).bind(user.0).bind(seconds(how.now_s)?);
        let live = live.fetch_all(&mut *transaction).await.map_err(store_error)?;
        let mut ended = 0;
        for sid in &live {
            ended += u32::from(end(&mut transaction, sid, how).await?);
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(ended)
    }

    async fn list(&self, user: UserId) -> Result<Vec<StoredSession>, StoreError> {
        let rows = sqlx::query_as::<_, Row>(LIST).bind(user.0);
        let rows = rows.fetch_all(&self.readers).await.map_err(store_error)?;
        rows.into_iter().map(StoredSession::try_from).collect()
    }
}

/// The heir takes the place of the shown token, or of the heir that it had.
async fn succeed(connection: &mut SqliteConnection, state: &State, shown: &Shown) -> Result<(), StoreError> {
    let (hash, heir) = (shown.hash.as_slice(), shown.heir.hash.as_slice());
    match &state.heir {
        None => {
            let update = sqlx::query(USE).bind(hash).bind(micros(shown.now.0)?).bind(heir);
            once(update.execute(&mut *connection).await)?;
        }
        Some(before) => {
            once(sqlx::query(REPLACE).bind(before).execute(&mut *connection).await)?;
            once(sqlx::query(GIVE_HEIR).bind(hash).bind(heir).execute(&mut *connection).await)?;
        }
    }
    insert(connection, &state.sid, shown.heir).await?;
    let now_s = seconds(shown.now.seconds())?;
    let touch =
        sqlx::query(TOUCH).bind(&state.sid).bind(micros(shown.now.0)?).bind(seconds(shown.heir.idle_ends_at_s)?);
    once(touch.execute(&mut *connection).await)?;
    let prune = sqlx::query(PRUNE).bind(&state.sid).bind(now_s);
    prune.execute(&mut *connection).await.map_err(store_error)?;
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, sid: &str, new: NewRefresh) -> Result<(), StoreError> {
    let insert = sqlx::query(INSERT_TOKEN).bind(new.hash.as_slice()).bind(sid).bind(seconds(new.idle_ends_at_s)?);
    insert.execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Ends a session and revokes its access tokens.
async fn end(connection: &mut SqliteConnection, sid: &str, how: End) -> Result<bool, StoreError> {
    let update = sqlx::query(END).bind(sid).bind(seconds(how.now_s)?).bind(how.by.name());
    let ended = update.execute(&mut *connection).await.map_err(store_error)?.rows_affected() == 1;
    if ended {
        let revoke = sqlx::query(super::revocations::INSERT).bind("session").bind(sid).bind(0);
        let revoke = revoke.bind(seconds(how.tokens_end_at_s)?).bind(seconds(how.now_s)?);
        revoke.execute(connection).await.map_err(store_error)?;
    }
    Ok(ended)
}

/// A write that its condition cannot have kept from happening: it was read under the same lock.
fn once(done: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>) -> Result<(), StoreError> {
    match done.map_err(store_error)?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Broken("a refresh token is not as it was read".into())),
    }
}

fn micros(unix_us: u64) -> Result<i64, StoreError> {
    i64::try_from(unix_us).map_err(|error| StoreError::Broken(error.into()))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::Broken(error.into()))
}
