//! How much is kept, and how long; time is the test's own.

use std::time::Duration;

use lychgate_service::local_broker::KeepingFigures;
use lychgate_service::ports::broker::{Broker as _, BrokerError, HistoryQuery, HistoryRefused, Since};
use tokio::time::{Instant, advance};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{NUMBERS, World, channel, retention};

/// What one empty publication of a test costs.
fn cost() -> usize {
    let world = World::keeping(1);
    world.publish("kept:a", "").expect("there is room");
    world.broker.figures().bytes
}

#[tokio::test]
async fn a_channel_keeps_its_newest() {
    let world = World::keeping(3);
    for offset in 1..=5 {
        assert_eq!(world.publish("kept:a", "1").expect("there is room").offset, offset);
    }
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [3, 4, 5]);
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 3 * (cost() + 1), channels: 1 });
    world.broker.forget(&channel("kept:a")).await.expect("memory forgets");
    let page = world.page("kept:a").expect("it is still a channel that keeps something");
    assert_eq!((page.top.offset, page.publications.len()), (5, 0), "where it stands is not forgotten");
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 0, channels: 1 });
    assert_eq!(world.publish("kept:a", "1").expect("there is room").offset, 6);
}

#[test]
fn all_channels_together_keep_so_many_bytes() {
    let bytes_max = 4 * cost();
    let world = World::new(retention(100), bytes_max, usize::MAX);
    for _ in 0..4 {
        world.publish("kept:a", "").expect("there is room");
    }
    world.publish("kept:b", "").expect("it is published, and not kept");
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [1, 2, 3, 4], "nobody else's are dropped for it");
    assert_eq!(world.offsets("kept:b").expect("it keeps something"), [] as [u64; 0]);
    world.publish("kept:a", "").expect("its own oldest goes");
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [2, 3, 4, 5]);
    assert_eq!(world.broker.figures().bytes, bytes_max);
    world.publish("kept:a", &"x".repeat(bytes_max)).expect("it is published, and not kept");
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [] as [u64; 0]);
    assert_eq!(world.enter("kept:a", Some(Since { epoch: "", offset: 5 }), 9), (Some(6), Some(false), vec![]));
    assert_eq!(world.broker.figures().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn so_many_channels_are_remembered() {
    let world = World::new(retention(100), usize::MAX, 2);
    let (session, wire) = world.open();
    drop(world.registrar.subscribe(&session, &channel("kept:c"), NUMBERS).expect("an open session"));
    let (other, _) = world.open();
    let mut held = ["kept:a", "kept:b"].map(|name| {
        world.publish(name, "1").expect("there is room");
        Some(world.registrar.subscribe(&other, &channel(name), NUMBERS).expect("an open session"))
    });
    assert_eq!(world.publish("kept:c", "1"), Err(BrokerError::Unavailable));
    world.flush();
    assert_eq!(wire.offsets(), [] as [u64; 0], "what is refused is delivered to nobody");
    assert_eq!(world.enter("kept:c", None, 9), (None, None, vec![]), "it promises nothing");
    assert!(matches!(world.page("kept:c"), Err(HistoryRefused::NotKept)));
    world.publish("kept:a", "1").expect("one that is remembered");
    world.publish("bare", "1").expect("one that keeps nothing");
    let epoch = |name: &str| world.page(name).expect("it keeps something").top.epoch;
    let (a, b) = (epoch("kept:a"), epoch("kept:b"));
    let _ = world.registrar.unsubscribe(held[1].take().expect("it is held"));
    world.publish("kept:c", "1").expect("it takes the place of the one that nobody is in");
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 3 * (cost() + 1), channels: 2 });
    assert_eq!(epoch("kept:a"), a, "whoever is in a channel keeps it");
    assert_eq!(world.enter("kept:b", Some(Since { epoch: b.as_str(), offset: 1 }), 9), (None, Some(false), vec![]));
    world.flush();
    assert_eq!(wire.offsets(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_only_named_is_not_remembered_for_long() {
    let world = World::keeping(100);
    let (session, _wire) = world.open();
    let epoch = world.page("kept:a").expect("it keeps something").top.epoch;
    let subscription = world.registrar.subscribe(&session, &channel("kept:a"), NUMBERS).expect("an open session");
    advance(Duration::from_secs(500)).await;
    let _ = world.registrar.unsubscribe(subscription);
    world.broker.vacated(&channel("kept:a"));
    advance(Duration::from_secs(59)).await;
    world.broker.sweep(Instant::now());
    let since = Some(Since { epoch: epoch.as_str(), offset: 0 });
    assert_eq!(world.enter("kept:a", since, 9), (Some(0), Some(true), vec![]), "somebody comes back in time");
    advance(Duration::from_secs(60)).await;
    world.broker.sweep(Instant::now());
    assert_eq!(world.broker.figures().channels, 0);
    assert_eq!(world.enter("kept:a", since, 9), (Some(0), Some(false), vec![]), "it begins anew, and says so");
}

#[tokio::test(start_paused = true)]
async fn the_largest_make_room_for_the_others() {
    let world = World::new(retention(10_000), 1_000 * cost(), usize::MAX);
    for _ in 0..2_000 {
        world.publish("kept:large", "").expect("it is published");
    }
    for offset in 1..=20 {
        world.publish("kept:small", "").expect("it is published");
        if offset == 10 {
            world.broker.sweep(Instant::now());
        }
    }
    let kept = |name: &str| world.offsets(name).expect("it keeps something");
    assert_eq!(kept("kept:large").len(), 750, "three quarters are taken after that");
    assert_eq!(kept("kept:large").last(), Some(&2_000), "and the newest stay");
    assert_eq!(kept("kept:small"), (11..=20).collect::<Vec<_>>(), "there was no room before, and there is now");
    world.broker.sweep(Instant::now());
    assert_eq!(kept("kept:large").len(), 750, "nothing is cut while there is room");
}

#[tokio::test(start_paused = true)]
async fn what_has_lived_long_enough_goes_and_the_place_stays_for_a_while() {
    let world = World::keeping(100);
    world.publish("kept:a", "1").expect("there is room");
    advance(Duration::from_secs(40)).await;
    world.publish("kept:a", "1").expect("there is room");
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [1, 2]);
    advance(Duration::from_secs(20)).await;
    let page = world.page("kept:a").expect("it keeps something");
    assert_eq!(world.offsets("kept:a").expect("it keeps something"), [2], "each by its own age");
    let since = |offset| Some(Since { epoch: page.top.epoch.as_str(), offset });
    assert_eq!(world.enter("kept:a", since(0), 9), (Some(2), Some(false), vec![]));
    assert_eq!(world.enter("kept:a", since(1), 9), (Some(2), Some(true), vec![2]));
    advance(Duration::from_secs(60)).await;
    world.broker.sweep(Instant::now());
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 0, channels: 1 });
    assert_eq!(world.enter("kept:a", since(2), 9), (Some(2), Some(true), vec![]), "nothing was missed");
    assert_eq!(world.enter("kept:a", since(1), 9), (Some(2), Some(false), vec![]));
    advance(Duration::from_secs(599)).await;
    world.broker.sweep(Instant::now());
    assert_eq!(world.enter("kept:a", since(2), 9), (Some(2), Some(true), vec![]));
    advance(Duration::from_secs(600)).await;
    world.broker.sweep(Instant::now());
    assert_eq!(world.broker.figures().channels, 0);
    assert_eq!(world.enter("kept:a", since(0), 9), (Some(0), Some(false), vec![]), "it begins anew, and says so");
    assert_ne!(world.page("kept:a").expect("it keeps something").top.epoch, page.top.epoch);
}

