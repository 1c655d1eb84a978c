//! What a further channel costs the server in memory, on a connection that holds one already.
//!
//! Every connection subscribes by one message to all of them. They are the same channels for everybody, or each connection's
//! own: then a channel has one member, and what it costs by itself is in the figure.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use memchr::memmem;
use serde_json::{Value, json};

use super::Run;
use crate::args::ChannelsArgs;
use crate::broadcast;
use crate::fleet::Signal;
use crate::frame;

/// Turns of 100 ms without an answer after which the server is taken to have none.
const SILENT_TURNS_MAX: u32 = 100;

/// Runs it.
pub fn run(run: &mut Run, args: &ChannelsArgs) -> Result<Value> {
    let opening = run.open_all()?;
    run.await_idle_server()?;
    let before = run.server.memory()?;
    let further = args.channels - 1;
    let wanted = args.connections * further;
    let mut entered = 0;
    for slot in 0..args.connections {
        let mut frames = Vec::new();
        frame::append_text(commands(further, args.own.then_some(slot)).as_bytes(), &mut frames);
        run.fleet.send(slot, &frames)?;
        // One after another, so that what is under way at once does not count.
        let until = (slot + 1) * further;
        let mut silent = 0;
        while entered < until {
            let had = entered;
            run.fleet.turn(Duration::from_millis(100), &mut |_, signal| {
                if let Signal::Message { payload, .. } = signal {
                    entered += memmem::find_iter(payload, br#""subscribe":{"#).count();
                }
            })?;
            silent = if entered == had { silent + 1 } else { 0 };
            if silent > SILENT_TURNS_MAX {
                bail!("{entered} of {wanted} subscriptions were made");
            }
        }
    }
    run.await_idle_server()?;
    let after = run.server.memory()?;
    let each = |before: u64, after: u64| (after as f64 - before as f64) / wanted as f64;
    // Only connections that a broadcast reaches were worth measuring.
    broadcast::settle(&mut run.fleet, args.connections, run.payload_bytes)?;
    Ok(json!({
        "rss_bytes_per_channel": each(before.rss_bytes, after.rss_bytes),
        "anonymous_bytes_per_channel": each(before.anonymous_bytes, after.anonymous_bytes),
        "subscriptions": wanted,
        "before": before,
        "after": after,
        "opening": opening,
    }))
}

fn commands(further: usize, own: Option<usize>) -> String {
    let whose = own.map_or_else(|| "shared".to_owned(), |slot| format!("s{slot}"));
    let mut lines = String::new();
    for number in 0..further {
        let id = number + 10;
        let _ = writeln!(lines, r#"{{"id":{id},"subscribe":{{"channel":"bench:{whose}-{number}"}}}}"#);
    }
    lines.pop();
    lines
}
