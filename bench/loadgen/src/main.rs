//! `loadgen`: loads one WebSocket server on this machine and checks every frame that comes back.
//!
//! One run, one mode, one JSON object on standard output.
//! The server must listen on a loopback address; the number of sockets, the length and the whole run time are bounded.

mod args;
mod broadcast;
mod fleet;
mod frame;
mod histogram;
mod ledger;
mod mark;
mod opening;
mod process;
mod route;
mod runs;
mod socket;
mod speech;

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Value, json};

use crate::args::{Args, Mode};
use crate::fleet::Fleet;
use crate::process::Process;
use crate::route::Route;
use crate::runs::Run;
use crate::speech::Speech;

/// Descriptors beside the sockets: epoll, standard streams, files in `/proc`.
const OTHER_DESCRIPTORS: u64 = 64;

fn main() -> Result<()> {
    let args = Args::parse();
    let report = run(&args)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}").context("cannot write the report")
}

fn run(args: &Args) -> Result<Value> {
    let slots = args.mode.slots();
    socket::raise_descriptor_limit(slots as u64 + OTHER_DESCRIPTORS)?;
    if let Some(core) = args.core {
        socket::pin(core)?;
    }
    let route = Route::new(args.target, &args.path, args.tokens.as_deref())?;
    let lazy = (args.lazy_us > 0).then(|| Duration::from_micros(args.lazy_us));
    let speech = Speech::to(args.subscribe.as_deref());
    let mut run = Run {
        fleet: Fleet::new(route, slots, Duration::from_secs(args.run_s_max), lazy, speech)?,
        server: Process::new(args.server_pid),
        payload_bytes: args.payload_bytes,
        concurrency: args.concurrency,
    };
    let (name, result) = match &args.mode {
        Mode::Probe(mode) => ("probe", runs::probe::run(&mut run, mode)?),
        Mode::Idle(mode) => ("idle", runs::idle::run(&mut run, mode)?),
        Mode::Channels(mode) => ("channels", runs::channels::run(&mut run, mode)?),
        Mode::Fanout(mode) => ("fanout", runs::fanout::run(&mut run, mode)?),
        Mode::Rate(mode) => ("rate", runs::rate::run(&mut run, mode)?),
        Mode::Connect(mode) => ("connect", runs::connect::run(&mut run, mode)?),
        Mode::Storm(mode) => ("storm", runs::storm::run(&mut run, mode)?),
        Mode::Echo(mode) => ("echo", runs::echo::run(&mut run, mode)?),
        Mode::Stuck(mode) => ("stuck", runs::stuck::run(&mut run, mode)?),
    };
    Ok(json!({
        "mode": name,
        "parameters": args.mode,
        "payload_bytes": args.payload_bytes,
        "concurrency": args.concurrency,
        "lazy_us": args.lazy_us,
        "result": result,
        "server_memory": run.server.memory()?,
    }))
}
