//! What happens: the use cases, the policies and the ports that they need.
//!
//! **Absent on purpose:** no HTTP, no SQL and no sockets; adapters bring them through the ports.

pub mod accounts;
pub mod admission;
pub mod api_key_office;
pub mod channels;
pub mod codec;
pub mod conversation;
pub mod directory;
pub mod events;
pub mod grants;
pub mod identity;
pub mod issue;
pub mod journal;
pub mod limits;
pub mod local_broker;
pub mod login_throttle;
pub mod naming;
pub mod policy;
pub mod ports;
pub mod presence;
pub mod principal;
pub mod proof;
pub mod publish;
pub mod registry_rights;
pub mod revocations;
pub mod session_office;
pub mod streams;
pub mod subscribe;
pub mod target;
pub mod template;
#[cfg(feature = "testing")]
pub mod testing;
pub mod ticket_office;
