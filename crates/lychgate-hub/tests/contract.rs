//! Single promises of the hub, each with the case in which it does not bite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use lychgate_hub::{
    Class, Delivered, Drain, EndCode, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Registrar, SendError, Session,
    Sink, SubscribeError, Written,
};
use lychgate_protocol::channel::ChannelName;

/// A socket that writes down each write on its own and takes as many bytes as there is room.
struct Tape {
    name: usize,
    writes: Mutex<Vec<String>>,
    room: Mutex<usize>,
    finished: AtomicUsize,
}

impl Sink for Tape {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut room = self.room.lock().unwrap();
        let taken = all.len().min(*room);
        *room -= taken;
        if taken == 0 {
            return Written::Blocked;
        }
        self.writes.lock().unwrap().push(String::from_utf8(all[..taken].to_vec()).unwrap());
        Written::Bytes(taken)
    }

    fn farewell(&self, cause: Farewell) -> Bytes {
        match cause {
            Farewell::Slow => Bytes::from_static(b"[slow]"),
            Farewell::Ended(code) => Bytes::from(format!("[{}:{}]", self.name, code.0)),
        }
    }

    fn finished(&self) {
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}

impl Tape {
    fn text(&self) -> String {
        self.writes.lock().unwrap().concat()
    }
}

struct Bench {
    registrar: Registrar,
    drain: Drain,
    room: ChannelName,
    opened: AtomicUsize,
}

impl Bench {
    fn new(shards: usize, batch_bytes_max: usize) -> Self {
        let (registrar, drain) = Hub::new(HubConfig { shards, batch_bytes_max });
        Self { registrar, drain, room: "room".parse().unwrap(), opened: AtomicUsize::new(0) }
    }

    fn open(&self, limits: OutboxLimits, room: usize) -> (Session, Arc<Tape>) {
        let name = self.opened.fetch_add(1, Ordering::SeqCst);
        let (writes, room) = (Mutex::default(), Mutex::new(room));
        let tape = Arc::new(Tape { name, writes, room, finished: AtomicUsize::new(0) });
        (self.drain.open(limits, tape.clone()), tape)
    }

    fn member(&self, class: u8) -> (Session, Arc<Tape>) {
        let (session, tape) = self.open(OutboxLimits::default(), usize::MAX);
        let _stays = self.registrar.subscribe(&session, &self.room, Class(class)).unwrap();
        (session, tape)
    }

    fn publish(&self, text: &str) -> Delivered {
        let frame = |class: Class, _: u64, out: &mut Vec<u8>| {
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(format!("/{};", class.0).as_bytes());
        };
        self.registrar.publish(&self.room, 0, &frame, None)
    }

    fn tick(&self) {
        (0..self.drain.shards()).for_each(|shard| self.drain.seal(shard));
        for shard in 0..self.drain.shards() {
            while self.drain.flush(shard, 256) == Flushed::More {}
        }
    }
}

#[test]
fn frames_of_one_tick_leave_in_one_write_and_each_class_has_its_own() {
    let bench = Bench::new(2, 65_536);
    let ((_, raw), (_, json)) = (bench.member(0), bench.member(1));
    for text in ["a", "b", "c"] {
        assert_eq!(bench.publish(text).sessions, 2);
    }
    bench.tick();
    bench.publish("d");
    bench.tick();
    assert_eq!(*raw.writes.lock().unwrap(), ["a/0;b/0;c/0;", "d/0;"]);
    assert_eq!(*json.writes.lock().unwrap(), ["a/1;b/1;c/1;", "d/1;"]);
    assert_eq!(bench.drain.stats().batches_sealed, 4);
}

#[test]
fn a_batch_is_sealed_before_it_gets_too_long_and_a_longer_frame_is_one_of_its_own() {
    for (texts, batches) in
        [(vec!["aaaa", "bbbb"], 1), (vec!["aaaa", "bbbb", "c"], 2), (vec!["a", &"b".repeat(99), "c"], 3)]
    {
        let bench = Bench::new(1, 14);
        let (_, tape) = bench.member(0);
        texts.iter().for_each(|text| assert_eq!(bench.publish(text).sessions, 1));
        bench.tick();
        assert_eq!(tape.text(), texts.iter().map(|text| format!("{text}/0;")).collect::<String>());
        assert_eq!(bench.drain.stats().batches_sealed, batches, "{texts:?}");
    }
}

