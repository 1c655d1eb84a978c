//! The program: configuration, wiring, lifecycle and commands.
//!
//! It sees every other crate and decides nothing they decide.
//! It is a library with a thin `main.rs`, so that tests and tools read a configuration as the server does.

pub mod commands;
pub mod config;
pub mod import;
pub mod lifecycle;
pub mod wiring;
