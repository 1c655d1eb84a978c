//! The query in SQLite.
//!
//! A value is compared as SQLite compares: text with a column of numbers as a number, if it reads as one.
//! So a text that reads as a number without being its spelling is asked about twice,
//! and gets no row where the number gets one as well.

use std::path::Path;
use std::time::Instant;

use lychgate_service::ports::rights::{Answer, Question, RightsError};
use serde_json::{Map, Value as Json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow, SqliteValueRef};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Decode, Executor, Row as _, SqlSafeStr, SqliteConnection,
    SqlitePool, Statement, TypeInfo, ValueRef,
};

use super::outcome::{Row, answer, broken, first_name, unavailable};
use super::query::Query;
use super::values::{Value, mistaken, values};
use super::{Limits, OpenError};

const NOMEM: i32 = 7;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;

/// How many steps of its machine SQLite takes between two looks at the clock: well under a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// A query, and the connections that it is run on.
#[derive(Clone)]
pub(super) struct Sqlite {
    pool: SqlitePool,
    query: Query,
    sql: String,
    names: Vec<String>,
    limits: Limits,
}

impl Sqlite {
    pub(super) async fn open(path: &Path, query: Query, limits: Limits) -> Result<Self, OpenError> {
        let place = format!("sqlite:{}", path.display());
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(limits.timeout)
            .pragma("query_only", "ON")
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let bare = query.render(|n| format!("?{}", n + 1));
        // As part of another SELECT it can only be one itself: a write is an error of syntax.
        let sql = format!("SELECT * FROM (\n{bare}\n) LIMIT 1");
        let names = async {
            let mut connection = options.connect().await.map_err(|error| OpenError::of(&place, &error, false))?;
            let checked = check(&mut connection, &place, bare, &sql).await;
            let _ = connection.close().await;
            checked
        };
        let names =
            tokio::time::timeout(limits.timeout, names).await.map_err(|_| OpenError::too_slow(&place)).flatten()?;
        first_name(names.iter().map(String::as_str))?;
        let pool = SqlitePoolOptions::new()
            .max_connections(limits.connections_max.max(1))
            .acquire_timeout(limits.timeout)
            .connect_lazy_with(options);
        Ok(Self { pool, query, sql, names, limits })
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        let ends_at = Instant::now() + self.limits.timeout;
        match tokio::time::timeout(self.limits.timeout, self.ask_until(question, ends_at)).await {
            Ok(answer) => answer,
            Err(slow) => Err(unavailable(slow)),
        }
    }

    async fn ask_until(&self, question: &Question, ends_at: Instant) -> Result<Answer, RightsError> {
        let values = values(self.query.slots(), question);
        let mut connection = self.pool.acquire().await.map_err(rights_error)?;
        // A dropped question does not end a statement that runs on the connection's own thread; this does.
        let mut handle = connection.lock_handle().await.map_err(rights_error)?;
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || Instant::now() < ends_at);
        drop(handle);
        let mut row = self.row(&mut connection, &values).await?;
        for (n, value) in values.iter().enumerate() {
            let Value::Text(text) = value else { continue };
            if row.is_some()
                && let Some(number) = mistaken(text)
            {
                let mut others = values.clone();
                others[n] = number;
                if self.row(&mut connection, &others).await?.is_some() {
                    row = None;
                }
            }
        }
        let row = row.map(|row| self.read(&row)).transpose()?;
        Ok(answer(question, &self.names[0], row))
    }

    async fn row(&self, connection: &mut SqliteConnection, values: &[Value]) -> Result<Option<SqliteRow>, RightsError> {
        // The text is the operator's, read at the start; values are bound.
        let mut query = sqlx::query(AssertSqlSafe(self.sql.clone()));
        for value in values {
            query = match value {
                Value::Null => query.bind(None::<i64>),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.clone()),
            };
        }
        query.fetch_optional(connection).await.map_err(rights_error)
    }

    fn read(&self, row: &SqliteRow) -> Result<Row, RightsError> {
        if row.len() != self.names.len() {
            return Err(broken("the columns of the query are not what they were at the start"));
        }
        let mut others = Map::new();
        let mut bytes = 0;
        let mut first = Json::Null;
        for (n, name) in self.names.iter().enumerate() {
            let is_boolean = row.column(n).type_info().name() == "BOOLEAN";
            let value = json(row.try_get_raw(n).map_err(rights_error)?, is_boolean)
                .map_err(|error| broken(format!("column {name}: {error}")))?;
            bytes += name.len() + value.as_str().map_or(8, str::len);
            if n == 0 {
                first = value;
            } else {
                others.insert(name.clone(), value);
            }
        }
        if bytes > self.limits.answer_bytes_max as usize {
            return Err(broken("the row is larger than an answer may be"));
        }
        let owner = match &first {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => number.as_i64().map(|number| number.to_string()),
            _ => None,
        };
        Ok(Row { owner, first, others })
    }

    pub(super) async fn ping(&self) -> bool {
        sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(&self.pool).await.is_ok()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Has SQLite read both forms of the query; returns the names of its columns.
async fn check(
    connection: &mut SqliteConnection,
    place: &str,
    bare: String,
    sql: &str,
) -> Result<Vec<String>, OpenError> {
    let refused = |error| OpenError::of(place, &error, true);
    let statement = connection.prepare(AssertSqlSafe(bare).into_sql_str()).await.map_err(refused)?;
    let names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    connection.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.map_err(refused)?;
    Ok(names)
}

fn json(value: SqliteValueRef<'_>, is_boolean: bool) -> Result<Json, String> {
    if value.is_null() {
        return Ok(Json::Null);
    }
    let kind = value.type_info().name().to_owned();
    let failed = |error: sqlx::error::BoxDynError| error.to_string();
    match kind.as_str() {
        "INTEGER" => {
            let number = <i64 as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(failed)?;
            Ok(match number {
                0 | 1 if is_boolean => Json::Bool(number == 1),
                number => number.into(),
            })
        }
        "REAL" => Ok(<f64 as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(failed)?.into()),
        "TEXT" => Ok(<String as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(failed)?.into()),
        kind => Err(format!("a value of type {kind} has no form in JSON")),
    }
}

fn rights_error(error: sqlx::Error) -> RightsError {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok()).map(|code| code & 0xFF);
    match (code, &error) {
        (Some(BUSY | LOCKED | INTERRUPT | IOERR | CANTOPEN | PROTOCOL | NOMEM), _)
        | (
            None,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed,
        ) => unavailable(error),
        _ => broken(error),
    }
}
