//! Rights by one query, against a real SQLite file and a real Postgres server.

mod postgres;
mod sqlite;
mod support;
