//! The query in Postgres.
//!
//! Each connection is read-only and ends a statement of its own accord when its time is over,
//! so that a question that was given up frees its connection.

use lychgate_service::ports::rights::{Answer, Question, RightsError};
use serde_json::{Map, Value as Json};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Either, Executor, PgPool, SqlSafeStr, Statement};

use super::outcome::{Row, answer, broken, first_name, unavailable};
use super::postgres_types::Kind;
use super::query::Query;
use super::values::{Value, values};
use super::{Limits, OpenError};

/// What the first column is called inside, so that its place and not its name says which one it is.
const FIRST: &str = "lychgate.first";

/// What a value that is none of its type is refused with: invalid text, out of range, invalid time
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const NO_VALUE: [&str; 4] = ["22P02", "22003", "22007", "22008"];

/// A query, and the connections that it is run on.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: PgPool,
    query: Query,
    sql: String,
    kinds: Vec<Kind>,
    first_name: String,
    limits: Limits,
}

/// A query as the database understood it.
struct Checked {
    sql: String,
    kinds: Vec<Kind>,
    first_name: String,
}

impl Postgres {
    pub(super) async fn open(options: PgConnectOptions, query: Query, limits: Limits) -> Result<Self, OpenError> {
        let place = describe(&options);
        let timeout_ms = limits.timeout.as_millis().clamp(1, i32::MAX as u128).to_string();
        let options =
            if options.get_application_name().is_none() { options.application_name("lychgate") } else { options };
        // The last one of a name counts, so what PGOPTIONS says does not.
        let options = options
            .options([("default_transaction_read_only", "on"), ("statement_timeout", &timeout_ms)])
            .disable_statement_logging();
        let opened = async {
            let mut connection = options.connect().await.map_err(|error| OpenError::of(&place, &error, false))?;
            let checked = check(&mut connection, &place, &query, limits).await;
            let _ = connection.close().await;
            checked
        };
        let checked =
            tokio::time::timeout(limits.timeout, opened).await.map_err(|_| OpenError::too_slow(&place)).flatten()?;
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections_max.max(1))
            .acquire_timeout(limits.timeout)
            .connect_lazy_with(options);
        let Checked { sql, kinds, first_name } = checked;
        Ok(Self { pool, query, sql, kinds, first_name, limits })
    }

    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        let values = values(self.query.slots(), question);
        let row = match tokio::time::timeout(self.limits.timeout, self.row(&values)).await {
            Ok(row) => row?,
            Err(slow) => return Err(unavailable(slow)),
        };
        Ok(answer(question, &self.first_name, row))
    }

    async fn row(&self, values: &[Value]) -> Result<Option<Row>, RightsError> {
        // The text is the operator's, read at the start; values are bound.
        let mut query = sqlx::query(AssertSqlSafe(self.sql.clone()));
        for (kind, value) in self.kinds.iter().zip(values) {
            query = match kind.bind(query, value) {
                Some(query) => query,
                None => return Ok(None),
            };
        }
        let row = match query.fetch_optional(&self.pool).await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            Err(error) if self.is_no_value(&error) => return Ok(None),
            Err(error) => return Err(rights_error(error)),
        };
        let (owner, columns): (Option<String>, Option<String>) = sqlx::FromRow::from_row(&row).map_err(rights_error)?;
        let columns = columns.ok_or_else(|| broken("the row is larger than an answer may be"))?;
        let mut others: Map<String, Json> = serde_json::from_str(&columns).map_err(broken)?;
        let first = others.remove(FIRST).ok_or_else(|| broken("the row has no first column"))?;
        Ok(Some(Row { owner, first, others }))
    }

    /// Whether a value was none of the type that the database makes of it. In all other queries that is a failure.
    fn is_no_value(&self, error: &sqlx::Error) -> bool {
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| NO_VALUE.contains(&&*code))
            && self.kinds.iter().any(|kind| matches!(kind, Kind::Cast(_)))
    }

    pub(super) async fn ping(&self) -> bool {
        sqlx::query("SELECT 1").fetch_optional(&self.pool).await.is_ok()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Has the database read the query, and makes of it what is run.
async fn check(
    connection: &mut PgConnection,
    place: &str,
    query: &Query,
    limits: Limits,
) -> Result<Checked, OpenError> {
    let refused = |error| OpenError::of(place, &error, true);
    // Each place of a name has a number of its own, so that each can have a type of its own.
    let bare = AssertSqlSafe(query.render(|n| format!("${}", n + 1)));
    let statement = (&mut *connection).prepare(bare.into_sql_str()).await.map_err(refused)?;
    let first_name = first_name(statement.columns().iter().map(Column::name))?;
    let types = match statement.parameters() {
        Some(Either::Left(types)) => types.to_vec(),
        _ => Vec::new(),
    };
    let mut kinds = Vec::with_capacity(types.len());
    for info in &types {
        kinds.push(Kind::of(info, &mut *connection).await.map_err(refused)?);
    }
    if kinds.len() != query.slots().len() {
        return Err(OpenError::Query("the database counts other parameters in it".to_owned()));
    }
    let sql = wrap(query, &kinds, limits);
    (&mut *connection).prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await.map_err(refused)?;
    // A plan is made for those alone who may read the tables; nothing is read for it.
    let mut plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}")));
    for kind in &kinds {
        plan = kind.bind(plan, &Value::Null).ok_or_else(|| OpenError::Query("a parameter takes no NULL".to_owned()))?;
    }
    plan.fetch_all(&mut *connection).await.map_err(refused)?;
    Ok(Checked { sql, kinds, first_name })
}

/// The query as part of one that gives its first row as text and as JSON, whatever types its columns have.
///
/// Inside of another SELECT it can only be one itself: Postgres takes no write there.
fn wrap(query: &Query, kinds: &[Kind], limits: Limits) -> String {
    let inner = query.render(|n| kinds[n].placeholder(n + 1));
    let spellings: Vec<_> = kinds.iter().enumerate().filter_map(|(n, kind)| kind.spelling(n + 1)).collect();
    let condition = if spellings.is_empty() { "TRUE".to_owned() } else { spellings.join(" AND ") };
    let bytes_max = limits.answer_bytes_max;
    format!(
        "SELECT owner, CASE WHEN octet_length(columns) <= {bytes_max} THEN columns END FROM (\
         SELECT asked.\"{FIRST}\"::text AS owner, row_to_json(asked)::text AS columns FROM (\n\
         {inner}\n\
         ) AS asked (\"{FIRST}\") WHERE {condition} LIMIT 1) AS answered"
    )
}

/// Which database the options name, without what is secret.
fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres:{}/{database}", socket.display()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

fn rights_error(error: sqlx::Error) -> RightsError {
    let code = error.as_database_error().and_then(|error| error.code());
    // Connection, authorization, catalog, resources, a lock or a restart: each may be over at the next question.
    let is_away = match code {
        Some(code) => {
            ["08", "28", "3D", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "55P03"
        }
        None => matches!(
            error,
            sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed
        ),
    };
    if is_away { unavailable(error) } else { broken(error) }
}
