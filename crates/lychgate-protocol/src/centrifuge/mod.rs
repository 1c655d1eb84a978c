//! The Centrifuge client protocol without IO: many channels on one socket, in JSON or Protobuf.
//!
//! Owns what a client's message means ([`Commands`]), how answers and pushes are written ([`Writer`]), the codes of
//! errors and endings ([`code`]) and the deltas between two publications ([`delta`]).
//! A WebSocket message holds one or more commands or replies: JSON objects with a newline between them, or Protobuf
//! messages with their length in front of each.
//!
//! **Invariant:** what a client sent is borrowed from its message, so a claimed length allocates nothing; payloads pass
//! untouched, except that the newlines between the tokens of a JSON payload go, since a newline ends an object.
//!
//! **Absent on purpose:** the order of a session (connect first, one pong per ping), rights, and time.
//! They belong to whoever holds the connection. Nor is there anything of map and shared-poll subscriptions, of channel
//! ids in place of names, or of the one-way transports, whose clients never speak.

pub mod code;
mod command;
mod commands;
mod data;
pub mod delta;
mod emulation;
mod encoding;
mod json;
mod malformed;
mod protobuf;
mod reply;
mod writer;

pub use command::{Command, Connect, History, Method, Publish, Refresh, Rpc, StreamPosition, SubRefresh, Subscribe};
pub use commands::Commands;
pub use data::{BadData, Data, DataKind};
pub use emulation::EmulationRequest;
pub use encoding::Encoding;
pub use malformed::Malformed;
pub use reply::{
    ClientInfo, ConnectResult, ErrorReply, HistoryResult, Publication, Push, RefreshResult, Reply, SubscribePush,
    SubscribeResult,
};
pub use writer::Writer;