#[test]
fn a_full_outbox_ends_after_the_frame_that_is_partly_written() {
    // Frames are 4 bytes; room is what the socket takes before it blocks.
    let cases = [
        // Limits, room, direct frames, what the peer reads in the end, whether it overflowed.
        ((16, 99), 0, 4, "aaa;bbb;ccc;ddd;", false),
        ((16, 99), 0, 5, "[slow]", true),
        ((15, 99), 0, 4, "[slow]", true),
        ((16, 99), 4, 6, "aaa;[slow]", true),
        ((16, 99), 5, 6, "aaa;bbb;[slow]", true),
        ((16, 99), 7, 6, "aaa;bbb;[slow]", true),
        ((99, 3), 0, 3, "aaa;bbb;ccc;", false),
        ((99, 3), 0, 4, "[slow]", true),
        ((99, 3), 1, 4, "aaa;[slow]", true),
        ((3, 99), 0, 1, "[slow]", true),
    ];
    for ((bytes_max, slices_max), room, count, read, overflows) in cases {
        let bench = Bench::new(1, 65_536);
        let (session, tape) = bench.open(OutboxLimits { bytes_max, slices_max }, room);
        let mut sent = Ok(());
        for letter in ["a", "b", "c", "d", "e", "f"].into_iter().take(count) {
            sent = bench.drain.send(&session, Bytes::from(letter.repeat(3) + ";"));
            bench.tick();
        }
        let case = format!("{bytes_max} bytes, {slices_max} slices, room {room}, {count} frames");
        assert_eq!(sent, if overflows { Err(SendError::OutboxFull) } else { Ok(()) }, "{case}");
        assert_eq!(bench.drain.stats().sessions_overflowed, u64::from(overflows), "{case}");
        assert!(session.queued_bytes() <= bytes_max + "[slow]".len(), "{case}");
        *tape.room.lock().unwrap() = usize::MAX;
        bench.drain.writable(&session);
        bench.tick();
        assert_eq!(tape.text(), read, "{case}");
        assert_eq!(tape.finished.load(Ordering::SeqCst), usize::from(overflows), "{case}");
        let later = bench.drain.send(&session, Bytes::from_static(b"late"));
        assert_eq!(later, if overflows { Err(SendError::Finished) } else { Ok(()) }, "{case}");
    }
}

#[test]
fn a_slow_reader_leaves_its_channels_and_costs_nobody_else() {
    let bench = Bench::new(1, 65_536);
    let (slow, _) = bench.open(OutboxLimits { bytes_max: 10, slices_max: 9 }, 0);
    let subscription = bench.registrar.subscribe(&slow, &bench.room, Class(0)).unwrap();
    let (_, quick) = bench.member(0);
    for text in ["aa", "bb", "cc"] {
        bench.publish(text);
        bench.tick();
    }
    assert_eq!(quick.text(), "aa/0;bb/0;cc/0;");
    assert_eq!(bench.registrar.members(&bench.room), 1);
    assert_eq!(bench.drain.stats().queue_bytes_high, 10, "the queue reached its limit");
    assert_eq!(
        bench.registrar.subscribe(&slow, &"other".parse().unwrap(), Class(0)).unwrap_err(),
        SubscribeError::Finished
    );
    let left = bench.registrar.unsubscribe(subscription);
    assert!(!left.was_member && !left.channel_vacated);
}

#[test]
fn finish_queues_the_last_frame_even_if_the_outbox_is_full() {
    let bench = Bench::new(1, 65_536);
    let (session, tape) = bench.open(OutboxLimits { bytes_max: 4, slices_max: 1 }, 0);
    bench.drain.send(&session, Bytes::from_static(b"aaa;")).unwrap();
    bench.drain.finish(&session, Bytes::from_static(b"[bye]"));
    bench.drain.finish(&session, Bytes::from_static(b"[again]"));
    bench.tick();
    assert_eq!(tape.finished.load(Ordering::SeqCst), 0);
    *tape.room.lock().unwrap() = usize::MAX;
    bench.drain.writable(&session);
    assert_eq!((tape.text().as_str(), tape.finished.load(Ordering::SeqCst)), ("aaa;[bye]", 1));
}

