//! One message under way per connection: the round trip of a server that does nothing else.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::Run;
use crate::args::EchoArgs;
use crate::broadcast::Publisher;
use crate::fleet::Signal;
use crate::histogram::Histogram;
use crate::ledger::Ledger;
use crate::mark;

const WARM_UP: Duration = Duration::from_millis(500);
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(run: &mut Run, args: &EchoArgs) -> Result<Value> {
    run.open_all()?;
    let payload_bytes = run.payload_bytes;
    let mut publishers: Vec<Publisher> =
        (0..args.connections).map(|slot| run.fleet.publisher(slot as u32, payload_bytes)).collect();
    let mut answered: Vec<usize> = (0..args.connections).collect();
    let mut ledger = Ledger::new(args.connections);
    let mut histogram = Histogram::new();
    let mut reader = mark::Reader::new();
    let (mut strangers, mut ended) = (0_u64, None);
    let mut frames = Vec::new();

    let warm_until_ns = run.fleet.now_ns() + WARM_UP.as_nanos() as u64;
    let until_ns = warm_until_ns + Duration::from_secs(args.seconds).as_nanos() as u64;
    let mut measuring = None;
    let mut measured = None;
    loop {
        let now_ns = run.fleet.now_ns();
        if measuring.is_none() && now_ns >= warm_until_ns {
            histogram = Histogram::new();
            measuring = Some((run.server.cpu()?, ledger.delivered()));
        }
        if let Some((before, delivered_before)) = &measuring
            && measured.is_none()
            && now_ns >= until_ns
        {
            let round_trips = ledger.delivered() - delivered_before;
            measured = Some((before.until(&run.server.cpu()?), round_trips, histogram.latency()));
        }
        if measured.is_some() {
            // What is still under way gets a last chance before it counts as lost.
            if answered.len() == args.connections || now_ns > until_ns + LAST_CHANCE.as_nanos() as u64 {
                break;
            }
        } else {
            for slot in answered.drain(..) {
                frames.clear();
                publishers[slot].append(run.fleet.now_ns(), &mut frames);
                run.fleet.send(slot, &frames)?;
            }
        }
        run.fleet.turn(Duration::from_millis(100), &mut |slot, signal| match signal {
            Signal::Opened => {}
            Signal::Message { payload, read_at_ns } => match reader.read(payload) {
                Some(mark) if mark.publisher as usize == slot => {
                    ledger.record(slot, mark.sequence);
                    histogram.record(read_at_ns.saturating_sub(mark.due_ns));
                    answered.push(slot);
                }
                _ => strangers += 1,
            },
            Signal::Ended(ending) => ended = Some((slot, ending)),
        })?;
        if let Some((slot, ending)) = ended {
            bail!("connection {slot} ended: {ending:?}");
        }
    }
    let Some((server, round_trips, latency)) = measured else { bail!("the measurement never began") };
    Ok(json!({
        "round_trips_per_s": round_trips as f64 / server.wall_s,
        "server_ns_per_round_trip": server.per(round_trips),
        "latency": latency,
        "tally": ledger.finish_each(|slot| publishers[slot].sent()),
        "strangers": strangers,
        "server": server,
    }))
}
