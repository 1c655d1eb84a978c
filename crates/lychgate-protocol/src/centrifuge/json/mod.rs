//! The protocol in JSON: objects with newlines between them.

mod command;
mod emulation;
mod lines;
mod object;
mod reply;
mod write;

pub(super) use emulation::emulation;
pub(super) use lines::Lines;
pub(super) use reply::{push, reply};
