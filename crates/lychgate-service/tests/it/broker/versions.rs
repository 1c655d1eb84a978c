//! Publications that come too late are dropped, where a channel keeps something.

use lychgate_service::ports::broker::{Broker as _, Publication, Version};

use super::{NUMBERS, World, channel};

#[test]
fn what_comes_too_late_is_heard_by_nobody() {
    let world = World::keeping(10);
    let (session, wire) = world.open();
    let _subscription = world.registrar.subscribe(&session, &channel("kept:a"), NUMBERS).expect("an open session");
    let publish = |name: &str, number, epoch| {
        let version = Some(Version { number, epoch });
        let publication = Publication { version, ..Publication::of(b"1") };
        world.broker.publish(&channel(name), publication).expect("it is taken")
    };
    let first = publish("kept:a", 5, "run");
    for (number, epoch, offset) in [(5, "run", 1), (4, "run", 1), (4, "", 1), (6, "", 2), (6, "run", 2), (1, "new", 3)]
    {
        let published = publish("kept:a", number, epoch);
        assert_eq!((published.offset, published.epoch), (offset, first.epoch), "{number} {epoch}");
    }
    // One without a version is no part of it, and neither is one that is kept nowhere.
    assert_eq!(world.publish("kept:a", "2").map(|published| published.offset), Ok(4));
    let version = Some(Version { number: 1, epoch: "new" });
    let passing = Publication { version, transient: true, ..Publication::of(b"1") };
    assert_eq!(world.broker.publish(&channel("kept:a"), passing).map(|published| published.sessions), Ok(1));
    assert_eq!(publish("kept:a", 1, "new").sessions, 0);
    assert_eq!(publish("kept:b", 1, "new").offset, 1, "another channel has its own");
    world.flush();
    assert_eq!(wire.offsets(), [1, 2, 3, 4, 0]);
    assert_eq!(world.offsets("kept:a"), Ok(vec![1, 2, 3, 4]));
}

#[test]
fn a_channel_that_keeps_nothing_knows_no_version() {
    let world = World::keeping(10);
    let (session, wire) = world.open();
    let _subscription = world.registrar.subscribe(&session, &channel("bare"), NUMBERS).expect("an open session");
    for number in [2, 1] {
        let version = Some(Version { number, epoch: "" });
        let publication = Publication { version, ..Publication::of(b"1") };
        world.broker.publish(&channel("bare"), publication).expect("it is taken");
    }
    world.flush();
    assert_eq!(wire.offsets(), [1, 2]);
}
