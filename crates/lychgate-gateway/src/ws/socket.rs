//! The writing side of one connection, and the few numbers that its deadlines need.
//!
//! The hub's flusher writes here from its own task; the connection's task reads and waits.
//! They share this value and nothing else. Whoever changes a flag wakes the connection's task.
//!
//! **Invariant:** only the hub writes to `writer`, and only with the session's outbox locked, so frames never interleave.

use std::io::{ErrorKind, IoSlice};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use lychgate_hub::{Farewell, Sink, Written};
use lychgate_service::policy::Permit;
use lychgate_service::streams::{COMPLETED, UPSTREAM_FAILED};

use crate::settings::Behaviour;
use crate::ticks::{NEVER, Ticker, Ticks, ticks_of};
use crate::ws::ending::{Ending, Why};
use crate::ws::endpoint::Endpoint;
use crate::ws::fallback::inbox::NotTaken;
use crate::ws::fallback::outlet::Outlet;
use crate::ws::profile::Event;
use crate::ws::revoked::HashedMarks;
use crate::ws::writer::Writer;

/// The last write took less than there was.
const BLOCKED: u8 = 1;
/// The close frame has left.
const FINISHED: u8 = 2;
/// The connection ends now, whatever waits.
const CUT: u8 = 4;
/// The credential has not come yet.
const AWAITING: u8 = 8;
/// The right has to be asked for again.
const ASK_AGAIN: u8 = 16;
/// The codec's own ping is due.
const PING: u8 = 32;
/// It is not read from until something is done.
const BUSY: u8 = 64;
/// The application wants something done.
const ORDERS: u8 = 128;

/// One open connection.
pub struct Socket {
    writer: Writer,
    endpoint: Arc<Endpoint>,
    ticker: Ticker,
    waker: AtomicWaker,
    flags: AtomicU8,
    /// When the peer last sent anything.
    pub heard_at: AtomicU32,
    /// When it was asked for a sign of life; 0 if no answer is due.
    pub asked_at: AtomicU32,
    /// Since when it takes nothing; 0 if it does.
    blocked_since: AtomicU32,
    /// When the token runs out, or the time to show one.
    pub expires_at: AtomicU32,
    /// When the right is asked for again.
    asks_again_at: AtomicU32,
    /// When the codec's own ping is due.
    pings_at: AtomicU32,
    /// When the server's stop reaches this socket.
    pub drains_at: AtomicU32,
    /// How it has ended.
    pub ending: Ending,
    /// Since when it is closing; 0 if it is not.
    closing_since: AtomicU32,
    /// By what its token can be revoked, hashed: session, token and subject; 0 where there is none.
    marks: [AtomicU64; 3],
    /// When its token was issued, in Unix seconds.
    issued_at: AtomicU32,
    /// The right it is open by, where that rests on this server's own registry.
    registered: OnceLock<Permit>,
    /// Whose rights to channels rest on it, where a connection holds many.
    watches: OnceLock<Box<str>>,
}

/// What the connection's task woke up for, beside bytes to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The socket can take bytes again.
    Writable,
    /// The close frame has left.
    Finished,
    /// The right has to be asked for again.
    AskAgain,
    /// The codec's own ping is due.
    Ping,
    /// The application wants something done.
    Orders,
    /// It is over.
    Cut,
}

impl Socket {
    /// A connection that has just begun.
    #[must_use]
    pub fn new(writer: Writer, endpoint: Arc<Endpoint>, ticker: Ticker) -> Self {
        Self {
            writer,
            endpoint,
            ticker,
            waker: AtomicWaker::new(),
            flags: AtomicU8::new(0),
            heard_at: AtomicU32::new(ticker.now()),
            asked_at: AtomicU32::new(0),
            blocked_since: AtomicU32::new(0),
            expires_at: AtomicU32::new(NEVER),
            asks_again_at: AtomicU32::new(NEVER),
            pings_at: AtomicU32::new(NEVER),
            drains_at: AtomicU32::new(NEVER),
            ending: Ending::default(),
            closing_since: AtomicU32::new(0),
            marks: [const { AtomicU64::new(0) }; 3],
            issued_at: AtomicU32::new(0),
            registered: OnceLock::new(),
            watches: OnceLock::new(),
        }
    }

    /// The endpoint it entered by.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// What it has in place of a TCP socket, where it is no WebSocket.
    #[must_use]
    pub fn outlet(&self) -> Option<&Outlet> {
        match &self.writer {
            Writer::Tcp(_) => None,
            Writer::Body(outlet) => Some(outlet),
        }
    }

