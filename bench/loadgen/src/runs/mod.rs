//! The measurements, one file each.

pub mod channels;
pub mod connect;
pub mod echo;
pub mod fanout;
pub mod idle;
pub mod paced;
pub mod probe;
pub mod rate;
pub mod storm;
pub mod stuck;

use std::time::Duration;

use anyhow::Result;

use crate::fleet::Fleet;
use crate::opening::{self, Opening};
use crate::process::Process;

/// What every measurement starts from.
pub struct Run {
    /// The client's connections, none open yet.
    pub fleet: Fleet,
    /// The server under load.
    pub server: Process,
    /// Size of each message's JSON text.
    pub payload_bytes: usize,
    /// Handshakes under way at the same time.
    pub concurrency: u64,
}

impl Run {
    /// Opens every slot.
    pub fn open_all(&mut self) -> Result<Opening> {
        let slots = 0..self.fleet.len();
        opening::open(&mut self.fleet, slots, self.concurrency as usize, 0)
    }

    /// Waits until the server has finished what it was doing: 100 ms with under 1 % of CPU, or three seconds in all.
    pub fn await_idle_server(&mut self) -> Result<()> {
        for _ in 0..30 {
            let before = self.server.cpu()?;
            let until_ns = self.fleet.now_ns() + Duration::from_millis(100).as_nanos() as u64;
            while self.fleet.now_ns() < until_ns {
                self.fleet.turn(Duration::from_millis(20), &mut |_, _| {})?;
            }
            let span = before.until(&self.server.cpu()?);
            if (span.schedstat_ns as f64) < span.wall_s * 1e7 {
                break;
            }
        }
        Ok(())
    }
}
