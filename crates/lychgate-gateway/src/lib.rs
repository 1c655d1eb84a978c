//! HTTP and WebSocket: the edge of Lychgate, and the only crate that knows either.
//!
//! | room | what it owns |
//! |---|---|
//! | [`accept`] | sockets from the kernel, limits before a byte is read |
//! | [`http`] | the routes that are no WebSocket: login, health, metrics |
//! | [`ws`] | upgrade, one connection's life, its fallbacks without a WebSocket, flush, sweep |
//! | [`layers`] | what a request meets first: who is calling, which id it has |
//! | [`error`] | the one table from refusal to HTTP status |
//!
//! A handler here is short: extract, ask one use case of `lychgate-service`, map the result.
//!
//! **Absent on purpose:** decisions. Who somebody is and where they may go is answered by `lychgate-service`.

pub mod accept;
pub mod error;
pub mod gateway;
pub mod http;
pub mod layers;
pub mod metrics;
pub mod settings;
pub mod ticks;
pub mod ws;

pub use gateway::{Dependencies, Gateway};
