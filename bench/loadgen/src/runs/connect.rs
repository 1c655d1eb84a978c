//! Handshakes: each connection is closed as soon as it is accepted, and the next one starts.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::Run;
use crate::args::ConnectArgs;
use crate::fleet::Signal;
use crate::histogram::Histogram;
use crate::process::Process;

/// Runs it.
pub fn run(run: &mut Run, args: &ConnectArgs) -> Result<Value> {
    let mut histogram = Histogram::new();
    let mut started_at_ns = vec![0; run.fleet.len()];
    let mut accepted = Vec::new();
    let mut ended = None;
    let (server_before, client_before) = (run.server.cpu()?, Process::own().cpu()?);
    let first_ns = run.fleet.now_ns();
    let mut idle: Vec<usize> = (0..run.fleet.len()).collect();
    let (mut started, mut done) = (0, 0);
    while done < args.handshakes {
        while started < args.handshakes
            && let Some(slot) = idle.pop()
        {
            started_at_ns[slot] = run.fleet.now_ns();
            run.fleet.start(slot, started as usize)?;
            started += 1;
        }
        run.fleet.turn(Duration::from_millis(100), &mut |slot, signal| match signal {
            Signal::Opened => accepted.push(slot),
            Signal::Message { .. } => {}
            Signal::Ended(ending) => ended = Some(ending),
        })?;
        if let Some(ending) = ended {
            bail!("a handshake failed after {done} good ones: {ending:?}");
        }
        let now_ns = run.fleet.now_ns();
        for slot in accepted.drain(..) {
            histogram.record(now_ns - started_at_ns[slot]);
            run.fleet.close(slot);
            idle.push(slot);
            done += 1;
        }
    }
    let seconds = (run.fleet.now_ns() - first_ns) as f64 / 1e9;
    let client = client_before.until(&Process::own().cpu()?);
    // Taking a connection down is part of its price.
    run.await_idle_server()?;
    let server = server_before.until(&run.server.cpu()?);
    Ok(json!({
        "handshakes_per_s": done as f64 / seconds,
        "server_ns_per_handshake": server.per(done),
        "client_ns_per_handshake": client.per(done),
        "latency": histogram.latency(),
        "server": server,
    }))
}
