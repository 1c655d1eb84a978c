//! A socket whose peer reads as slowly, and goes away as suddenly, as the simulation wants.

use std::io::IoSlice;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use lychgate_hub::{Farewell, Sink, Written};

use crate::random::Random;
use crate::wire::{Frame, HEADER_BYTES, Kind};

/// The sink of one simulated session.
pub(crate) struct Socket(Mutex<State>);

/// What the simulation sees and sets.
pub(crate) struct State {
    /// Bytes the peer has received and the model has not looked at.
    pub(crate) wire: Vec<u8>,
    /// Bytes that the socket takes before it blocks.
    pub(crate) room_bytes: usize,
    /// The next write finds the peer away.
    pub(crate) gone: bool,
    /// A write has said so.
    pub(crate) gone_reported: bool,
    pub(crate) blocked: bool,
    pub(crate) closed: bool,
    pub(crate) overflowed: u32,
    pub(crate) ended: u32,
    pub(crate) finished: u32,
    /// Percentage of writes that are cut at random, although there is room.
    cut_percent: usize,
    random: Random,
    goodbye_empty: bool,
}

impl Socket {
    pub(crate) fn new(random: &mut Random, room_bytes: usize) -> Self {
        Self(Mutex::new(State {
            wire: Vec::new(),
            room_bytes,
            gone: false,
            gone_reported: false,
            blocked: false,
            closed: false,
            overflowed: 0,
            ended: 0,
            finished: 0,
            cut_percent: if random.chance(50) { 0 } else { random.below(60) },
            goodbye_empty: random.chance(5),
            random: Random::new(random.next()),
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The last frame, when the hub ends the session for `cause`.
    pub(crate) fn goodbye(cause: Farewell) -> Frame {
        match cause {
            Farewell::Slow => Frame { kind: Kind::Goodbye, bytes: HEADER_BYTES + 2 },
            Farewell::Ended(code) => Frame { kind: Kind::Ended(code.0), bytes: HEADER_BYTES + 3 },
        }
    }

    pub(crate) fn goodbye_is_empty(&self) -> bool {
        self.state().goodbye_empty
    }
}

impl Sink for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let mut state = self.state();
        assert!(!state.blocked, "a blocked socket was written before it was writable");
        assert!(!state.gone_reported, "a socket was written although its peer was away");
        assert!(!state.closed, "a socket was written after close");
        assert_eq!(state.finished, 0, "a socket was written after its last frame");
        assert!(!slices.is_empty() && slices.len() <= 64, "{} slices in one write", slices.len());
        assert!(slices.iter().all(|slice| !slice.is_empty()), "an empty slice was queued");
        if state.gone {
            state.gone_reported = true;
            return Written::Gone;
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut taken = offered.min(state.room_bytes);
        let cut_percent = state.cut_percent;
        if state.random.chance(cut_percent) {
            taken = state.random.between(0, taken);
        }
        state.blocked = taken < offered;
        state.room_bytes -= taken;
        let mut left = taken;
        for slice in slices {
            let part = left.min(slice.len());
            state.wire.extend_from_slice(&slice[..part]);
            left -= part;
        }
        if taken == 0 && state.random.chance(50) {
            return Written::Blocked;
        }
        Written::Bytes(taken)
    }

    fn farewell(&self, cause: Farewell) -> Bytes {
        let mut state = self.state();
        match cause {
            Farewell::Slow => state.overflowed += 1,
            Farewell::Ended(_) => state.ended += 1,
        }
        if state.goodbye_empty { Bytes::new() } else { Self::goodbye(cause).encoded().into() }
    }

    fn finished(&self) {
        self.state().finished += 1;
    }
}
