//! Watchers come and go at random, sources speak, end and fail, time passes; afterwards nothing is left.
//!
//! `LYCHGATE_SEED=7` replays one run, `LYCHGATE_SEEDS=100000` sets the number of runs.

use std::time::Duration;

use lychgate_hub::OutboxLimits;
use lychgate_service::ports::text_source::SourceFault;
use lychgate_service::streams::{StreamCounts, StreamLimits, WatchRefused};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::yield_now;
use tokio::time::advance;

use super::world::{Answer, FAILED, Feed, JSON, PLAIN, WHOLE, Watcher, World, settle};

/// A request, and what was said to it.
struct Told {
    feed: Option<Feed>,
    text: String,
    is_whole: bool,
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_nothing_is_left() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let seeds = match number("LYCHGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LYCHGATE_SEEDS").unwrap_or(2_000),
    };
    let all = seeds.end - seeds.start >= 2_000;
    let mut seen = StreamCounts::default();
    for seed in seeds {
        println!("LYCHGATE_SEED={seed}");
        let counts = run(&mut StdRng::seed_from_u64(seed)).await;
        seen.started += counts.started;
        seen.completed += counts.completed;
        seen.failed += counts.failed;
        seen.cancelled += counts.cancelled;
    }
    let least = seen.completed.min(seen.failed).min(seen.cancelled);
    assert!(!all || least > 500, "the runs saw too little: {seen:?}");
}

async fn run(random: &mut StdRng) -> StreamCounts {
    let keep = Duration::from_secs(if random.random_bool(0.5) { 0 } else { 5 });
    let run_max = Duration::from_secs(100);
    let mut world =
        World::new(StreamLimits { runs_max: 2, text_bytes_max: 60, run_max, keep, ..StreamLimits::default() });
    let (mut told, mut watchers) = (Vec::<Told>::new(), Vec::<Watcher>::new());
    for _ in 0..random.random_range(10..60) {
        match random.random_range(0..20) {
            0..6 => come(&world, &mut watchers, random),
            6..9 => leave(&world, &mut watchers, random),
            9..14 => speak(&mut told, random),
            14 => end(&mut told, random),
            15..17 => advance(Duration::from_millis(random.random_range(0..12_000))).await,
            _ => {
                for _ in 0..random.random_range(1..6) {
                    yield_now().await;
                }
            }
        }
        while let Ok(feed) = world.feeds.try_recv() {
            // Each text says which one it is.
            let text = format!("{}|", told.len());
            let _ = feed.pieces.try_send(Ok(text.clone()));
            told.push(Told { feed: Some(feed), text, is_whole: false });
        }
        watchers.iter().for_each(|watcher| check(watcher, &told));
    }
    settle().await;
    watchers.iter().for_each(|watcher| check(watcher, &told));
    watchers.clear();
    advance(Duration::from_secs(15)).await;
    settle().await;
    assert!(told.iter().filter_map(|told| told.feed.as_ref()).all(Feed::is_cancelled), "a request goes on");
    world.check_empty();
    let counts = world.streams.counts();
    assert_eq!(counts.started, counts.completed + counts.failed + counts.cancelled);
    counts
}

fn come(world: &World, watchers: &mut Vec<Watcher>, random: &mut StdRng) {
    let channel = ["entry:1", "entry:2", "entry:3"][random.random_range(0..3)];
    let refuses = random.random_bool(0.05);
    let answer = if refuses { Answer::Fault(SourceFault::Unreachable) } else { Answer::Pieces };
    *world.source.answer.lock().expect("no panic") = answer;
    let slow = random.random_bool(0.1);
    let limits = if slow { OutboxLimits { bytes_max: 20, slices_max: 3 } } else { OutboxLimits::default() };
    let (session, wire) = world.open(limits, if slow { 0 } else { usize::MAX });
    let class = if random.random_bool(0.5) { PLAIN } else { JSON };
    match world.watch_as(channel, world.opening(class), session, wire) {
        Ok(watcher) => watchers.push(watcher),
        Err(refused) => assert_eq!((refused, world.streams.runs()), (WatchRefused::Full, 2)),
    }
}

/// In one of the ways in which connections end.
fn leave(world: &World, watchers: &mut Vec<Watcher>, random: &mut StdRng) {
    if watchers.is_empty() {
        return;
    }
    let mut watcher = watchers.swap_remove(random.random_range(0..watchers.len()));
    match random.random_range(0..4) {
        0 => world.drain.close(&watcher.session),
        1 => world.drain.finish(&watcher.session, "".into()),
        2 => watcher.watch = None,
        _ => {}
    }
}

fn speak(told: &mut [Told], random: &mut StdRng) {
    if told.is_empty() {
        return;
    }
    let index = random.random_range(0..told.len());
    let Told { feed: Some(feed), text, .. } = &mut told[index] else { return };
    let piece = format!("{}é ", random.random_range(0..1_000));
    if feed.pieces.try_send(Ok(piece.clone())).is_ok() {
        text.push_str(&piece);
    }
}

fn end(told: &mut [Told], random: &mut StdRng) {
    if told.is_empty() {
        return;
    }
    let index = random.random_range(0..told.len());
    if let Some(feed) = told[index].feed.take() {
        told[index].is_whole = random.random_bool(0.7) || feed.pieces.try_send(Err(SourceFault::Cut)).is_err();
    }
}

/// What has come is the beginning of one text, and all of it if that is what the end says.
fn check(watcher: &Watcher, told: &[Told]) {
    if watcher.was_slow() {
        return;
    }
    let (text, ended) = watcher.text();
    let number = text.split_once('|').map(|(number, _)| number.parse::<usize>().expect("a number"));
    if let Some(number) = number {
        assert!(told[number].text.starts_with(&text), "{text:?} of {:?}", told[number].text);
        if ended == WHOLE {
            assert!(told[number].is_whole);
            assert_eq!(text, told[number].text);
        }
    } else {
        assert!(text.is_empty() && (ended.is_none() || ended == FAILED), "{text:?} {ended:?}");
    }
}
