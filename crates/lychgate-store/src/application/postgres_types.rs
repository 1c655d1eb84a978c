//! How a value gets to Postgres, whose parameters have types of their own.
//!
//! Postgres says itself what type each parameter has where it stands, and a value that is none of that type is in no row.
//! So a column of numbers is compared with a number and a column of text with a text, whatever the value looks like.
//!
//! **Invariant:** a value counts in the one spelling that the database itself would print: 7 is not 07,
//! and a UUID is in lower case.

use sqlx::postgres::{PgArguments, PgConnection, PgTypeInfo};
use sqlx::query::Query as SqlxQuery;
use sqlx::{Postgres as Database, TypeInfo};

use super::values::{Value, integer};

/// How a parameter is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int2,
    Int4,
    Int8,
    Text,
    /// As text, which the database makes a value of the type with this name.
    Cast(String),
}

impl Kind {
    /// How a parameter of type `info` is bound.
    pub(super) async fn of(info: &PgTypeInfo, connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        Ok(match info.name() {
            "INT2" => Self::Int2,
            "INT4" => Self::Int4,
            "INT8" => Self::Int8,
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => Self::Text,
            _ => {
                // The database's own name for it, with its schema and quotes where they are needed.
                let oid = info.oid().map_or(0, |oid| i64::from(oid.0));
                let name: String = sqlx::query_scalar("SELECT format_type($1::bigint::oid, NULL)")
                    .bind(oid)
                    .fetch_one(connection)
                    .await?;
                Self::Cast(name)
            }
        })
    }

    /// What stands in the query for parameter `number`, counted from 1.
    pub(super) fn placeholder(&self, number: usize) -> String {
        match self {
            Self::Cast(name) => format!("CAST(${number}::text AS {name})"),
            _ => format!("${number}"),
        }
    }

    /// The condition that keeps other spellings out, where the type knows several of one value.
    pub(super) fn spelling(&self, number: usize) -> Option<String> {
        let Self::Cast(name) = self else { return None };
        let printed = match name.as_str() {
            // It remembers with how many zeros it was written.
            "numeric" => format!("trim_scale(CAST(${number}::text AS numeric))"),
            _ => format!("CAST(${number}::text AS {name})"),
        };
        Some(format!("(${number}::text IS NULL OR {printed}::text = ${number}::text)"))
    }

    /// Binds `value`; `None` when it is no value of this type.
    pub(super) fn bind<'q>(
        &self,
        query: SqlxQuery<'q, Database, PgArguments>,
        value: &Value,
    ) -> Option<SqlxQuery<'q, Database, PgArguments>> {
        let number = match value {
            Value::Null | Value::Real(_) => None,
            Value::Integer(number) => Some(*number),
            Value::Text(text) => integer(text),
        };
        let text = match value {
            Value::Null | Value::Real(_) => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.clone()),
        };
        let is_null = matches!(value, Value::Null);
        Some(match self {
            Self::Int2 if is_null => query.bind(None::<i16>),
            Self::Int4 if is_null => query.bind(None::<i32>),
            Self::Int8 if is_null => query.bind(None::<i64>),
            Self::Text | Self::Cast(_) if is_null => query.bind(None::<String>),
            Self::Int2 => query.bind(i16::try_from(number?).ok()?),
            Self::Int4 => query.bind(i32::try_from(number?).ok()?),
            Self::Int8 => query.bind(number?),
            // No text of Postgres's has a NUL in it.
            Self::Text | Self::Cast(_) => query.bind(text.filter(|text| !text.contains('\0'))?),
        })
    }
}
