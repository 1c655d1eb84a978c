//! The routes that are no WebSocket.

pub mod api;
pub mod fixed;
pub mod login;
pub mod messages;
pub mod operations;
pub mod test_token;
pub mod ticket;
