//! What tests of this crate and of its adapters share: ports kept in memory, and the suite that every adapter passes.
//!
//! It is a feature and no part of a server.
//! The suite panics with the rule that was broken, as a test does.

mod api_keys_suite;
mod events_suite;
mod keys_suite;
mod memory;
mod memory_api_keys;
mod memory_events;
mod memory_publications;
mod memory_sessions;
mod memory_systems;
mod messages_suite;
mod publications_suite;
mod quick_hashes;
mod registry_suite;
mod revocations_suite;
mod sessions_suite;
mod tickets_suite;
mod users_suite;

pub use api_keys_suite::api_keys_conformance;
pub use events_suite::events_conformance;
pub use keys_suite::keys_conformance;
pub use memory::{Fault, MemoryKeys, MemoryUsers, new_user};
pub use memory_api_keys::MemoryApiKeys;
pub use memory_events::MemoryEvents;
pub use memory_publications::MemoryPublications;
pub use memory_sessions::{MemorySessions, nothing_revoked};
pub use memory_systems::{MemoryMessages, MemoryRegistry, MemoryTickets};
pub use messages_suite::messages_conformance;
pub use publications_suite::publications_conformance;
pub use quick_hashes::{HashWork, QuickHashes};
pub use registry_suite::registry_conformance;
pub use revocations_suite::revocations_conformance;
pub use sessions_suite::{SessionsWorld, sessions_conformance};
pub use tickets_suite::tickets_conformance;
pub use users_suite::users_conformance;
