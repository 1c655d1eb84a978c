//! What an idle, authenticated connection costs the server in memory.
//!
//! The first connections also touch code and tables that all later ones share.
//! So a few are opened before the first reading and stay open.

use anyhow::Result;
use serde_json::{Value, json};

use super::Run;
use crate::args::IdleArgs;
use crate::broadcast;
use crate::opening;

const EARLY_CONNECTIONS: usize = 64;

/// Runs it.
pub fn run(run: &mut Run, args: &IdleArgs) -> Result<Value> {
    let early = EARLY_CONNECTIONS.min(args.connections / 2);
    opening::open(&mut run.fleet, 0..early, run.concurrency as usize, 0)?;
    run.await_idle_server()?;
    let before = run.server.memory()?;
    let opening = opening::open(&mut run.fleet, early..args.connections, run.concurrency as usize, 0)?;
    run.await_idle_server()?;
    let after = run.server.memory()?;
    let connections = (args.connections - early) as f64;
    let per_connection = |before: u64, after: u64| (after as f64 - before as f64) / connections;
    // Only connections that a broadcast reaches were worth measuring.
    broadcast::settle(&mut run.fleet, args.connections, run.payload_bytes)?;
    Ok(json!({
        "rss_bytes_per_connection": per_connection(before.rss_bytes, after.rss_bytes),
        "anonymous_bytes_per_connection": per_connection(before.anonymous_bytes, after.anonymous_bytes),
        "private_dirty_bytes_per_connection": per_connection(before.private_dirty_bytes, after.private_dirty_bytes),
        "before": before,
        "after": after,
        "opening": opening,
    }))
}
