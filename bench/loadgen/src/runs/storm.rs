//! The reconnect storm: all connections are reset at once and come back as fast as the server lets them.

use anyhow::Result;
use serde_json::{Value, json};

use super::Run;
use crate::args::StormArgs;
use crate::broadcast;
use crate::opening;

/// Runs it.
pub fn run(run: &mut Run, args: &StormArgs) -> Result<Value> {
    run.open_all()?;
    broadcast::settle(&mut run.fleet, args.connections, run.payload_bytes)?;

    let server_before = run.server.cpu()?;
    let cut_at_ns = run.fleet.now_ns();
    for slot in 0..args.connections {
        run.fleet.cut(slot)?;
    }
    let cut_s = (run.fleet.now_ns() - cut_at_ns) as f64 / 1e9;
    let opening = opening::open(&mut run.fleet, 0..args.connections, args.parallel, args.connections)?;
    let mut publisher = run.fleet.publisher(1, run.payload_bytes);
    let broadcasts = broadcast::reach_all(&mut run.fleet, args.connections, &mut publisher)?;
    let seconds = (run.fleet.now_ns() - cut_at_ns) as f64 / 1e9;
    let server = server_before.until(&run.server.cpu()?);
    Ok(json!({
        "seconds": seconds,
        "server_cpu_s": server.cpu_ns as f64 / 1e9,
        "cut_s": cut_s,
        "opening": opening,
        "broadcasts": broadcasts,
        "server": server,
    }))
}
