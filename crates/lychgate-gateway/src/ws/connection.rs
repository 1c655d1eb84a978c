//! The life of one connection: bytes in, frames, commands.
//!
//! One task per connection. It reads, decodes and acts; what it causes to be sent goes through the session's outbox in
//! the hub and is written by the flusher. Where something has to be waited for, it acts on nothing more until that is done.
//!
//! **Invariant:** while a connection is idle it holds no buffer: bytes are read into one buffer that all connections of
//! a thread share, and only the unfinished part of a message is kept, by the decoder.
//!
//! **Absent on purpose:** timers. Every deadline is the sweep's.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use lychgate_protocol::ws::{Decoded, Decoder, Event};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use crate::ws::socket::{Socket, Wake};
use crate::ws::speaker::Speaker;
use crate::ws::table::Place;

/// The size of the buffer that the connections of one thread share.
const READ_BYTES: usize = 64 * 1024;

/// A read that brought this much lets others run before the next, so that what it caused is written first.
const READ_BYTES_BEFORE_YIELD: usize = READ_BYTES / 2;

/// A buffer of answers that grew past this is given back after use.
const ANSWER_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
    /// Lent to the connection that acts, and empty in between.
    static ANSWERS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One connection, on the reading side.
pub struct Connection {
    /// None where the peer speaks by requests of its own, which the socket keeps.
    reader: Option<OwnedReadHalf>,
    decoder: Decoder,
    speaker: Speaker,
    /// Given back when the connection ends.
    _table_place: Place,
}

impl Connection {
    /// A connection whose session is open.
    #[must_use]
    pub const fn new(reader: Option<OwnedReadHalf>, decoder: Decoder, speaker: Speaker, place: Place) -> Self {
        Self { reader, decoder, speaker, _table_place: place }
    }

    /// Its writing side.
    #[must_use]
    pub fn socket(&self) -> Arc<Socket> {
        self.speaker.entry().socket
    }

    /// Enters the channel, if the connection was admitted, and acts on what the client sent right behind its request.
    pub fn begin(&mut self, early: &[u8]) {
        self.speaker.enter();
        self.take(&mut early.to_vec());
    }

    /// Lives until the socket ends. Not an `async fn`, whose future would hold the connection twice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the connection between two polls leaves its channel and closes the session.
    pub fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.speaker.socket().wakes(cx.waker());
        while !self.speaker.is_over() {
            let is_busy = self.speaker.is_waiting();
            match self.speaker.socket().poll_wake(cx, self.speaker.has_finished(), is_busy) {
                Poll::Ready(Wake::Cut) => break,
                Poll::Ready(wake) => self.speaker.wake(wake),
                Poll::Pending if is_busy && self.poll_overhear(cx).is_ready() => break,
                Poll::Pending if is_busy => ready!(self.poll_work(cx)),
                Poll::Pending if !self.speaker.socket().is_read_from() => return Poll::Pending,
                Poll::Pending if self.speaker.must_hold_back() => return yield_now(cx),
                Poll::Pending => match ready!(self.poll_read(cx)) {
                    0 => break,
                    READ_BYTES_BEFORE_YIELD.. => return yield_now(cx),
                    _ => {}
                },
            }
        }
        Poll::Ready(())
    }

    /// Reads once and acts on it. Ready with the number of bytes, 0 when the peer is gone.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.reader.is_none() {
            return self.poll_inbox();
        }
        READ_BUFFER.with_borrow_mut(|buffer| {
            let Some(reader) = &mut self.reader else { return Poll::Ready(0) };
            let mut unfilled = ReadBuf::new(buffer);
            if ready!(Pin::new(reader).poll_read(cx, &mut unfilled)).is_err() {
                return Poll::Ready(0);
            }
            let bytes = unfilled.filled().len();
            self.speaker.heard();
            self.take(&mut buffer[..bytes]);
            Poll::Ready(bytes)
        })
    }

    /// Acts on the next message of a peer that speaks by requests. Its socket wakes the task for each.
    fn poll_inbox(&mut self) -> Poll<usize> {
        let Some(message) = self.speaker.socket().outlet().and_then(|outlet| outlet.inbox.pop()) else {
            return Poll::Pending;
        };
        self.speaker.heard();
        self.speaker.lend(ANSWERS.take());
        self.speaker.act_on(Event::Binary(&message));
        self.answer();
        Poll::Ready(message.len())
    }

    /// Reads ahead while an answer is told, as far as there is room, so that somebody who leaves is not answered for nothing.
    /// Ready when the peer is gone.
    fn poll_overhear(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            loop {
                let Some(reader) = &mut self.reader else { return Poll::Pending };
                let room = self.speaker.overhears().min(buffer.len());
                if room == 0 {
                    return Poll::Pending;
                }
                let mut unfilled = ReadBuf::new(&mut buffer[..room]);
                if ready!(Pin::new(reader).poll_read(cx, &mut unfilled)).is_err() {
                    return Poll::Ready(());
                }
                let bytes = unfilled.filled().len();
                if bytes == 0 {
                    return Poll::Ready(());
                }
                self.speaker.heard();
                self.speaker.park(&buffer[..bytes]);
                self.speaker.answer();
            }
        })
    }

    /// Waits for what is under way, and goes on with what was read behind it.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut parked = ready!(self.speaker.poll_work(cx));
        self.take(&mut parked);
        Poll::Ready(())
    }

    /// Acts on the frames in `bytes`, as far as nothing has to be waited for.
    fn take(&mut self, bytes: &mut [u8]) {
        self.speaker.lend(ANSWERS.take());
        let mut taken = 0;
        // Until there is no event, even with nothing left: only then does the decoder give back what a message took.
        while self.speaker.is_heard() && !self.speaker.is_waiting() {
            match self.decoder.decode(&mut bytes[taken..]) {
                Ok(Decoded { consumed, event }) => {
                    taken += consumed;
                    let Some(frame) = event else { break };
                    self.speaker.act_on(frame);
                }
                Err(violation) => self.speaker.violated(violation),
            }
        }
        self.speaker.park(&bytes[taken..]);
        self.answer();
    }

    /// Sends what the connection is answered, and keeps the buffer for the next one.
    fn answer(&mut self) {
        self.speaker.answer();
        let answers = self.speaker.give_back();
        if answers.capacity() <= ANSWER_BYTES_KEPT {
            ANSWERS.set(answers);
        }
    }
}

/// Lets every other task that is ready run first.
fn yield_now(cx: &Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
