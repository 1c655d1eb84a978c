//! Redis: a copy of presence for programs that look it up there.
//!
//! **Absent on purpose:** messages do not pass through Redis, and nothing is read from it.

mod connection;
mod open_error;
mod presence;

pub use open_error::OpenError;
pub use presence::RedisPresence;
