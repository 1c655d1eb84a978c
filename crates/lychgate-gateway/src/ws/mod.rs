//! One WebSocket, from the upgrade to the last byte.
//!
//! | file | its part |
//! |---|---|
//! | [`upgrade`] | the HTTP request: checks, credential, admission, answer |
//! | [`credential`] | where the token is |
//! | [`profile`] | how an endpoint says no |
//! | [`endpoint`] | what an endpoint is made of, with its counters |
//! | [`gate`] | what all connections share |
//! | [`connection`] | one task per socket: bytes in, frames, commands |
//! | [`socket`] | the same socket from the writing side |
//! | [`flush`] | what the hub has queued goes to the sockets |
//! | [`sweep`] | deadlines of all sockets, in one walk |
//! | [`table`] | all open sockets |
//! | [`users`] | how many connections each user has |

pub mod connection;
pub mod credential;
pub mod endpoint;
pub mod flush;
pub mod gate;
pub mod profile;
pub mod socket;
pub mod sweep;
pub mod table;
pub mod upgrade;
pub mod users;
