//! Coming into many channels in one step, while others publish and come in as well.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use lychgate_hub::Session;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::ports::broker::{Broker as _, Place, Since};

use super::{NUMBERS, Wire, World, channel, retention};

/// More than there are locks, so that some channels share one.
const CHANNELS: usize = 150;
const EACH: u64 = 60;

/// The frame that stands for the one answer, as long as those of publications.
const ANSWER: &[u8] = b"a\0\0\0\0\0\0\0\0";

fn names() -> Vec<ChannelName> {
    (0..CHANNELS).map(|n| channel(&format!("kept:{n}"))).collect()
}

/// Comes into all of `names`, with a session for each, and gives where each stood.
fn enter(world: &World, names: &[ChannelName], sessions: &[Session]) -> Vec<u64> {
    let places: Vec<_> = names.iter().map(|channel| Place { channel, since: None }).collect();
    let mut tops = Vec::new();
    world.broker.enter_all(&places, 0, &mut |entries| {
        assert_eq!(entries.len(), names.len());
        for ((entry, name), session) in entries.iter().zip(names).zip(sessions) {
            tops.push(entry.top.expect("it counts").offset);
            world.drain.send(session, Bytes::from_static(ANSWER)).expect("an open session");
            drop(world.registrar.subscribe(session, name, NUMBERS).expect("an open session"));
        }
    });
    tops
}

/// Where each channel stood, and a session with its socket for each.
type Visit = (Vec<u64>, Vec<Session>, Vec<Arc<Wire>>);

/// Enters again and again until everything is published; all visits but those that came too late to see anything.
fn visit(world: &World, is_reversed: bool) -> Vec<Visit> {
    let mut names = names();
    if is_reversed {
        names.reverse();
    }
    let mut visits = Vec::new();
    loop {
        let (sessions, wires): (Vec<_>, Vec<_>) = names.iter().map(|_| world.open()).unzip();
        let tops = enter(world, &names, &sessions);
        let is_last = tops.iter().all(|top| *top == 2 * EACH);
        visits.push((tops, sessions, wires));
        if is_last {
            return visits;
        }
        thread::yield_now();
    }
}

#[test]
fn all_channels_are_entered_at_once_whoever_else_does_so() {
    let world = World::keeping(usize::MAX);
    let visits = thread::scope(|scope| {
        let publisher = || {
            let names = names();
            for _ in 0..EACH {
                for name in &names {
                    world.publish(name, "1").expect("there is room");
                }
            }
        };
        scope.spawn(publisher);
        scope.spawn(publisher);
        let visitors: Vec<_> = (0..4)
            .map(|n| {
                scope.spawn({
                    let world = &world;
                    move || visit(world, n % 2 == 1)
                })
            })
            .collect();
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("it comes in")).collect::<Vec<_>>()
    });
    world.flush();
    for (tops, _sessions, wires) in visits {
        for (top, wire) in tops.into_iter().zip(wires) {
            let frames = wire.frames();
            assert_eq!(frames.first().map(|(kind, _)| *kind), Some('a'), "nothing comes before the answer");
            let offsets: Vec<u64> = frames[1..].iter().map(|(_, offset)| *offset).collect();
            assert_eq!(offsets, (top + 1..=2 * EACH).collect::<Vec<_>>(), "all that came behind it, once");
        }
    }
}

#[test]
fn each_channel_says_what_was_missed_there() {
    let world = World::keeping(10);
    for (name, many) in [("kept:a", 3), ("kept:b", 5)] {
        for _ in 0..many {
            world.publish(name, "1").expect("there is room");
        }
    }
    let (a, b, c) = (channel("kept:a"), channel("bare:b"), channel("kept:b"));
    let since = |offset| Some(Since { epoch: "", offset });
    let places = [
        Place { channel: &c, since: since(4) },
        Place { channel: &b, since: since(1) },
        Place { channel: &a, since: None },
    ];
    let mut told = Vec::new();
    world.broker.enter_all(&places, 10, &mut |entries| {
        told = entries
            .iter()
            .map(|entry| {
                let missed: Vec<_> = entry.missed.iter().map(|kept| kept.offset).collect();
                (entry.top.map(|top| top.offset), entry.recovered, missed)
            })
            .collect();
    });
    assert_eq!(told, [(Some(5), Some(true), vec![5]), (None, Some(false), vec![]), (Some(3), None, vec![])]);
}

#[test]
fn nobody_is_told_of_a_place_that_there_is_no_room_for() {
    let world = World::new(retention(10), usize::MAX, 1);
    let names = [channel("kept:a"), channel("kept:b"), channel("kept:c")];
    let places = names.each_ref().map(|channel| Place { channel, since: None });
    let mut told = Vec::new();
    world.broker.enter_all(&places, 0, &mut |entries| told = entries.iter().map(|entry| entry.top).collect());
    let told: Vec<_> = names.iter().zip(told).filter_map(|(name, top)| Some((name, top?))).collect();
    assert_eq!(told.len(), 1, "there is room for one: {told:?}");
    for (name, top) in told {
        assert_eq!(world.page(name).expect("it keeps something").top, top, "and it stands where it was said to");
    }
}
