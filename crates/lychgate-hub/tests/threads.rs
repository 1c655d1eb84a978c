//! Real threads on one hub: publishers, joiners and leavers, flushers and a network, all at once.
//!
//! Every socket checks on its own what it receives: each channel's offsets without gap, repetition or disorder.
//! Those who stay must receive everything; those who come and go, exactly what was published meanwhile.
//! The operating system's scheduler is the randomness here, so a failure may need more than one run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bytes::Bytes;
use lychgate_hub::{Class, Drain, Farewell, Hub, HubConfig, OutboxLimits, Registrar, Session, Sink, Written};
use lychgate_protocol::channel::ChannelName;

const SHARDS: usize = 2;
const CHANNELS: usize = 3;
const STAYING: usize = 12;
const PUBLISHERS: usize = 2;
const VISITORS: usize = 2;
const VISITS: usize = 150;
/// Only a lost wake-up takes this long.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Channel (1 byte), offset (8).
const FRAME_BYTES: usize = 9;
const CLOSE: u8 = 255;
/// With the channel: a direct frame that says that this offset was published.
const ANSWER: u8 = 128;

/// Sockets that are blocked, for the network to unblock.
#[derive(Default)]
struct Network {
    blocked: Mutex<VecDeque<Arc<Socket>>>,
    changed: Condvar,
    stopped: AtomicBool,
}

/// A socket that takes an odd number of bytes at a time.
struct Socket {
    received: Mutex<Received>,
    changed: Condvar,
    network: Arc<Network>,
    session: Mutex<Option<Session>>,
    myself: Mutex<Option<Arc<Socket>>>,
}

#[derive(Default)]
struct Received {
    rest: Vec<u8>,
    /// Of each channel, the offsets seen: the first and the last.
    seen: [Option<(u64, u64)>; CHANNELS],
    writes: u64,
    closed: bool,
    finished: bool,
}

impl Sink for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let mut received = self.received.lock().unwrap();
        received.writes += 1;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let cut = received.writes.is_multiple_of(5);
        let taken = if cut { offered * 2 / 3 } else { offered };
        let mut left = taken;
        for slice in slices {
            let part = left.min(slice.len());
            received.rest.extend_from_slice(&slice[..part]);
            left -= part;
        }
        received.decode();
        self.changed.notify_all();
        drop(received);
        if taken < offered {
            let myself = self.myself.lock().unwrap().clone().expect("set before the first write");
            self.network.blocked.lock().unwrap().push_back(myself);
            self.network.changed.notify_one();
        }
        Written::Bytes(taken)
    }

    fn farewell(&self, _: Farewell) -> Bytes {
        panic!("the limits of this test are out of reach");
    }

    fn finished(&self) {
        self.received.lock().unwrap().finished = true;
        self.changed.notify_all();
    }
}

impl Received {
    fn decode(&mut self) {
        let whole = self.rest.len() / FRAME_BYTES * FRAME_BYTES;
        for frame in self.rest[..whole].chunks_exact(FRAME_BYTES) {
            assert!(!self.closed, "a frame came after the last one");
            if frame[0] == CLOSE {
                self.closed = true;
                continue;
            }
            let offset = u64::from_be_bytes(frame[1..].try_into().unwrap());
            if frame[0] & ANSWER != 0 {
                let last = self.seen[(frame[0] & !ANSWER) as usize].map_or(0, |(_, last)| last);
                assert!(last >= offset, "an answer overtook the frame that it answers");
                continue;
            }
            let seen = &mut self.seen[frame[0] as usize];
            let first = match *seen {
                Some((first, last)) => {
                    assert_eq!(offset, last + 1, "channel {} lost, repeated or reordered", frame[0]);
                    first
                }
                None => offset,
            };
            *seen = Some((first, offset));
        }
        self.rest.drain(..whole);
    }
}

impl Socket {
    fn open(drain: &Drain, network: &Arc<Network>) -> (Session, Arc<Self>) {
        let socket = Arc::new(Self {
            received: Mutex::default(),
            changed: Condvar::new(),
            network: Arc::clone(network),
            session: Mutex::default(),
            myself: Mutex::default(),
        });
        *socket.myself.lock().unwrap() = Some(Arc::clone(&socket));
        let limits = OutboxLimits { bytes_max: usize::MAX, slices_max: usize::MAX };
        let session = drain.open(limits, socket.clone());
        *socket.session.lock().unwrap() = Some(session.clone());
        (session, socket)
    }

    fn wait(&self, what: &str, done: impl Fn(&Received) -> bool) {
        let received = self.received.lock().unwrap();
        let (received, timeout) =
            self.changed.wait_timeout_while(received, WATCHDOG, |received| !done(received)).unwrap();
        assert!(!timeout.timed_out(), "{what}: {:?} after {} writes", received.seen, received.writes);
    }

    fn close(&self, drain: &Drain, session: &Session) {
        drain.close(session);
        *self.session.lock().unwrap() = None;
        *self.myself.lock().unwrap() = None;
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn flusher(drain: &Drain, shard: usize, stopped: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while !stopped.load(Ordering::SeqCst) {
        match drain.poll_ready(shard, &mut context) {
            Poll::Ready(()) => {
                drain.seal(shard);
                let _ = drain.flush(shard, 7);
            }
            Poll::Pending => thread::park(),
        }
    }
}

fn network(drain: &Drain, network: &Network) {
    loop {
        let mut blocked = network.blocked.lock().unwrap();
        let socket = loop {
            match blocked.pop_front() {
                Some(socket) => break socket,
                None if network.stopped.load(Ordering::SeqCst) => return,
                None => blocked = network.changed.wait(blocked).unwrap(),
            }
        };
        drop(blocked);
        let session = socket.session.lock().unwrap().clone();
        if let Some(session) = session {
            drain.writable(&session);
        }
    }
}

/// Ends the endless threads when the test is over, failed or not.
struct Stop<'a> {
    flushers: Vec<Thread>,
    flushers_stopped: &'a AtomicBool,
    network: &'a Network,
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.flushers_stopped.store(true, Ordering::SeqCst);
        self.flushers.iter().for_each(Thread::unpark);
        // Under the lock, so that the network is not between looking and waiting.
        let blocked = self.network.blocked.lock();
        self.network.stopped.store(true, Ordering::SeqCst);
        self.network.changed.notify_all();
        drop(blocked);
    }
}

