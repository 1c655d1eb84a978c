//! A fixed rate that leaves nothing to batch: CPU per delivery and latency.

use anyhow::Result;
use serde_json::Value;

use super::Run;
use super::paced::{self, Pace};
use crate::args::RateArgs;
use crate::broadcast;

/// Runs it.
pub fn run(run: &mut Run, args: &RateArgs) -> Result<Value> {
    run.open_all()?;
    broadcast::settle(&mut run.fleet, args.receivers, run.payload_bytes)?;
    let pace = Pace { publisher: 1, receivers: args.receivers, rate: args.rate, seconds: args.seconds };
    Ok(paced::publish(run, &pace)?.report())
}
