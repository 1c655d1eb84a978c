//! The protocol in Protobuf: messages with their lengths in front.
//!
//! The field numbers are those of the public schema. Both directions borrow, so nothing is copied on the way in and
//! each byte once on the way out.

mod command;
mod emulation;
mod messages;
mod read;
mod reply;
mod write;

pub(super) use emulation::emulation;
pub(super) use messages::Messages;
pub(super) use reply::{push, reply};
