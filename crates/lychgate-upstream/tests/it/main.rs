//! The adapters against servers of bytes written by hand, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod callback;
mod callback_breaker;
mod callback_retry;
mod models;
mod models_faults;
mod models_splits;
mod peer;
mod remembered;
mod rights;
mod settings;
