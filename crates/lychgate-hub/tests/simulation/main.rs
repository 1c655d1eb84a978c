//! A whole hub against a model of it, step by step, driven by a seed.
//!
//! Sessions join, leave, lose rights in mid-batch, are excluded, answered, slow, torn, blocked, gone,
//! finished and closed, and channels end under them.
//! What every socket received is decoded and compared with what its session was owed:
//! order, loss, duplicates, frames from outside a member's time, bounds, wake-ups, and that all is freed in the end.
//!
//! `LYCHGATE_SEED=7` replays one run, `LYCHGATE_SEEDS=100000` sets the number of runs.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and prints its seed")]

mod peer;
mod random;
mod socket;
mod steps;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use peer::Life;
use steps::{STEPS, WEIGHTS, close_peer, subscribe};
use world::World;

const RUNS: u64 = 2_000;
const STEPS_MAX: usize = 120;

#[test]
fn a_hub_does_what_its_model_does() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let seeds = match number("LYCHGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LYCHGATE_SEEDS").unwrap_or(RUNS),
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let seen = std::thread::scope(|scope| {
        let share = |first| seeds.clone().skip(first as usize).step_by(threads as usize);
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run_all(share(first)))).collect();
        workers.into_iter().fold(Seen::default(), |mut seen, worker| {
            seen.add(&worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            seen
        })
    });
    println!("{} runs: {seen:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= RUNS {
        seen.check();
    }
}

fn run_all(seeds: impl Iterator<Item = u64>) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(run) => seen.add(&run),
            Err(panic) => {
                println!("the failing run is LYCHGATE_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    seen
}

fn run(seed: u64) -> Seen {
    let mut world = World::new(seed);
    // Each run favours some steps and leaves others out, so that rare combinations come up too.
    let mut weights = WEIGHTS;
    for weight in &mut weights[2..] {
        *weight = match world.random.below(6) {
            0 => 0,
            1 => *weight * 4,
            _ => *weight,
        };
    }
    for _ in 0..world.random.between(1, 14) {
        world.open();
        (0..3).for_each(|_| subscribe(&mut world));
    }
    for count in 0..world.random.between(20, STEPS_MAX) {
        let step = world.random.weighted(&weights);
        STEPS[step](&mut world);
        world.check();
        if count % 4 == 0 {
            world.check_figures();
        }
    }
    deliver_all(&mut world);
    let seen = Seen::of(&world);
    free_all(world);
    seen
}

/// Gives every socket room until all is written, then nobody may be owed anything.
fn deliver_all(world: &mut World) {
    let mut rounds = 0;
    loop {
        let mut progress = false;
        for shard in 0..world.shards() {
            progress |= world.turn(shard);
        }
        for index in 0..world.peers.len() {
            let peer = &world.peers[index];
            let mut state = peer.socket.state();
            state.room_bytes = usize::MAX;
            let was_blocked = std::mem::take(&mut state.blocked);
            drop(state);
            if was_blocked {
                world.drain.writable(&peer.session);
                progress = true;
            }
        }
        world.check();
        if !progress {
            break;
        }
        rounds += 1;
        assert!(rounds < 100_000, "the shards do not come to rest");
    }
    world.check_figures();
    for peer in &world.peers {
        assert!(peer.owed.is_empty(), "{:?} never received {:?}", peer.session, peer.owed);
        let told = u32::from(peer.life == Life::Ending);
        let closed_after = peer.life == Life::Closed || peer.life == Life::Gone;
        let finished = peer.socket.state().finished;
        assert!(finished == told || closed_after, "{:?} ended, finished() was called {finished} times", peer.session);
    }
}

/// Closes everything and looks for what is left.
fn free_all(mut world: World) {
    for peer in 0..world.peers.len() {
        close_peer(&mut world, peer);
    }
    world.check();
    world.check_figures();
    let stats = world.drain.stats();
    assert_eq!((stats.sessions, stats.channels, stats.subscriptions), (0, 0, 0));
    assert_eq!((stats.queued_bytes, stats.sessions_blocked), (0, 0));
    let World { peers, token, registrar, drain, .. } = world;
    for peer in peers {
        drop(peer.socket);
        assert_eq!(peer.witness.strong_count(), 0, "a closed session keeps its sink");
    }
    assert_eq!(Arc::strong_count(&token), 1, "a direct frame is kept by nobody's queue");
    drop((registrar, drain));
}

/// What came up in the runs: a simulation that never fills a queue proves nothing about full queues.
#[derive(Debug, Default)]
struct Seen {
    sessions: u64,
    encoded: u64,
    batches: u64,
    slices: u64,
    bytes_written: u64,
    overflowed: u64,
    torn: u64,
    finished: u64,
    ended: u64,
    gone: u64,
}

impl Seen {
    fn of(world: &World) -> Self {
        let stats = world.drain.stats();
        let peers = |is: fn(&peer::Peer) -> bool| world.peers.iter().filter(|peer| is(peer)).count() as u64;
        Self {
            sessions: world.peers.len() as u64,
            encoded: world.encoded,
            batches: stats.batches_sealed,
            slices: stats.slices_pushed,
            bytes_written: stats.bytes_written,
            overflowed: stats.sessions_overflowed,
            torn: peers(|peer| peer.overflowed_inside_a_frame),
            finished: peers(|peer| peer.socket.state().finished == 1),
            ended: peers(|peer| peer.socket.state().ended == 1),
            gone: peers(|peer| peer.socket.state().gone_reported),
        }
    }

    fn add(&mut self, run: &Self) {
        self.sessions += run.sessions;
        self.encoded += run.encoded;
        self.batches += run.batches;
        self.slices += run.slices;
        self.bytes_written += run.bytes_written;
        self.overflowed += run.overflowed;
        self.torn += run.torn;
        self.finished += run.finished;
        self.ended += run.ended;
        self.gone += run.gone;
    }

    fn check(&self) {
        for (what, count) in [
            ("overflows", self.overflowed),
            ("torn frames", self.torn),
            ("ends", self.finished),
            ("ends of channels", self.ended),
            ("gone", self.gone),
        ] {
            assert!(count >= 100, "the runs saw only {count} {what}");
        }
        assert!(self.encoded > 2 * self.batches, "too few frames were joined");
        assert!(self.slices > self.batches * 3 / 2, "batches had too few receivers");
    }
}
