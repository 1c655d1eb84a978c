//! Receivers that stop reading: do the others notice, and does the server's memory stay bounded?
//!
//! The stuck ones have receive buffers of a fixed size, since the kernel would otherwise let them grow to megabytes.
//! The server's kernel still takes a few megabytes for each, so a run must send more than that to reach the server's own limit.
//! At the end they are read again, which shows whether the server had given them up and with which close code.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Run;
use super::paced::{self, Pace};
use crate::args::StuckArgs;
use crate::broadcast;
use crate::fleet::{Fleet, Signal};
use crate::opening;

const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Runs it.
pub fn run(run: &mut Run, args: &StuckArgs) -> Result<Value> {
    ensure!(args.stuck < args.receivers, "somebody must keep reading");
    let healthy = args.receivers - args.stuck;
    let concurrency = run.concurrency as usize;
    opening::open(&mut run.fleet, 0..healthy, concurrency, 0)?;
    run.fleet.set_receive_buffer(Some(RECEIVE_BUFFER_BYTES));
    opening::open(&mut run.fleet, healthy..args.receivers, concurrency, 0)?;
    broadcast::settle(&mut run.fleet, args.receivers, run.payload_bytes)?;

    let pace = |publisher| Pace { publisher, receivers: healthy, rate: args.rate, seconds: args.seconds };
    let calm = paced::publish(run, &pace(1))?;
    let before = run.server.memory()?;
    for slot in healthy..args.receivers {
        run.fleet.mute(slot)?;
    }
    let stuck = paced::publish(run, &pace(2))?;
    let after = run.server.memory()?;
    for slot in healthy..args.receivers {
        run.fleet.unmute(slot)?;
    }
    let endings = read_out(&mut run.fleet)?;
    Ok(json!({
        "calm": calm.report(),
        "stuck": stuck.report(),
        "p99_ratio": stuck.latency.p99_us / calm.latency.p99_us,
        "peak_growth_bytes_per_stuck": (after.peak_bytes as f64 - before.rss_bytes as f64) / args.stuck as f64,
        "before": before,
        "after": after,
        "stuck_bytes_each": args.rate * args.seconds * run.payload_bytes as u64,
        "stuck_given_up": endings.values().sum::<u64>(),
        "endings": endings,
    }))
}

/// Reads all connections until nothing more comes and counts how they ended.
fn read_out(fleet: &mut Fleet) -> Result<BTreeMap<String, u64>> {
    let mut endings = BTreeMap::new();
    let silence_ns = Duration::from_secs(1).as_nanos() as u64;
    let until_ns = fleet.now_ns() + 10 * silence_ns;
    let mut last_arrival_ns = fleet.now_ns();
    while fleet.now_ns() < until_ns.min(last_arrival_ns + silence_ns) {
        let now_ns = fleet.now_ns();
        fleet.turn(Duration::from_millis(50), &mut |_, signal| {
            last_arrival_ns = now_ns;
            if let Signal::Ended(ending) = signal {
                *endings.entry(format!("{ending:?}")).or_default() += 1;
            }
        })?;
    }
    Ok(endings)
}
