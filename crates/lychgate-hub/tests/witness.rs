//! A witness hears of each channel's first member and of its last one, in turn, whoever comes and goes at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use lychgate_hub::{
    Class, Drain, EndCode, Farewell, Hub, HubConfig, OutboxLimits, Registrar, Session, Sink, SubscribeError, Witness,
    Written,
};
use lychgate_protocol::channel::ChannelName;

const GUESTS: usize = 4;
const VISITS: usize = 3_000;
const ROOMS: usize = 2;

struct Deaf;

impl Sink for Deaf {
    fn write(&self, _: &[IoSlice<'_>]) -> Written {
        Written::Blocked
    }

    fn farewell(&self, _: Farewell) -> Bytes {
        Bytes::new()
    }

    fn finished(&self) {}
}

/// What was told of each channel, in its order: whether somebody is there.
#[derive(Default)]
struct Told(Mutex<HashMap<String, Vec<bool>>>);

impl Told {
    fn note(&self, channel: &ChannelName, is_occupied: bool) {
        self.0.lock().unwrap().entry(channel.to_string()).or_default().push(is_occupied);
    }

    fn of(&self, channel: &str) -> Vec<bool> {
        self.0.lock().unwrap().get(channel).cloned().unwrap_or_default()
    }
}

impl Witness for Told {
    fn occupied(&self, channel: &ChannelName) {
        self.note(channel, true);
    }

    fn vacated(&self, channel: &ChannelName) {
        // Time for others to come too early.
        (0..8).for_each(|_| thread::yield_now());
        self.note(channel, false);
    }
}

fn world() -> (Registrar, Drain, Arc<Told>) {
    let told = Arc::new(Told::default());
    let (registrar, drain) = Hub::witnessed(HubConfig::default(), Arc::clone(&told) as Arc<dyn Witness>);
    (registrar, drain, told)
}

fn open(drain: &Drain) -> Session {
    drain.open(OutboxLimits { bytes_max: 4, slices_max: 4 }, Arc::new(Deaf))
}

fn room(number: usize) -> ChannelName {
    format!("room:{number}").parse().unwrap()
}

#[test]
fn only_the_first_to_come_and_the_last_to_go_are_told_of() {
    let (registrar, drain, told) = world();
    let (one, other) = (open(&drain), open(&drain));
    let first = registrar.subscribe(&one, &room(0), Class(0)).unwrap();
    // Another class, and so another group of the same channel.
    let second = registrar.subscribe(&other, &room(0), Class(1)).unwrap();
    assert_eq!(registrar.subscribe(&one, &room(0), Class(0)).unwrap_err(), SubscribeError::Already);
    registrar.convert(&room(0), Class(1), Class(0));
    let _ = registrar.unsubscribe(first);
    assert_eq!(told.of("room:0"), [true]);
    let _ = registrar.unsubscribe(second);
    assert_eq!(told.of("room:0"), [true, false]);
    drain.close(&one);
    assert_eq!(registrar.subscribe(&one, &room(0), Class(0)).unwrap_err(), SubscribeError::Finished);
    assert_eq!(told.of("room:0"), [true, false], "nobody was let in");
}

#[test]
fn every_way_out_counts() {
    let (registrar, drain, told) = world();
    type Leave<'a> = &'a dyn Fn(&Session);
    let ways: [(&str, Leave<'_>); 5] = [
        ("revoked", &|session| {
            let _ = registrar.revoke(session, &room(0));
        }),
        ("finished", &|session| drain.finish(session, Bytes::from_static(b"bye"))),
        ("closed", &|session| drain.close(session)),
        ("too slow", &|_| {
            let long = |_: Class, _: u64, out: &mut Vec<u8>| out.extend_from_slice(b"too long for it");
            registrar.publish(&room(0), 1, &long, None);
            drain.seal(0);
        }),
        ("ended", &|_| {
            let _ = registrar.end_channel(&room(0), EndCode(0));
        }),
    ];
    for (turn, (way, leave)) in ways.into_iter().enumerate() {
        let session = open(&drain);
        let _ends_otherwise = registrar.subscribe(&session, &room(0), Class(0)).unwrap();
        assert_eq!(told.of("room:0").len(), 2 * turn + 1, "{way}");
        leave(&session);
        assert_eq!(told.of("room:0").len(), 2 * turn + 2, "{way}");
        drain.close(&session);
    }
    assert_eq!(told.of("room:0"), [true, false].repeat(ways.len()));
}

#[test]
fn it_hears_them_in_turn_whoever_comes_and_goes_at_once() {
    let (registrar, drain, told) = world();
    thread::scope(|scope| {
        for guest in 0..GUESTS {
            let (registrar, drain) = (&registrar, &drain);
            scope.spawn(move || {
                for visit in 0..VISITS {
                    let session = open(drain);
                    let name = room((visit + guest) % ROOMS);
                    // Somebody may end the channel meanwhile.
                    let subscription = registrar.subscribe(&session, &name, Class((visit % 2) as u8)).unwrap();
                    match (visit + guest) % 4 {
                        0 => {
                            let _ = registrar.unsubscribe(subscription);
                        }
                        1 => {
                            let _ = registrar.revoke(&session, &name);
                        }
                        2 => {
                            let _ = registrar.end_channel(&name, EndCode(0));
                        }
                        _ => {}
                    }
                    drain.close(&session);
                }
            });
        }
    });
    for number in 0..ROOMS {
        let all = told.of(&format!("room:{number}"));
        assert!(all.len() > 1_000, "{} say little", all.len());
        assert!(all.iter().zip([true, false].iter().cycle()).all(|(told, wanted)| told == wanted), "out of turn");
        assert_eq!(all.last(), Some(&false));
    }
    assert_eq!(drain.stats().channels, 0);
}
