//! One connection, from its request to the last byte.
//!
//! | file | its part |
//! |---|---|
//! | [`upgrade`] | the HTTP request: checks, answer, task |
//! | [`credential`] | where the credential is |
//! | [`admit`] | who it is and where they may go, and entering there |
//! | [`profile`] | how an endpoint says no |
//! | [`endpoint`] | what an endpoint is made of, with its counters |
//! | [`fallback`] | the same connection where no WebSocket gets through |
//! | [`gate`] | what all connections share |
//! | [`changes`] | changes of the registry, felt at once |
//! | [`connection`] | one task per socket: bytes in, frames |
//! | [`speaker`] | what becomes of each frame |
//! | [`attending`], [`ending`] | that the application is told of it, and how it has ended |
//! | [`standing`] | what an admitted connection holds |
//! | `parked` | what a peer says meanwhile |
//! | [`waiting`] | what takes its time, and how it goes on |
//! | `joining` | entering with a history, also when the connection goes meanwhile |
//! | [`socket`] | the same socket from the writing side |
//! | [`writer`] | TCP, or the body of an answer |
//! | [`flush`] | what the hub has queued goes to the sockets |
//! | [`sweep`] | deadlines of all sockets, in one walk |
//! | [`table`] | all open sockets |
//! | [`users`] | how many connections each user has |
//! | [`seats`] | how many at one endpoint, and which makes room |

pub mod admit;
pub mod attending;
pub mod changes;
pub mod channels;
pub mod connection;
pub mod credential;
pub mod ending;
pub mod endpoint;
pub mod fallback;
pub mod flush;
pub mod gate;
mod joining;
mod parked;
pub mod profile;
pub mod revoked;
pub mod seats;
pub mod socket;
pub mod speaker;
pub mod standing;
pub mod sweep;
pub mod table;
pub mod upgrade;
pub mod users;
pub mod waiting;
pub mod writer;
