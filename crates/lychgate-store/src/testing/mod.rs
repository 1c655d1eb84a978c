//! What tests share: a private Postgres server.
//!
//! It is a feature and no part of a server.
//! It panics with what is missing, as a test does: a test that was not run says nothing.

mod private_postgres;

pub use private_postgres::PrivatePostgres;
