//! `limit`: a WebSocket broadcast server that does the least that can be done.
//!
//! One thread, one epoll, frames encoded once and passed on as they came, nothing kept and nothing logged.
//! It is no product: it has no limits, no policy and no close handshake.
//! What it costs is what the kernel costs, so other servers are measured as a multiple of it.
//!
//! `/ws` broadcasts to everybody on `/ws`, the sender included; `/echo` answers the sender alone.
//! Both want `?token=` with an HS256 token.

mod faults;
mod frames;
mod handshake;
mod room;
mod server;

use std::net::SocketAddrV4;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::faults::Faults;
use crate::handshake::Gate;
use crate::server::Server;

/// The least a WebSocket broadcast server can do.
#[derive(Parser)]
struct Args {
    /// Address and port to listen on.
    #[arg(long)]
    listen: SocketAddrV4,
    /// Environment variable that holds the HS256 secret.
    #[arg(long, default_value = "BENCH_SECRET")]
    secret_env: String,
    /// When a socket is written to.
    #[arg(long, value_enum, default_value_t = Write::Batched)]
    write: Write,
    /// Drop every so many-th frame of a receiver, to see that the load generator finds it.
    #[arg(long, default_value_t = 0)]
    drop_every: u64,
    /// Send every so many-th frame of a receiver twice.
    #[arg(long, default_value_t = 0)]
    duplicate_every: u64,
    /// Swap every so many-th frame of a receiver with the one before it in the same batch.
    #[arg(long, default_value_t = 0)]
    swap_every: u64,
}

/// When a socket is written to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Write {
    /// Once per frame.
    Each,
    /// Once per batch: all frames that one round of reads brought.
    Batched,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let gate = Gate::new(&std::env::var(&args.secret_env)?);
    let faults = Faults::new(args.drop_every, args.duplicate_every, args.swap_every);
    Server::bind(args.listen, gate, args.write == Write::Batched, faults)?.run()
}