    /// How it is reached, as the application is told.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        self.outlet().map_or("websocket", |outlet| outlet.transport.name())
    }

    /// Takes what a client without a WebSocket has to say.
    ///
    /// # Errors
    ///
    /// [`NotTaken`] when it says too much, or is over.
    pub fn hear(&self, message: Vec<u8>, now_ms: u64) -> Result<(), NotTaken> {
        let outlet = self.outlet().filter(|_| !self.is_closing()).ok_or(NotTaken::Over)?;
        outlet.inbox.push(message, now_ms)?;
        self.waker.wake();
        Ok(())
    }

    /// The network has taken everything that a body held.
    pub fn has_room(&self) {
        if self.flags.load(Ordering::Acquire) & BLOCKED != 0 {
            self.waker.wake();
        }
    }

    /// Says who is to be woken when a flag is raised. Once for each poll of the connection's task, before it looks at them.
    pub fn wakes(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Waits for a credential until then.
    pub fn awaits_until(&self, deadline: Ticks) {
        self.expires_at.store(deadline, Ordering::Relaxed);
        self.flags.fetch_or(AWAITING, Ordering::AcqRel);
    }

    /// Whether the credential has not come yet.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        self.flags.load(Ordering::Acquire) & AWAITING != 0
    }

    /// The credential was good until `expires_at`, and the right is asked for again at `asks_again_at`.
    pub fn admitted(&self, expires_at: Ticks, asks_again_at: Ticks) {
        self.expires_at.store(expires_at, Ordering::Relaxed);
        self.asks_again_at.store(asks_again_at, Ordering::Relaxed);
        self.flags.fetch_and(!AWAITING, Ordering::AcqRel);
    }

    /// It is open by a token that can be revoked by these.
    pub fn marked(&self, marks: &HashedMarks) {
        for (place, hash) in self.marks.iter().zip([marks.session, marks.token, marks.subject]) {
            place.store(hash, Ordering::Relaxed);
        }
        self.issued_at.store(marks.issued_at_s, Ordering::Relaxed);
    }

    /// By what its token can be revoked; by nothing, where it has shown none.
    #[must_use]
    pub fn marks(&self) -> HashedMarks {
        let [session, token, subject] = [0, 1, 2].map(|at: usize| self.marks[at].load(Ordering::Relaxed));
        HashedMarks { session, token, subject, issued_at_s: self.issued_at.load(Ordering::Relaxed) }
    }

    /// It is open by this right, which rests on this server's own registry.
    pub fn rests_on(&self, permit: &Permit) {
        // A connection is admitted once.
        let _ = self.registered.set(permit.clone());
    }

    /// The right it is open by, where that rests on this server's own registry.
    #[must_use]
    pub fn registered(&self) -> Option<&Permit> {
        self.registered.get()
    }

    /// It holds channels by rights of `user` that rest on this server's own registry.
    pub fn watches(&self, user: &str) {
        // A connection has one user.
        let _ = self.watches.set(user.into());
    }

    /// Whose rights to channels rest on this server's own registry, if it holds any by those.
    #[must_use]
    pub fn watching(&self) -> Option<&str> {
        self.watches.get().map(|user| &**user)
    }

    /// Whether the codec's own pings find out if the peer is there. Before its session is open that has an end anyway.
    #[must_use]
    pub fn pings_itself(&self) -> bool {
        matches!(self.endpoint.settings.behaviour, Behaviour::Channels(_))
    }

    /// The right is asked for again at that time, and not before.
    pub fn asks_again_at(&self, at: Ticks) {
        self.asks_again_at.store(at, Ordering::Relaxed);
    }

    /// Whether it is time to ask for the right again; says so once.
    #[must_use]
    pub fn is_to_ask_again(&self, now: Ticks) -> bool {
        let due = now >= self.asks_again_at.load(Ordering::Relaxed);
        if due {
            self.asks_again_at.store(NEVER, Ordering::Relaxed);
        }
        due
    }

    /// The codec's own ping is due at that time, and not before.
    pub fn pings_at(&self, at: Ticks) {
        self.pings_at.store(at, Ordering::Relaxed);
    }

    /// Has the connection's task send the codec's own ping, if it is time; says so once.
    pub fn ping_if_due(&self, now: Ticks) {
        if now >= self.pings_at.load(Ordering::Relaxed) {
            self.pings_at.store(NEVER, Ordering::Relaxed);
            self.raise(PING);
        }
    }

    /// Has the connection's task ask for the right again.
    pub fn ask_again(&self) {
        self.raise(ASK_AGAIN);
    }

    /// Has the connection's task do what the application wants.
    pub fn has_orders(&self) {
        self.raise(ORDERS);
    }

    /// Nothing is read from here on, until [`listens`](Self::listens).
    pub fn stops_listening(&self) {
        self.flags.fetch_or(BUSY, Ordering::AcqRel);
    }

    /// It is read from again; what the peer said meanwhile has still to be read.
    pub fn listens(&self, now_ms: u64) {
        self.heard(now_ms);
        self.flags.fetch_and(!BUSY, Ordering::AcqRel);
    }

    /// Whether the peer's silence says nothing, since nobody listens.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.flags.load(Ordering::Acquire) & BUSY != 0
    }

    /// What there is to do other than to read. A closing socket is not told `Finished` twice: `seen_finished` says it knows.
    /// One that `is_busy` is told later to ask again.
    pub fn poll_wake(&self, cx: &mut Context<'_>, seen_finished: bool, is_busy: bool) -> Poll<Wake> {
        let flags = self.flags.load(Ordering::Acquire);
        if flags & CUT != 0 {
            return Poll::Ready(Wake::Cut);
        }
        if flags & FINISHED != 0 && !seen_finished {
            return Poll::Ready(Wake::Finished);
        }
        if flags & BLOCKED != 0 {
            return match ready!(self.writer.poll_ready(cx)) {
                Ok(()) => {
                    self.flags.fetch_and(!BLOCKED, Ordering::AcqRel);
                    Poll::Ready(Wake::Writable)
                }
                Err(_) => Poll::Ready(Wake::Cut),
            };
        }
        if flags & PING != 0 && !is_busy {
            self.flags.fetch_and(!PING, Ordering::AcqRel);
            return Poll::Ready(Wake::Ping);
        }
        if flags & ORDERS != 0 && !is_busy {
            self.flags.fetch_and(!ORDERS, Ordering::AcqRel);
            return Poll::Ready(Wake::Orders);
        }
        if flags & ASK_AGAIN != 0 && !is_busy {
            self.flags.fetch_and(!ASK_AGAIN, Ordering::AcqRel);
            return Poll::Ready(Wake::AskAgain);
        }
        Poll::Pending
    }

    /// Whether the peer is read from. One that does not read is not, so that it cannot make work that piles up;
    /// but its answer to our close frame is always waited for.
    #[must_use]
    pub fn is_read_from(&self) -> bool {
        self.flags.load(Ordering::Acquire) & BLOCKED == 0 || self.is_closing()
    }

    /// Tells the peer that nothing more will come, and goes on reading.
    pub fn shut_down_writing(&self) {
        self.writer.shut_down();
    }

    /// Ends the connection without another byte.
    pub fn cut(&self) {
        self.raise(CUT);
    }

    /// Notes that a close frame has been queued, once.
    pub fn closing(&self) {
        let now = self.ticker.now();
        let _ = self.closing_since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether a close frame has been queued.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing_since.load(Ordering::Acquire) != 0
    }

    /// Since when it is closing, 0 if it is not.
    #[must_use]
    pub fn closing_since(&self) -> Ticks {
        self.closing_since.load(Ordering::Acquire)
    }

    /// Since when it takes nothing, 0 if it does.
    #[must_use]
    pub fn blocked_since(&self) -> Ticks {
        self.blocked_since.load(Ordering::Acquire)
    }

    /// Notes a sign of life at `now_ms` of the ticker.
    pub fn heard(&self, now_ms: u64) {
        self.heard_at.store(ticks_of(now_ms), Ordering::Relaxed);
        self.asked_at.store(0, Ordering::Relaxed);
    }

    fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.waker.wake();
    }

    fn blocked(&self, made_progress: bool) {
        if made_progress || self.blocked_since.load(Ordering::Relaxed) == 0 {
            self.blocked_since.store(self.ticker.now(), Ordering::Release);
        }
        self.raise(BLOCKED);
    }
}

impl Sink for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        loop {
            return match self.writer.try_write(slices) {
                Ok(0) => Written::Gone,
                Ok(taken) => {
                    if taken < wanted {
                        self.blocked(true);
                    } else if self.blocked_since.load(Ordering::Relaxed) != 0 {
                        self.blocked_since.store(0, Ordering::Release);
                    }
                    Written::Bytes(taken)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked(false);
                    Written::Blocked
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.cut();
                    Written::Gone
                }
            };
        }
    }

    fn farewell(&self, cause: Farewell) -> Bytes {
        let event = match cause {
            Farewell::Slow => Event::Slow,
            Farewell::Ended(COMPLETED) => Event::Completed,
            Farewell::Ended(UPSTREAM_FAILED) => Event::Upstream,
            Farewell::Ended(_) => Event::Error,
        };
        self.ending.because(Why::Event(event));
        self.closing();
        self.endpoint.metrics.closed(event.name());
        Bytes::from(self.endpoint.settings.profile.close_frame(event))
    }

    fn finished(&self) {
        self.raise(FINISHED);
    }
}