/// A visitor's thread, counted until it ends, however it ends.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A channel whose lock makes assigning an offset and publishing it one step, as a broker does.
struct Room {
    name: ChannelName,
    last_offset: Mutex<u64>,
}

impl Room {
    fn publish(&self, registrar: &Registrar, channel: u8) -> u64 {
        let mut last = self.last_offset.lock().unwrap();
        *last += 1;
        let frame = |_: Class, offset: u64, out: &mut Vec<u8>| {
            out.push(channel);
            out.extend_from_slice(&offset.to_be_bytes());
        };
        registrar.publish(&self.name, *last, &frame, None);
        *last
    }
}

/// Joins a channel, stays for a moment, and leaves in one of several ways; then must have got just what came between.
fn visit(registrar: &Registrar, drain: &Drain, net: &Arc<Network>, rooms: &[Room], visit: usize) {
    let (session, socket) = Socket::open(drain, net);
    let channel = visit % CHANNELS;
    let room = &rooms[channel];
    let last = room.last_offset.lock().unwrap();
    let first_owed = *last + 1;
    let subscription = registrar.subscribe(&session, &room.name, Class((visit % 2) as u8)).unwrap();
    drop(last);
    for _ in 0..visit % 40 {
        let offset = room.publish(registrar, channel as u8);
        let answer = [&[ANSWER | channel as u8][..], &offset.to_be_bytes()].concat();
        drain.send(&session, answer.into()).unwrap();
        thread::yield_now();
    }

    let close = [&[CLOSE][..], &[0; 8]].concat();
    let last = room.last_offset.lock().unwrap();
    let last_owed = *last;
    match visit % 4 {
        0 => assert!(registrar.unsubscribe(subscription).was_member),
        1 => assert!(registrar.revoke(&session, &room.name).was_member),
        2 => drain.finish(&session, Bytes::from(close.clone())),
        _ => {
            // An abrupt end: what arrives by then was checked for order, and nothing may come later.
            drop(last);
            socket.close(drain, &session);
            return;
        }
    }
    drop(last);
    drain.finish(&session, Bytes::from(close));
    socket.wait("a visitor's last frame", |received| received.finished);
    let received = socket.received.lock().unwrap();
    let owed = (first_owed <= last_owed).then_some((first_owed, last_owed));
    assert_eq!(received.seen[channel], owed, "visit {visit}");
    assert!(received.closed && received.rest.is_empty());
    drop(received);
    socket.close(drain, &session);
}

#[test]
fn threads_neither_lose_nor_reorder_nor_hang() {
    let (registrar, drain) = Hub::new(HubConfig { shards: SHARDS, batch_bytes_max: 500 });
    let net = Arc::new(Network::default());
    let flushers_stopped = AtomicBool::new(false);
    let visitors_left = AtomicUsize::new(VISITORS);
    let rooms: Vec<Room> = (0..CHANNELS)
        .map(|index| Room { name: format!("room:{index}").parse().unwrap(), last_offset: Mutex::new(0) })
        .collect();

    thread::scope(|scope| {
        let flushers = (0..SHARDS).map(|shard| {
            let (drain, stopped) = (&drain, &flushers_stopped);
            scope.spawn(move || flusher(drain, shard, stopped)).thread().clone()
        });
        let _stop = Stop { flushers: flushers.collect(), flushers_stopped: &flushers_stopped, network: &net };
        scope.spawn(|| network(&drain, &net));

        let staying: Vec<_> = (0..STAYING).map(|_| Socket::open(&drain, &net)).collect();
        for (session, _) in &staying {
            for room in &rooms {
                let _stays = registrar.subscribe(session, &room.name, Class(0)).unwrap();
            }
        }
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                scope.spawn(|| {
                    // As long as there are visitors, so that every visit falls into a burst.
                    while visitors_left.load(Ordering::SeqCst) > 0 {
                        for (channel, room) in rooms.iter().enumerate() {
                            room.publish(&registrar, channel as u8);
                        }
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let visitors: Vec<_> = (0..VISITORS)
            .map(|visitor| {
                let (registrar, drain, net, rooms) = (&registrar, &drain, &net, &rooms);
                let leaves = Leaves(&visitors_left);
                scope.spawn(move || {
                    let _leaves = leaves;
                    (0..VISITS).for_each(|turn| visit(registrar, drain, net, rooms, turn * VISITORS + visitor));
                })
            })
            .collect();

        publishers.into_iter().chain(visitors).for_each(|thread| thread.join().unwrap());
        let owed = [0, 1, 2].map(|channel: usize| Some((1, *rooms[channel].last_offset.lock().unwrap())));
        for (_, socket) in &staying {
            socket.wait("everything published", |received| received.seen == owed);
        }
        for (session, socket) in &staying {
            socket.close(&drain, session);
        }
    });

    let stats = drain.stats();
    assert_eq!((stats.sessions, stats.channels, stats.subscriptions, stats.queued_bytes), (0, 0, 0, 0));
    assert_eq!(stats.sessions_blocked, 0);
}
