//! Real threads while channels end: publishers, those who end channels, and sessions that are in two at once.
//!
//! Whoever is ended with a channel must have got everything that was published to it since it came, and only then its
//! goodbye; whoever comes a moment later must have got nothing of either.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lychgate_hub::{
    Class, Drain, EndCode, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Registrar, SendError, Session, Sink,
    Written,
};
use lychgate_protocol::channel::ChannelName;

const ROOMS: usize = 3;
const VISITORS: usize = 3;
const VISITS: usize = 400;
const GOODBYE: u8 = 255;
const ANSWER: u8 = 254;
/// Only a lost goodbye takes this long.
const WATCHDOG: Duration = Duration::from_secs(120);
/// Room or kind (1 byte), offset (8).
const FRAME_BYTES: usize = 9;

struct Room {
    name: ChannelName,
    past: Mutex<Past>,
}

/// What happened in a room, in the order in which its lock was taken.
#[derive(Default)]
struct Past {
    last_offset: u64,
    /// The last offset before each end.
    ends: Vec<u64>,
}

#[derive(Default)]
struct Socket {
    wire: Mutex<Vec<u8>>,
    finished: AtomicBool,
}

impl Sink for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let mut wire = self.wire.lock().unwrap();
        slices.iter().for_each(|slice| wire.extend_from_slice(slice));
        Written::Bytes(slices.iter().map(|slice| slice.len()).sum())
    }

    fn farewell(&self, cause: Farewell) -> Bytes {
        let Farewell::Ended(EndCode(room)) = cause else { panic!("the limits of this test are out of reach") };
        frame(GOODBYE, u64::from(room)).into()
    }

    fn finished(&self) {
        self.finished.store(true, Ordering::SeqCst);
    }
}

fn frame(kind: u8, number: u64) -> Vec<u8> {
    [&[kind][..], &number.to_be_bytes()].concat()
}

/// Where a visitor came in: what it is owed begins behind this offset and goes to the end with this number.
struct Came {
    room: usize,
    behind: u64,
    end: usize,
}

fn come(registrar: &Registrar, rooms: &[Room], room: usize, session: &Session) -> Option<Came> {
    let past = rooms[room].past.lock().unwrap();
    let joined = registrar.subscribe(session, &rooms[room].name, Class((room % 2) as u8));
    joined.is_ok().then(|| Came { room, behind: past.last_offset, end: past.ends.len() })
}

fn visit(registrar: &Registrar, drain: &Drain, rooms: &[Room], visit: usize) {
    let socket = Arc::new(Socket::default());
    let session = drain.open(OutboxLimits { bytes_max: usize::MAX, slices_max: usize::MAX }, socket.clone());
    // The second may find that the first has ended the session already.
    let came = [visit % ROOMS, (visit + 1) % ROOMS].map(|room| come(registrar, rooms, room, &session));
    let mut answers = 0;
    let since = Instant::now();
    while !socket.finished.load(Ordering::SeqCst) {
        match drain.send(&session, frame(ANSWER, answers + 1).into()) {
            Ok(()) => answers += 1,
            Err(refused) => assert_eq!(refused, SendError::Finished),
        }
        if visit.is_multiple_of(7) && answers > 3 {
            return drain.close(&session);
        }
        assert!(since.elapsed() < WATCHDOG, "visit {visit} has no end");
        thread::yield_now();
    }

    let wire = socket.wire.lock().unwrap();
    let frames: Vec<(u8, u64)> = wire
        .chunks(FRAME_BYTES)
        .map(|frame| (frame[0], u64::from_be_bytes(frame[1..].try_into().expect("whole frames"))))
        .collect();
    let ((kind, ended_by), owed) = frames.split_last().unwrap();
    assert_eq!(*kind, GOODBYE, "the goodbye comes last");
    let seen = |kind: u8| owed.iter().filter(move |frame| frame.0 == kind).map(|frame| frame.1);
    assert!(seen(ANSWER).eq(1..=answers), "answers that were taken come before the goodbye");
    assert_eq!(seen(GOODBYE).count(), 0);
    for came in came.iter().flatten() {
        let got: Vec<u64> = seen(came.room as u8).collect();
        assert!(got.iter().copied().eq(came.behind + 1..=came.behind + got.len() as u64), "lost or repeated: {got:?}");
        if came.room as u64 == *ended_by {
            let last = rooms[came.room].past.lock().unwrap().ends[came.end];
            assert_eq!(came.behind + got.len() as u64, last, "visit {visit} got all that came before the end");
        }
    }
    assert!(came.iter().flatten().any(|came| came.room as u64 == *ended_by));
    drop(wire);
    drain.close(&session);
}

#[test]
fn whoever_is_in_a_channel_when_it_ends_got_all_of_it() {
    let (registrar, drain) = Hub::new(HubConfig { shards: 2, batch_bytes_max: 200 });
    let rooms: Vec<Room> = (0..ROOMS)
        .map(|index| Room { name: format!("room:{index}").parse().unwrap(), past: Mutex::default() })
        .collect();
    let left = AtomicUsize::new(VISITORS);
    let ended = AtomicUsize::new(0);
    let visited = || left.load(Ordering::SeqCst) == 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !visited() {
                for shard in 0..2 {
                    drain.seal(shard);
                    while drain.flush(shard, 16) == Flushed::More {}
                }
                thread::yield_now();
            }
        });
        for room in 0..ROOMS {
            let (registrar, rooms, ended, visited) = (&registrar, &rooms, &ended, &visited);
            scope.spawn(move || {
                while !visited() {
                    ended.fetch_add(speak(registrar, &rooms[room], room as u8), Ordering::SeqCst);
                    thread::yield_now();
                }
            });
        }
        for visitor in 0..VISITORS {
            let (registrar, drain, rooms, left) = (&registrar, &drain, &rooms, &left);
            scope.spawn(move || {
                let leaves = Leaves(left);
                (0..VISITS).for_each(|turn| visit(registrar, drain, rooms, turn * VISITORS + visitor));
                drop(leaves);
            });
        }
    });
    let stats = drain.stats();
    assert_eq!((stats.sessions, stats.channels, stats.subscriptions, stats.queued_bytes), (0, 0, 0, 0));
    assert!(ended.load(Ordering::SeqCst) >= VISITORS * VISITS / 2, "{ended:?} sessions were ended");
}

/// Publishes, and with every eleventh frame ends the channel; returns how many that ended.
fn speak(registrar: &Registrar, room: &Room, index: u8) -> usize {
    let mut past = room.past.lock().unwrap();
    past.last_offset += 1;
    let last = past.last_offset;
    let encode = |_: Class, offset: u64, out: &mut Vec<u8>| out.extend(frame(index, offset));
    registrar.publish(&room.name, last, &encode, None);
    if !last.is_multiple_of(11) {
        return 0;
    }
    past.ends.push(last);
    registrar.end_channel(&room.name, EndCode(index))
}

/// A visitor's thread, counted until it ends, however it ends.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
