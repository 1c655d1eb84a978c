//! One connection and one message: does the server take this token, and does it answer?

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::Run;
use crate::args::ProbeArgs;
use crate::broadcast::PUBLISHER_SLOT;
use crate::fleet::{Ending, Signal};

/// Runs it.
pub fn run(run: &mut Run, args: &ProbeArgs) -> Result<Value> {
    let (mut upgraded, mut answer, mut ending) = (false, None, None);
    run.fleet.start(PUBLISHER_SLOT, PUBLISHER_SLOT)?;
    let until_ns = run.fleet.now_ns() + Duration::from_secs(args.seconds).as_nanos() as u64;
    let mut sent = false;
    while run.fleet.now_ns() < until_ns && answer.is_none() && ending.is_none() {
        if upgraded && !sent {
            let mut frames = Vec::new();
            run.fleet.publisher(0, run.payload_bytes).append(run.fleet.now_ns(), &mut frames);
            // A server that accepts in order to refuse may be gone by now: the ending tells.
            let _ = run.fleet.send(PUBLISHER_SLOT, &frames);
            sent = true;
        }
        run.fleet.turn(Duration::from_millis(50), &mut |_, signal| match signal {
            Signal::Opened => upgraded = true,
            Signal::Message { payload, .. } => answer = Some(String::from_utf8_lossy(payload).into_owned()),
            Signal::Ended(seen) => ending = Some(seen),
        })?;
    }
    let (status, close_code) = match ending {
        Some(Ending::Refused(status)) => (Some(status), None),
        Some(Ending::Closed(code)) => (None, Some(code)),
        _ => (None, None),
    };
    Ok(json!({
        "upgraded": upgraded,
        "answer": answer,
        "http_status": status,
        "close_code": close_code,
        "ending": ending.map(|ending| format!("{ending:?}")),
    }))
}
