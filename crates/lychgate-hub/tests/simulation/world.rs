//! The model: what should be in the hub, who should receive what, and the checks after every step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use lychgate_hub::{Drain, Hub, HubConfig, OutboxLimits, Registrar};
use lychgate_protocol::channel::ChannelName;

use crate::peer::{Life, Peer};
use crate::random::Random;
use crate::socket::Socket;
use crate::wire::{Frame, Kind};

/// The hub of one run and all that the model knows of it.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) registrar: Registrar,
    pub(crate) drain: Drain,
    pub(crate) config: HubConfig,
    pub(crate) channels: Vec<Room>,
    pub(crate) peers: Vec<Peer>,
    shards: Vec<Flusher>,
    /// Every direct frame holds it, so that a leaked batch is seen.
    pub(crate) token: Arc<()>,
    pub(crate) next_number: u64,
    /// Frames written down for some class.
    pub(crate) encoded: u64,
}

/// A channel of the model.
pub(crate) struct Room {
    pub(crate) name: ChannelName,
    pub(crate) last_offset: u64,
    /// Index into the peers, and the class.
    pub(crate) members: Vec<(usize, u8)>,
}

/// A shard's task: asleep means that it has left its waker and waits.
struct Flusher {
    asleep: bool,
    woken: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let shards = random.between(1, 4);
        let batch_bytes_max = [100, 800, 4_000][random.below(3)];
        let config = HubConfig { shards, batch_bytes_max };
        let (registrar, drain) = Hub::new(config);
        let channels = (0..random.between(1, 5))
            .map(|index| Room { name: format!("room:{index}").parse().unwrap(), last_offset: 0, members: Vec::new() })
            .collect();
        let flusher = || Flusher { asleep: false, woken: Arc::new(Flag(AtomicBool::new(false))) };
        Self {
            registrar,
            drain,
            config,
            channels,
            peers: Vec::new(),
            shards: (0..shards).map(|_| flusher()).collect(),
            token: Arc::new(()),
            next_number: 0,
            encoded: 0,
            random,
        }
    }

    /// Opens a session with limits that some runs reach.
    pub(crate) fn open(&mut self) {
        let generous = self.random.chance(65);
        let limits = OutboxLimits {
            bytes_max: if generous { 1 << 20 } else { self.random.between(200, 5_000) },
            slices_max: if generous { 1_024 } else { self.random.between(2, 40) },
        };
        let room_bytes = if self.random.chance(60) { usize::MAX } else { self.random.below(2_000) };
        let socket = Arc::new(Socket::new(&mut self.random, room_bytes));
        let session = self.drain.open(limits, socket.clone());
        assert!(self.peers.iter().all(|peer| peer.session.id() != session.id()), "a session id was reused");
        self.peers.push(Peer::new(session, socket, limits));
    }

    /// One turn of a shard's task, if it has been woken; whether it was.
    pub(crate) fn turn(&mut self, shard: usize) -> bool {
        let flusher = &mut self.shards[shard];
        if flusher.asleep && !flusher.woken.0.swap(false, Ordering::SeqCst) {
            return false;
        }
        flusher.asleep = false;
        let waker = Waker::from(Arc::clone(&flusher.woken));
        if self.drain.poll_ready(shard, &mut Context::from_waker(&waker)) == Poll::Pending {
            flusher.asleep = true;
            return true;
        }
        if self.random.chance(80) {
            self.drain.seal(shard);
            self.note_overflows();
        }
        if self.random.chance(80) {
            let budget = if self.random.chance(50) { 256 } else { self.random.between(1, 3) };
            let _ = self.drain.flush(shard, budget);
        }
        true
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// A direct frame that holds the token while it is anywhere.
    pub(crate) fn tokened(&self, frame: &Frame) -> Bytes {
        struct Tokened(Vec<u8>, #[expect(dead_code, reason = "held, not read")] Arc<()>);
        impl AsRef<[u8]> for Tokened {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Tokened(frame.encoded(), Arc::clone(&self.token)))
    }

    pub(crate) fn next_frame(&mut self, kind: fn(u64) -> Kind, bytes: usize) -> Frame {
        self.next_number += 1;
        Frame { kind: kind(self.next_number), bytes }
    }

    /// The model's side of a session that ends: it is in no channel.
    pub(crate) fn leave_all(&mut self, peer: usize) {
        for channel in &mut self.channels {
            channel.members.retain(|(member, _)| *member != peer);
        }
    }

    /// Lets the model follow the sockets that were told that their queue was full.
    ///
    /// It looks before anything is written, so that it knows which frame each peer had the start of.
    pub(crate) fn note_overflows(&mut self) {
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            if peer.is_open() && peer.socket.state().overflowed == 1 {
                peer.overflow();
                self.leave_all(index);
            }
        }
    }

    /// Compares what the sockets say with what the model says. Called after every step.
    pub(crate) fn check(&mut self) {
        let all_idle = (0..self.shards.len()).all(|shard| self.is_idle(shard));
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            peer.receive();
            let state = peer.socket.state();
            let (overflowed, ended, gone, blocked, finished) =
                (state.overflowed, state.ended, state.gone_reported, state.blocked, state.finished);
            drop(state);
            assert!(overflowed + ended <= 1 && finished <= 1, "a sink was told twice");
            assert!(overflowed + ended == 0 || !peer.is_open(), "a flush cannot fill a queue or end a channel");
            if gone && peer.life != Life::Closed {
                peer.stop(Life::Gone);
            }
            assert_eq!(peer.session.is_finished(), !peer.is_open(), "{:?} is {:?}", peer.session, peer.life);
            assert_eq!(peer.session.is_blocked(), blocked && matches!(peer.life, Life::Open | Life::Ending));
            if finished == 1 {
                assert!(peer.owed.is_empty(), "finished() came before {:?}", peer.owed);
            }
            self.check_queue(index, all_idle);
        }
    }

    /// Compares the hub's own figures with the model's. Called now and then.
    pub(crate) fn check_figures(&self) {
        for channel in &self.channels {
            assert_eq!(self.registrar.members(&channel.name), channel.members.len(), "members of {}", channel.name);
        }
        self.check_stats();
    }

    /// Bounds hold, and whatever can be written has a flusher that is awake.
    fn check_queue(&self, index: usize, all_idle: bool) {
        let peer = &self.peers[index];
        let (bytes, slices) = (peer.session.queued_bytes(), peer.session.queued_slices());
        let beyond = usize::from(peer.last_bytes > 0);
        assert!(bytes <= peer.limits.bytes_max + peer.last_bytes, "{bytes} bytes wait under {:?}", peer.limits);
        assert!(slices <= peer.limits.slices_max + beyond, "{slices} slices wait under {:?}", peer.limits);
        let owed_bytes: usize = peer.owed.iter().map(|frame| frame.bytes).sum();
        assert!(bytes <= owed_bytes, "{bytes} bytes wait, but only {owed_bytes} are owed");
        assert_eq!(bytes == 0, slices == 0);

        let shard = peer.session.id().0 as usize % self.shards.len();
        if bytes > 0 && !peer.session.is_blocked() {
            assert!(!self.is_idle(shard), "{:?} can be written, but shard {shard} sleeps", peer.session);
        }
        if all_idle && !peer.session.is_blocked() {
            assert!(peer.owed.is_empty(), "all shards sleep, but {:?} is owed {:?}", peer.session, peer.owed);
        }
    }

    fn is_idle(&self, shard: usize) -> bool {
        self.shards[shard].asleep && !self.shards[shard].woken.0.load(Ordering::SeqCst)
    }

    fn check_stats(&self) {
        let stats = self.drain.stats();
        let peers = |count: fn(&Peer) -> bool| self.peers.iter().filter(|peer| count(peer)).count() as u64;
        assert_eq!(stats.sessions, peers(|peer| peer.life != Life::Closed));
        assert_eq!(stats.channels, self.channels.iter().filter(|channel| !channel.members.is_empty()).count() as u64);
        assert_eq!(stats.subscriptions, self.channels.iter().map(|channel| channel.members.len() as u64).sum::<u64>());
        assert_eq!(stats.sessions_blocked, peers(|peer| peer.session.is_blocked()));
        assert_eq!(stats.sessions_overflowed, peers(|peer| peer.socket.state().overflowed == 1));
        let queued: usize = self.peers.iter().map(|peer| peer.session.queued_bytes()).sum();
        assert_eq!(stats.queued_bytes, queued as u64);
    }
}