#[test]
fn the_end_of_a_channel_comes_behind_all_that_was_published_and_each_member_hears_its_own() {
    let bench = Bench::new(2, 65_536);
    let elsewhere: ChannelName = "elsewhere".parse().unwrap();
    let members = [bench.member(0), bench.member(1), bench.member(0)];
    let (stranger, stays) = bench.open(OutboxLimits::default(), usize::MAX);
    for session in [&members[2].0, &stranger] {
        let _stays = bench.registrar.subscribe(session, &elsewhere, Class(0)).unwrap();
    }
    bench.publish("a");
    bench.tick();
    bench.publish("b");
    bench.registrar.publish(&elsewhere, 1, &|_: Class, _: u64, out: &mut Vec<u8>| out.push(b'!'), None);
    assert_eq!(bench.registrar.end_channel(&bench.room, EndCode(7)), 3);
    assert_eq!(bench.publish("late").sessions, 0);
    for (session, _) in &members {
        assert_eq!(bench.drain.send(session, Bytes::from_static(b"late")), Err(SendError::Finished));
        let again = bench.registrar.subscribe(session, &bench.room, Class(0));
        assert_eq!(again.unwrap_err(), SubscribeError::Finished);
    }
    bench.tick();
    let texts = members.each_ref().map(|(_, tape)| tape.text());
    assert_eq!(texts, ["a/0;b/0;[0:7]", "a/1;b/1;[1:7]", "a/0;b/0;![2:7]"]);
    assert!(members.iter().all(|(_, tape)| tape.finished.load(Ordering::SeqCst) == 1));
    assert_eq!((stays.text().as_str(), bench.registrar.members(&elsewhere)), ("!", 1));
    assert_eq!((bench.drain.stats().channels, bench.drain.stats().subscriptions), (1, 1));

    assert_eq!(bench.registrar.end_channel(&bench.room, EndCode(7)), 0, "a channel without members has no end");
    let (_, next) = bench.member(0);
    bench.publish("c");
    bench.tick();
    assert_eq!(next.text(), "c/0;", "the name is free for those who come later");
}

#[test]
fn the_end_of_a_channel_is_queued_beyond_the_limits_and_a_session_has_one_end() {
    let bench = Bench::new(1, 65_536);
    let limits = OutboxLimits { bytes_max: 4, slices_max: 1 };
    let tapes = [("a", 1), ("aa", 1), ("a", 3)].map(|(text, room)| {
        let (session, tape) = bench.open(limits, room);
        let channel: ChannelName = format!("room{}", tape.name).parse().unwrap();
        let _stays = bench.registrar.subscribe(&session, &channel, Class(0)).unwrap();
        let frame = |_: Class, _: u64, out: &mut Vec<u8>| out.extend_from_slice(format!("{text}/;").as_bytes());
        bench.registrar.publish(&channel, 1, &frame, None);
        bench.tick();
        if text == "aa" {
            bench.registrar.publish(&channel, 2, &frame, None);
        }
        bench.registrar.end_channel(&channel, EndCode(1));
        bench.drain.finish(&session, Bytes::from_static(b"[bye]"));
        *tape.room.lock().unwrap() = usize::MAX;
        bench.drain.writable(&session);
        bench.tick();
        tape
    });
    let texts = tapes.each_ref().map(|tape| tape.text());
    assert_eq!(texts, ["a/;[0:1]", "aa/;[slow]", "a/;[2:1]"]);
    assert!(tapes.iter().all(|tape| tape.finished.load(Ordering::SeqCst) == 1));
}

#[test]
fn an_encoder_that_panics_spoils_no_other_frame() {
    let bench = Bench::new(1, 65_536);
    let ((_, raw), (_, json)) = (bench.member(0), bench.member(1));
    bench.publish("a");
    let torn = |class: Class, _: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(b"torn");
        assert_eq!(class, Class(0), "the second class cannot be encoded");
        out.extend_from_slice(b"/0;");
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| bench.registrar.publish(&bench.room, 0, &torn, None)));
    assert!(panicked.is_err());
    bench.publish("b");
    bench.tick();
    assert_eq!(raw.text(), "a/0;torn/0;b/0;");
    assert_eq!(json.text(), "a/1;b/1;");
}

#[test]
fn an_encoder_that_panics_first_in_a_tick_leaves_the_channel_alive() {
    let bench = Bench::new(1, 65_536);
    let (_, tape) = bench.member(0);
    let torn = |_: Class, _: u64, _: &mut Vec<u8>| panic!("cannot be encoded");
    assert!(catch_unwind(AssertUnwindSafe(|| bench.registrar.publish(&bench.room, 0, &torn, None))).is_err());
    bench.publish("a");
    bench.tick();
    assert_eq!(tape.text(), "a/0;");
}

