//! What happens: the use cases, the policies and the ports that they need.
//!
//! **Absent on purpose:** no HTTP, no SQL and no sockets; adapters bring them through the ports.

pub mod accounts;
pub mod admission;
pub mod issue;
pub mod limits;
pub mod local_broker;
pub mod login_throttle;
pub mod policy;
pub mod ports;
pub mod principal;
pub mod publish;
pub mod subscribe;
#[cfg(feature = "testing")]
pub mod testing;