#[tokio::test(start_paused = true)]
async fn a_channel_with_somebody_in_it_is_not_forgotten() {
    let world = World::keeping(100);
    let (session, _wire) = world.open();
    let epoch = world.publish("kept:a", "1").expect("there is room").epoch;
    let subscription = world.registrar.subscribe(&session, &channel("kept:a"), NUMBERS).expect("an open session");
    advance(Duration::from_secs(10_000)).await;
    world.broker.sweep(Instant::now());
    let published = world.publish("kept:a", "1").expect("there is room");
    assert_eq!((published.offset, published.epoch), (2, epoch), "its count goes on");
    let _ = world.registrar.unsubscribe(subscription);
    world.broker.vacated(&channel("kept:a"));
    assert_eq!(world.page("kept:a").expect("it keeps something").top.epoch, epoch.expect("it counts"));
    advance(Duration::from_secs(10_000)).await;
    world.broker.sweep(Instant::now());
    assert_ne!(world.publish("kept:a", "1").expect("there is room").epoch, epoch);
}

#[tokio::test(start_paused = true)]
async fn it_sweeps_by_itself_until_it_is_stopped() {
    let world = World::keeping(100);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(std::sync::Arc::clone(&world.broker).run(stop.clone()));
    world.publish("kept:a", "1").expect("there is room");
    // Time goes on by itself while all wait.
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 0, channels: 1 });
    tokio::time::sleep(Duration::from_secs(610)).await;
    assert_eq!(world.broker.figures(), KeepingFigures { bytes: 0, channels: 0 });
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[test]
fn a_history_is_of_one_epoch() {
    let world = World::keeping(10);
    for _ in 0..3 {
        world.publish("kept:a", "1").expect("there is room");
    }
    let epoch = world.page("kept:a").expect("it keeps something").top.epoch;
    let read = |epoch: &str, offset, reverse| {
        let query = HistoryQuery { since: Some(Since { epoch, offset }), limit: 9, reverse };
        let page = world.broker.history(&channel("kept:a"), query)?;
        Ok::<Vec<u64>, HistoryRefused>(page.publications.iter().map(|kept| kept.offset).collect())
    };
    assert_eq!(read(epoch.as_str(), 1, false), Ok(vec![2, 3]));
    assert_eq!(read("", 1, false), Ok(vec![2, 3]), "who names no epoch means any");
    assert_eq!(read(epoch.as_str(), 3, true), Ok(vec![2, 1]));
    assert_eq!(read("another", 1, false), Err(HistoryRefused::OtherEpoch));
    let other = world.page("kept:b").expect("it keeps something").top.epoch;
    assert_ne!(epoch, other, "each channel has its own");
}