#[test]
fn a_flusher_is_woken_once_for_its_own_shard_only() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let bench = Bench::new(2, 65_536);
    let counts = [0, 1].map(|_| Arc::new(Count(AtomicUsize::new(0))));
    let wakers = counts.clone().map(Waker::from);
    let poll = |shard: usize| bench.drain.poll_ready(shard, &mut Context::from_waker(&wakers[shard]));
    let woken = || counts.each_ref().map(|count| count.0.load(Ordering::SeqCst));
    let (session, _) = bench.open(OutboxLimits::default(), usize::MAX);
    let own = session.id().0 as usize % 2;

    assert_eq!((poll(0), poll(1)), (Poll::Pending, Poll::Pending));
    bench.drain.send(&session, Bytes::from_static(b"a")).unwrap();
    bench.drain.send(&session, Bytes::from_static(b"b")).unwrap();
    assert_eq!((woken()[own], woken()[1 - own]), (1, 0));
    assert_eq!((poll(own), poll(1 - own)), (Poll::Ready(()), Poll::Pending));
    assert_eq!(bench.drain.flush(own, 0), Flushed::More);
    assert_eq!(bench.drain.flush(own, 1), Flushed::Idle);
    assert_eq!(poll(own), Poll::Pending);
}

#[test]
fn a_flusher_that_is_not_needed_does_not_lag() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(1, Ordering::SeqCst);
        }
    }
    let bench = Bench::new(4, 1_024);
    let flags = [0; 4].map(|_| Arc::new(Woken(AtomicUsize::new(1))));
    let wakers = flags.clone().map(Waker::from);
    // As a runtime does: whoever was not woken is not asked.
    let run = || {
        let mut ran = 0;
        for shard in 0..4 {
            while flags[shard].0.swap(0, Ordering::SeqCst) == 1 {
                ran += 1;
                while bench.drain.poll_ready(shard, &mut Context::from_waker(&wakers[shard])).is_ready() {
                    bench.drain.seal(shard);
                    let _ = bench.drain.flush(shard, 256);
                }
            }
        }
        ran
    };
    let (_member, tape) = bench.member(0);
    assert_eq!((run(), bench.drain.backlog_bytes()), (4, 0));
    for n in 1..=3 {
        bench.publish("twelve bytes");
        assert_eq!(bench.drain.backlog_bytes(), 15, "until it is written");
        assert!((1..4).contains(&run()), "one flusher, or two, if another one's has the channel");
        assert_eq!(bench.drain.backlog_bytes(), 0, "and those who were not woken had nothing to do with it");
        assert_eq!(tape.text().len(), 15 * n);
    }
}

#[test]
fn nobody_publishes_to_a_channel_that_nobody_is_in() {
    let bench = Bench::new(1, 65_536);
    assert_eq!(bench.publish("a").sessions, 0);
    let (session, tape) = bench.open(OutboxLimits::default(), usize::MAX);
    let subscription = bench.registrar.subscribe(&session, &bench.room, Class(0)).unwrap();
    assert_eq!(bench.registrar.subscribe(&session, &bench.room, Class(1)).unwrap_err(), SubscribeError::Already);
    assert_eq!(bench.publish("b").sessions, 1);
    assert!(bench.registrar.unsubscribe(subscription).channel_vacated);
    assert_eq!(bench.publish("c").sessions, 0);
    bench.tick();
    assert_eq!((tape.text().as_str(), bench.drain.stats().channels), ("b/0;", 0));
}

#[test]
fn a_channel_of_very_many_keeps_nobody_else_waiting() {
    const CROWD: usize = 2_000;
    const TURN: usize = 16;
    let bench = Bench::new(1, 65_536);
    let crowd: Vec<_> = (0..CROWD).map(|_| bench.member(0)).collect();
    let (quiet, tape) = bench.open(OutboxLimits::default(), usize::MAX);
    let corner: ChannelName = "corner".parse().unwrap();
    let _stays = bench.registrar.subscribe(&quiet, &corner, Class(0)).unwrap();

    bench.publish("one");
    bench.drain.seal(0);
    assert_eq!(bench.drain.flush(0, TURN), Flushed::More);
    bench.publish("two");
    bench.registrar.publish(&corner, 1, &|_: Class, _: u64, out: &mut Vec<u8>| out.push(b'!'), None);
    bench.drain.seal(0);
    assert_eq!(bench.drain.flush(0, TURN), Flushed::More);
    assert_eq!(tape.text(), "!", "one turn later, although nearly all of the crowd still waits");
    assert_eq!(bench.drain.stats().slices_pushed, CROWD as u64 + 1, "and the crowd's second batch is not cut yet");

    bench.tick();
    bench.tick();
    assert!(crowd.iter().all(|(_, tape)| tape.text() == "one/0;two/0;"));
}
