//! What the hub itself costs per delivery in CPU time: many null sockets, batches of small frames, one thread.
//!
//! Run with `cargo run --release -p lychgate-hub --example fanout_cost [sessions] [frames per tick]`.

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use lychgate_hub::{Class, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Sink, Written};

struct NullSink;

impl Sink for NullSink {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        Written::Bytes(slices.iter().map(|slice| slice.len()).sum())
    }

    fn farewell(&self, _: Farewell) -> Bytes {
        Bytes::new()
    }

    fn finished(&self) {}
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().expect("a number"));
    let sessions: usize = arguments.next().unwrap_or(10_000);
    let frames = arguments.next().unwrap_or(64);
    let ticks = 400_000 / sessions.max(1) + 1;

    for shards in [1, 4] {
        let (registrar, drain) = Hub::new(HubConfig { shards, ..HubConfig::default() });
        let channel = "room".parse().expect("a channel name");
        let members: Vec<_> = (0..sessions)
            .map(|_| {
                let session = drain.open(OutboxLimits::default(), Arc::new(NullSink));
                let subscription = registrar.subscribe(&session, &channel, Class(0)).expect("a new session");
                (session, subscription)
            })
            .collect();
        let frame = |_: Class, _: u64, out: &mut Vec<u8>| out.extend_from_slice(&[b'x'; 240]);

        let mut offset = 0;
        let mut tick = || {
            for _ in 0..frames {
                offset += 1;
                registrar.publish(&channel, offset, &frame, None);
            }
            for shard in 0..shards {
                drain.seal(shard);
            }
            for shard in 0..shards {
                while drain.flush(shard, 256) == Flushed::More {}
            }
        };
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = cpu_ns();
                (0..ticks).for_each(|_| tick());
                (cpu_ns() - start) as f64 / (ticks * sessions) as f64
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        let (lowest, median) = (rounds[0], rounds[ROUNDS / 2]);
        println!(
            "{shards} shard(s), {sessions} sessions, {frames} frames per tick: \
             {median:.1} ns (lowest {lowest:.1}) per session and tick, {:.2} ns per delivery",
            median / frames as f64,
        );
        members.iter().for_each(|(session, _)| drain.close(session));
    }
}

const ROUNDS: usize = 21;

/// Nanoseconds that this thread has had of a core, which a busy machine disturbs less than the time of day.
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    schedstat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).expect("a number")
}
