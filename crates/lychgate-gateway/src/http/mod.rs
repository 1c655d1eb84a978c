//! The routes that are no WebSocket.

pub mod operations;
pub mod test_token;
pub mod token;
