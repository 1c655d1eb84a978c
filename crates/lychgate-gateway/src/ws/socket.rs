//! The writing side of one WebSocket, and the few numbers that its deadlines need.
//!
//! The hub's flusher writes here from its own task; the connection's task reads and waits.
//! They share this value and nothing else. Whoever changes a flag wakes the connection's task.
//!
//! **Invariant:** only the hub writes to `writer`, and only with the session's outbox locked, so frames never interleave.

use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use lychgate_hub::{Sink, Written};
use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use crate::ticks::{NEVER, Ticker, Ticks, ticks_of};
use crate::ws::endpoint::Endpoint;
use crate::ws::profile::Event;

/// The last write took less than there was.
const BLOCKED: u8 = 1;
/// The close frame has left.
const FINISHED: u8 = 2;
/// The connection ends now, whatever waits.
const CUT: u8 = 4;

/// One open WebSocket.
pub struct Socket {
    writer: OwnedWriteHalf,
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
    /// When the token runs out.
    pub expires_at: AtomicU32,
    /// When the server's stop reaches this socket.
    pub drains_at: AtomicU32,
    /// Since when it is closing; 0 if it is not.
    closing_since: AtomicU32,
}

/// What the connection's task woke up for, beside bytes to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The socket can take bytes again.
    Writable,
    /// The close frame has left.
    Finished,
    /// It is over.
    Cut,
}

impl Socket {
    /// A socket that has just been upgraded.
    #[must_use]
    pub fn new(writer: OwnedWriteHalf, endpoint: Arc<Endpoint>, ticker: Ticker, expires_at: Ticks) -> Self {
        Self {
            writer,
            endpoint,
            ticker,
            waker: AtomicWaker::new(),
            flags: AtomicU8::new(0),
            heard_at: AtomicU32::new(ticker.now()),
            asked_at: AtomicU32::new(0),
            blocked_since: AtomicU32::new(0),
            expires_at: AtomicU32::new(expires_at),
            drains_at: AtomicU32::new(NEVER),
            closing_since: AtomicU32::new(0),
        }
    }

    /// The endpoint it entered by.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Says who is to be woken when a flag is raised. Once for each poll of the connection's task, before it looks at them.
    pub fn wakes(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// What there is to do other than to read. A closing socket is not told `Finished` twice: `seen_finished` says it knows.
    pub fn poll_wake(&self, cx: &mut Context<'_>, seen_finished: bool) -> Poll<Wake> {
        let flags = self.flags.load(Ordering::Acquire);
        if flags & CUT != 0 {
            return Poll::Ready(Wake::Cut);
        }
        if flags & FINISHED != 0 && !seen_finished {
            return Poll::Ready(Wake::Finished);
        }
        if flags & BLOCKED != 0 {
            return match ready!(self.writer.as_ref().poll_write_ready(cx)) {
                Ok(()) => {
                    self.flags.fetch_and(!BLOCKED, Ordering::AcqRel);
                    Poll::Ready(Wake::Writable)
                }
                Err(_) => Poll::Ready(Wake::Cut),
            };
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
        // An error means that the connection is gone, which the next read says better.
        let _ = SockRef::from(self.writer.as_ref()).shutdown(Shutdown::Write);
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
            let written = match slices {
                // The kernel has a shorter way for one.
                [slice] => self.writer.try_write(slice),
                slices => self.writer.try_write_vectored(slices),
            };
            return match written {
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

    fn overflowed(&self) -> Bytes {
        self.closing();
        self.endpoint.metrics.closed(Event::Slow.name());
        Bytes::from(self.endpoint.settings.profile.close_frame(Event::Slow))
    }

    fn finished(&self) {
        self.raise(FINISHED);
    }
}
