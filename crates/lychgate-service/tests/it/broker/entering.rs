//! Coming in: what was missed, and then what comes, without a hole and nothing twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lychgate_service::ports::broker::{Author, Broker as _, Happening, Since};

use super::{NUMBERS, World, channel};

const PUBLISHERS: u64 = 3;
const EACH: u64 = 2_000;
const READERS: usize = 3;

/// What one reader has seen of a channel, over all its connections.
#[derive(Default)]
struct Reader {
    epoch: String,
    reached: u64,
    entered: u64,
    losses: u64,
}

impl Reader {
    /// Comes in, stays for a while, and goes; a connection that ends may have got any part of what was queued for it.
    fn visit(&mut self, world: &World, name: &str, turns: u64) {
        let (session, wire) = world.open();
        let first = self.epoch.is_empty();
        let epoch = self.epoch.clone();
        let since = (!first).then_some(Since { epoch: &epoch, offset: self.reached });
        world.broker.enter(&channel(name), since, usize::MAX, &mut |entry| {
            let top = entry.top.expect("it counts");
            if first {
                (self.epoch, self.reached) = (top.epoch.as_str().to_owned(), top.offset);
            } else if entry.recovered == Some(true) {
                let expected: Vec<u64> = (self.reached + 1..=top.offset).collect();
                let missed: Vec<u64> = entry.missed.iter().map(|kept| kept.offset).collect();
                assert_eq!(missed, expected, "all that came since, and nothing else");
            } else {
                assert!(entry.missed.is_empty() && top.offset > self.reached, "a loss is one");
                self.losses += 1;
            }
            self.reached = top.offset;
            // Before it is let go: what is published from now on is live.
            drop(world.registrar.subscribe(&session, &channel(name), NUMBERS).expect("an open session"));
        });
        for _ in 0..turns {
            thread::yield_now();
        }
        world.drain.close(&session);
        for offset in wire.offsets() {
            assert_eq!(offset, self.reached + 1, "the next one");
            self.reached = offset;
        }
        self.entered += 1;
    }
}

/// Readers come and go while publishers publish; how often one of them was told of a loss.
fn come_and_go(world: &World) -> u64 {
    let (name, all) = ("kept:busy", PUBLISHERS * EACH);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                world.flush();
            }
        });
        let readers: Vec<_> = (0..READERS)
            .map(|n| {
                scope.spawn(move || {
                    let mut reader = Reader::default();
                    while reader.reached < all {
                        let turns = reader.entered * 7 % (5 + 40 * n as u64);
                        reader.visit(world, name, turns);
                    }
                    reader
                })
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                scope.spawn(|| {
                    for n in 0..EACH {
                        world.publish(name, "1").expect("there is room");
                        if n % 8 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().expect("it publishes"));
        let readers: Vec<Reader> = readers.into_iter().map(|reader| reader.join().expect("it reads on")).collect();
        is_over.store(true, Ordering::Relaxed);
        for reader in &readers {
            assert_eq!(reader.reached, all);
        }
        readers.iter().map(|reader| reader.losses).sum()
    })
}

#[test]
fn nobody_who_comes_and_goes_loses_or_doubles_anything() {
    assert_eq!(come_and_go(&World::keeping(usize::MAX)), 0, "everything is kept, so nothing is lost");
}

#[test]
fn where_little_is_kept_a_loss_is_told_and_the_rest_is_whole() {
    come_and_go(&World::keeping(4));
    // The control: one who stays away for five is told.
    let world = World::keeping(4);
    let mut reader = Reader::default();
    reader.visit(&world, "kept:quiet", 0);
    for missed in [4, 5] {
        for _ in 0..missed {
            world.publish("kept:quiet", "1").expect("there is room");
        }
        reader.visit(&world, "kept:quiet", 0);
        assert_eq!(reader.losses, u64::from(missed == 5));
    }
}

#[test]
fn a_newcomer_is_told_no_more_than_it_takes() {
    let world = World::keeping(10);
    for _ in 0..12 {
        world.publish("kept:a", "1").expect("there is room");
    }
    let epoch = world.page("kept:a").expect("it keeps something").top.epoch;
    let since = |epoch, offset| Some(Since { epoch, offset });
    for (case, since, limit, recovered, missed) in [
        ("who asks for nothing", None, 9, None, vec![]),
        ("two", since(epoch.as_str(), 10), 9, Some(true), vec![11, 12]),
        ("none", since(epoch.as_str(), 12), 9, Some(true), vec![]),
        ("as many as it takes", since(epoch.as_str(), 10), 2, Some(true), vec![11, 12]),
        ("one more than it takes", since(epoch.as_str(), 10), 1, Some(false), vec![]),
        ("all that are kept", since("", 2), 10, Some(true), (3..=12).collect()),
        ("one that is not", since("", 1), 99, Some(false), vec![]),
        ("what is still to come", since(epoch.as_str(), 13), 9, Some(false), vec![]),
        ("another epoch", since("another", 12), 9, Some(false), vec![]),
    ] {
        assert_eq!(world.enter("kept:a", since, limit), (Some(12), recovered, missed), "{case}");
    }
}

#[test]
fn what_is_not_kept_has_no_place_to_come_back_to() {
    let world = World::keeping(10);
    let (session, wire) = world.open();
    let published = world.publish("bare", "1").expect("nobody hears it");
    assert_eq!((published.offset, published.epoch, published.sessions), (1, None, 0));
    drop(world.registrar.subscribe(&session, &channel("bare"), NUMBERS).expect("an open session"));
    for offset in [1, 2] {
        let published = world.publish("bare", "1").expect("there is somebody");
        assert_eq!((published.offset, published.epoch, published.sessions), (offset, None, 1));
    }
    let since = Some(Since { epoch: "", offset: 1 });
    assert_eq!(world.enter("bare", since, 9), (None, Some(false), vec![]));
    assert_eq!(world.enter("bare", None, 9), (None, None, vec![]));
    assert!(world.page("bare").is_err());
    world.flush();
    assert_eq!(wire.offsets(), [1, 2]);
}

#[test]
fn who_comes_and_goes_is_told_in_the_channels_order_and_not_kept() {
    let world = World::keeping(10);
    let (session, wire) = world.open();
    drop(world.registrar.subscribe(&session, &channel("kept:a"), NUMBERS).expect("an open session"));
    let author = Author { user: "ann", client: "1", connection_info: None, channel_info: None };
    world.broker.tell(&channel("kept:a"), Happening::Joined(author));
    world.publish("kept:a", "1").expect("there is room");
    world.broker.tell(&channel("kept:a"), Happening::Left(author));
    world.publish("kept:a", "1").expect("there is room");
    world.flush();
    assert_eq!(wire.frames(), [('j', 0), ('p', 1), ('l', 0), ('p', 2)]);
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [1, 2]);
}
