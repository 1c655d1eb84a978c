//! The numbers by which the protocol says no, each with what a client's library does next.
//!
//! Owns three tables, from which the reference page is made: errors that answer a command ([`ErrorCode`]), reasons for
//! which a connection is closed ([`DISCONNECTS`]) and reasons for which a subscription is ended ([`UnsubscribeCode`]).
//!
//! **Invariant:** each table is sorted by number.
//!
//! **Absent on purpose:** codes below 100, which the clients' libraries give to what happens on their own side.

mod disconnect;
mod error;
mod unsubscribe;

pub use disconnect::{DISCONNECTS, DisconnectEntry, DisconnectNext, disconnect_reason};
pub use error::{ERRORS, ErrorCode, ErrorEntry, ErrorNext};
pub use unsubscribe::{UNSUBSCRIBES, UnsubscribeCode, UnsubscribeEntry, UnsubscribeNext};
