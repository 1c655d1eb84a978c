//! What tests of this crate and of its adapters share: ports kept in memory, and the suite that every adapter passes.
//!
//! It is a feature and no part of a server.
//! The suite panics with the rule that was broken, as a test does.

mod keys_suite;
mod memory;
mod quick_hashes;
mod users_suite;

pub use keys_suite::keys_conformance;
pub use memory::{Fault, MemoryKeys, MemoryUsers, new_user};
pub use quick_hashes::{HashWork, QuickHashes};
pub use users_suite::users_conformance;
