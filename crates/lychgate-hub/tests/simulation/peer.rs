//! What the model knows of one session: what it is owed, and what has come.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use lychgate_hub::{Farewell, OutboxLimits, Session, Subscription};

use crate::socket::Socket;
use crate::wire::Frame;

/// One session, from both sides.
pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) socket: Arc<Socket>,
    pub(crate) witness: Weak<Socket>,
    pub(crate) limits: OutboxLimits,
    /// Frames that were caused and have not arrived, in the order in which they were caused.
    pub(crate) owed: VecDeque<Frame>,
    /// Bytes of the first frame on its way that have arrived.
    started: Vec<u8>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) life: Life,
    pub(crate) last_bytes: usize,
    pub(crate) overflowed_inside_a_frame: bool,
}

/// How far a session's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// Finished, overflowed or ended with a channel: what is owed is all that may come.
    Ending,
    /// The peer is away: nothing may come.
    Gone,
    Closed,
}

impl Peer {
    pub(crate) fn new(session: Session, socket: Arc<Socket>, limits: OutboxLimits) -> Self {
        Self {
            session,
            witness: Arc::downgrade(&socket),
            socket,
            limits,
            owed: VecDeque::new(),
            started: Vec::new(),
            subscriptions: Vec::new(),
            life: Life::Open,
            last_bytes: 0,
            overflowed_inside_a_frame: false,
        }
    }

    /// Whether frames may still be queued for it.
    pub(crate) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    pub(crate) fn owe(&mut self, frame: Frame) {
        if self.is_open() {
            self.owed.push_back(frame);
        }
    }

    /// Queues the frame after which nothing may come; an empty one is not seen on the wire.
    pub(crate) fn owe_last(&mut self, frame: Option<Frame>) {
        self.last_bytes = frame.as_ref().map_or(0, |frame| frame.bytes);
        self.owed.extend(frame);
        self.life = Life::Ending;
    }

    /// The hub ends the session with the frame that its socket words.
    pub(crate) fn owe_farewell(&mut self, cause: Farewell) {
        let goodbye = (!self.socket.goodbye_is_empty()).then(|| Socket::goodbye(cause));
        self.owe_last(goodbye);
    }

    /// Checks what the socket has received since the last look.
    pub(crate) fn receive(&mut self) {
        let arrived = std::mem::take(&mut self.socket.state().wire);
        if arrived.is_empty() {
            return;
        }
        self.started.extend_from_slice(&arrived);
        let mut at = 0;
        while let Some(frame) = Frame::decode(&self.started[at..]) {
            at += frame.bytes;
            self.accept(&frame);
        }
        self.started.drain(..at);
    }

    /// The queue was full: of what was owed, only a frame that the peer has the start of may still come whole.
    pub(crate) fn overflow(&mut self) {
        self.receive();
        let unsent: usize = self.owed.iter().map(|frame| frame.bytes).sum::<usize>() - self.started.len();
        assert!(
            unsent > self.limits.bytes_max || self.owed.len() > self.limits.slices_max,
            "a session overflowed with {unsent} bytes in {} frames under {:?}",
            self.owed.len(),
            self.limits,
        );
        let started = self.started_frame();
        self.overflowed_inside_a_frame = started.is_some();
        self.owed.clear();
        self.owed.extend(started);
        self.owe_farewell(Farewell::Slow);
    }

    /// Nothing comes any more, and what was begun stays torn.
    pub(crate) fn stop(&mut self, life: Life) {
        self.owed.clear();
        self.life = life;
    }

    /// Takes a frame off what is owed: the next of its source, and not past a direct frame.
    fn accept(&mut self, frame: &Frame) {
        let position = self.next_from(frame.source());
        let next = position.map(|position| &self.owed[position]);
        assert_eq!(next, Some(frame), "{:?} received a frame out of turn; owed: {:?}", self.session, self.owed);
        self.owed.remove(position.unwrap());
    }

    /// The frame of which the peer has a part.
    fn started_frame(&self) -> Option<Frame> {
        let source = *self.started.first()?;
        let position = self.next_from(source).expect("the peer has the start of a frame that it is not owed");
        assert!(self.owed[position].encoded().starts_with(&self.started), "the peer has the start of another frame");
        Some(self.owed[position].clone())
    }

    /// Where the next frame of `source` lies in what is owed, if no direct frame has to come before.
    fn next_from(&self, source: u8) -> Option<usize> {
        let position = self.owed.iter().position(|owed| owed.is_barrier() || owed.source() == source)?;
        let in_turn = self.owed[position].source() == source;
        (in_turn && (position == 0 || !self.owed[position].is_barrier())).then_some(position)
    }
}
