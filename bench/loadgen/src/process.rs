//! CPU time and memory of a process, read from `/proc`.
//!
//! CPU time is the sum over the threads' `schedstat`, in nanoseconds.
//! A thread that ends takes its line with it, so `stat` (whole process, ended threads included, 10 ms steps)
//! is read at the same moments, and rules where the two differ.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

/// A process under observation.
#[derive(Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// CPU time up to a moment.
pub struct CpuSample {
    at: Instant,
    threads: HashMap<u32, ThreadTimes>,
    stat_ns: u64,
}

#[derive(Clone, Copy, Default)]
struct ThreadTimes {
    run_ns: u64,
    wait_ns: u64,
}

/// CPU time between two moments.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CpuSpan {
    /// Time between the two, in seconds.
    pub wall_s: f64,
    /// The figure to use.
    pub cpu_ns: u64,
    /// By `schedstat`: threads alive at the end.
    pub schedstat_ns: u64,
    /// By `stat`: ended threads included, in steps of 10 ms.
    pub stat_ns: u64,
    /// Time that threads stood ready without a core, as a share of the wall time: high means a disturbed run.
    pub waiting_share: f64,
}

/// Memory at a moment, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Resident: `VmRSS`.
    pub rss_bytes: u64,
    /// Resident and anonymous: `RssAnon`.
    pub anonymous_bytes: u64,
    /// Highest resident since the start: `VmHWM`.
    pub peak_bytes: u64,
    /// Written and not shared: `Private_Dirty` of `smaps_rollup`.
    pub private_dirty_bytes: u64,
}

impl Process {
    /// Observes the process `pid`.
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// Observes this process.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// Reads the CPU time up to now.
    pub fn cpu(self) -> Result<CpuSample> {
        let mut threads = HashMap::new();
        let tasks = format!("/proc/{}/task", self.pid);
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot list {tasks}"))? {
            let task = task?;
            let Some(thread) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A thread may end between the listing and this read.
            let Ok(line) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let mut fields = line.split_ascii_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
            let times = ThreadTimes { run_ns: fields.next().unwrap_or(0), wait_ns: fields.next().unwrap_or(0) };
            threads.insert(thread, times);
        }
        Ok(CpuSample { at: Instant::now(), threads, stat_ns: self.stat_ns()? })
    }

    fn stat_ns(self) -> Result<u64> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold spaces; user and system time are fields 14 and 15 of the whole line.
        let (_, after_name) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let ticks: u64 =
            after_name.split_ascii_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
    }

    /// Reads the memory now.
    pub fn memory(self) -> Result<Memory> {
        let status = self.read("status")?;
        let rollup = self.read("smaps_rollup")?;
        Ok(Memory {
            rss_bytes: field_bytes(&status, "VmRSS:")?,
            anonymous_bytes: field_bytes(&status, "RssAnon:")?,
            peak_bytes: field_bytes(&status, "VmHWM:")?,
            private_dirty_bytes: field_bytes(&rollup, "Private_Dirty:")?,
        })
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

impl CpuSample {
    /// Returns what was used between `self` and `later`.
    pub fn until(&self, later: &Self) -> CpuSpan {
        let (mut run_ns, mut wait_ns) = (0, 0);
        for (thread, end) in &later.threads {
            let start = self.threads.get(thread).copied().unwrap_or_default();
            run_ns += end.run_ns.saturating_sub(start.run_ns);
            wait_ns += end.wait_ns.saturating_sub(start.wait_ns);
        }
        let stat_ns = later.stat_ns.saturating_sub(self.stat_ns);
        let wall = later.at.duration_since(self.at);
        // Steps of 10 ms for user and for system time: below that the two cannot be told apart.
        let threads_ended = stat_ns > run_ns + run_ns / 20 + 30_000_000;
        CpuSpan {
            wall_s: wall.as_secs_f64(),
            cpu_ns: if threads_ended { stat_ns } else { run_ns },
            schedstat_ns: run_ns,
            stat_ns,
            waiting_share: wait_ns as f64 / wall.as_nanos().max(1) as f64,
        }
    }
}

impl CpuSpan {
    /// Returns the CPU time per unit, in nanoseconds; 0 when there were none.
    pub fn per(&self, units: u64) -> f64 {
        if units == 0 { 0.0 } else { self.cpu_ns as f64 / units as f64 }
    }
}

fn field_bytes(text: &str, name: &str) -> Result<u64> {
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .with_context(|| format!("no {name} in /proc"))?;
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test for both, since tests run side by side in one process and would be charged for each other.
    #[test]
    fn cpu_time_is_counted_and_that_of_an_ended_thread_is_kept() {
        let own = Process::own();
        let before = own.cpu().expect("own CPU time");
        spin_ms(200);
        let span = before.until(&own.cpu().expect("own CPU time"));
        assert!(span.schedstat_ns > 20_000_000, "{span:?}");

        let before = own.cpu().expect("own CPU time");
        std::thread::spawn(|| spin_ms(400)).join().expect("the worker does not panic");
        let span = before.until(&own.cpu().expect("own CPU time"));
        assert!(span.schedstat_ns < span.cpu_ns && span.cpu_ns == span.stat_ns, "{span:?}");
    }

    fn spin_ms(length_ms: u128) {
        let started = Instant::now();
        while started.elapsed().as_millis() < length_ms {
            std::hint::black_box(started);
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = Process::own().memory().expect("own memory");
        assert!(memory.rss_bytes > 100 * 1024 && memory.rss_bytes <= memory.peak_bytes, "{memory:?}");
    }
}
