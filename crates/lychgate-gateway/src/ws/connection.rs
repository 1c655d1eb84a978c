//! The life of one WebSocket: bytes in, frames, commands.
//!
//! One task per connection. It reads, decodes and acts, all without waiting; what it causes to be sent goes through the
//! session's outbox in the hub and is written by the flusher.
//!
//! **Invariant:** while a connection is idle it holds no buffer: bytes are read into one buffer that all connections of
//! a thread share, and only the unfinished part of a message is kept, by the decoder.
//!
//! **Absent on purpose:** timers. Every deadline is the sweep's.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use lychgate_hub::Session;
use lychgate_protocol::json;
use lychgate_protocol::ws::{CloseCode, Decoded, Decoder, Event as Frame, Violation, encode};
use lychgate_service::limits::{Bucket, Rate};
use lychgate_service::policy::Permit;
use lychgate_service::publish::{PublishError, StampField};
use lychgate_service::subscribe::Subscription;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use crate::settings::{BadFrame, Behaviour};
use crate::ws::gate::Gate;
use crate::ws::profile::Event;
use crate::ws::socket::{Socket, Wake};
use crate::ws::sweep;
use crate::ws::table::{Entry, Place};
use crate::ws::users::UserPlace;

/// The size of the buffer that the connections of one thread share.
const READ_BYTES: usize = 64 * 1024;

/// A read that brought this much lets others run before the next, so that what it caused is written first.
const READ_BYTES_BEFORE_YIELD: usize = READ_BYTES / 2;

/// Refused messages of one connection that are answered before it is closed, and how fast that allowance grows back.
const REFUSED_MESSAGES_BURST: u32 = 100;

/// A buffer of answers that grew past this is given back after use.
const ANSWER_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
    /// Lent to the connection that acts, and empty in between.
    static ANSWERS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One connection, on the reading side.
pub struct Connection {
    reader: OwnedReadHalf,
    decoder: Decoder,
    speaker: Speaker,
    /// Given back when the connection ends.
    _table_place: Place,
}

/// Who is behind a connection, and what becomes of what they say.
struct Speaker {
    gate: Arc<Gate>,
    socket: Arc<Socket>,
    session: Session,
    /// Where it may speak. `None` for one that was refused and only waits to be closed.
    standing: Option<Standing>,
    messages: Bucket,
    refused_messages: Bucket,
    pings: Bucket,
    /// When the bytes were read that are being acted on, in milliseconds of the gate's ticker.
    now_ms: u64,
    /// Frames for this connection alone that its last read has caused so far. Lent by the thread for that long.
    answers: Vec<u8>,
    /// The peer has sent its close frame.
    peer_closed: bool,
    /// Our close frame has left.
    finished: bool,
    /// The peer's bytes are no frames; what follows cannot be read.
    unreadable: bool,
}

/// What an admitted connection holds.
pub struct Standing {
    /// Its channel; an echo endpoint has none.
    pub subscription: Option<Subscription>,
    /// Its right.
    pub permit: Permit,
    /// Its place among the connections of its user.
    pub user: UserPlace,
}

impl Connection {
    /// A connection whose session is open and, if it was admitted, in its channel.
    #[must_use]
    pub fn new(
        gate: Arc<Gate>,
        reader: OwnedReadHalf,
        entry: Entry,
        standing: Option<Standing>,
        decoder: Decoder,
        place: Place,
    ) -> Self {
        let speaker = Speaker {
            gate,
            socket: entry.socket,
            session: entry.session,
            standing,
            messages: Bucket::default(),
            refused_messages: Bucket::default(),
            pings: Bucket::default(),
            now_ms: 0,
            answers: Vec::new(),
            peer_closed: false,
            finished: false,
            unreadable: false,
        };
        Self { reader, decoder, speaker, _table_place: place }
    }

    /// Acts on what the client sent right behind its request.
    pub fn take_early(&mut self, early: &[u8]) {
        if !early.is_empty() {
            self.take(&mut early.to_vec());
        }
    }

    /// Lives until the socket ends. Not an `async fn`, whose future would hold the connection twice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the connection between two polls leaves its channel and closes the session.
    pub fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.speaker.socket.wakes(cx.waker());
        while !self.speaker.is_over() {
            match self.speaker.socket.poll_wake(cx, self.speaker.finished) {
                Poll::Ready(Wake::Writable) => self.speaker.gate.drain.writable(&self.speaker.session),
                Poll::Ready(Wake::Finished) => self.speaker.close_frame_left(),
                Poll::Ready(Wake::Cut) => break,
                Poll::Pending if !self.speaker.socket.is_read_from() => return Poll::Pending,
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
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut unfilled = ReadBuf::new(buffer);
            if ready!(Pin::new(&mut self.reader).poll_read(cx, &mut unfilled)).is_err() {
                return Poll::Ready(0);
            }
            let bytes = unfilled.filled().len();
            self.take(&mut buffer[..bytes]);
            Poll::Ready(bytes)
        })
    }

    /// Acts on the frames in `bytes`.
    fn take(&mut self, bytes: &mut [u8]) {
        let now_ms = self.speaker.gate.ticker.now_ms();
        self.speaker.socket.heard(now_ms);
        self.speaker.now_ms = now_ms;
        self.speaker.answers = ANSWERS.take();
        let mut taken = 0;
        // Until there is no event, even with nothing left: only then does the decoder give back what a message took.
        while self.speaker.is_heard() {
            match self.decoder.decode(&mut bytes[taken..]) {
                Ok(Decoded { consumed, event }) => {
                    taken += consumed;
                    let Some(frame) = event else { break };
                    self.speaker.act_on(frame);
                }
                Err(violation) => self.speaker.violated(violation),
            }
        }
        self.speaker.answer();
        let answers = std::mem::take(&mut self.speaker.answers);
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

impl Speaker {
    /// Whether sockets still wait for so much that publishing more could fill the queue of one that does read.
    fn must_hold_back(&self) -> bool {
        self.standing.is_some() && self.gate.drain.backlog_bytes() > self.gate.backlog_bytes_max
    }

    /// Whether both close frames have passed.
    const fn is_over(&self) -> bool {
        self.finished && self.peer_closed
    }

    /// Whether what comes in still means anything.
    const fn is_heard(&self) -> bool {
        !self.unreadable && !self.peer_closed
    }

    fn close_frame_left(&mut self) {
        self.finished = true;
        if self.unreadable {
            // Not dropped at once: unread bytes would turn into a reset that overtakes the close frame.
            self.socket.shut_down_writing();
        }
    }
}

impl Drop for Speaker {
    /// Whatever ends the task, nothing of the connection stays behind.
    fn drop(&mut self) {
        let endpoint = self.socket.endpoint();
        if let Some(standing) = self.standing.take() {
            if let Some(subscription) = standing.subscription {
                self.gate.subscriptions.leave(subscription);
            }
            endpoint.metrics.connections.dec();
            tracing::debug!(endpoint = endpoint.settings.name, "disconnected");
        }
        self.gate.drain.close(&self.session);
    }
}

impl Speaker {
    fn act_on(&mut self, frame: Frame<'_>) {
        if let Frame::Close(close) = frame {
            return self.close_answered(close.map(|(code, _)| code));
        }
        // A connection that is closing only waits for the peer's close frame.
        if self.socket.is_closing() {
            return;
        }
        match frame {
            Frame::Text(text) => self.text(text),
            Frame::Binary(payload) => self.binary(payload),
            Frame::Ping(payload) => self.ping(payload),
            Frame::Pong(_) | Frame::Close(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        if !self.may_send() {
            return;
        }
        let endpoint = Arc::clone(self.socket.endpoint());
        match &endpoint.settings.behaviour {
            Behaviour::Echo => encode::text(text.as_bytes(), &mut self.answers),
            Behaviour::Broadcast { stamps, audience, bad_frame, answer_ping } => {
                if *answer_ping && json::type_is(text, "ping") {
                    return self.pong_message(stamps);
                }
                // What the frames before this one have caused goes first.
                self.answer();
                let Some(standing) = &self.standing else { return };
                let from = self.session.id();
                let publisher = &self.gate.publisher;
                match publisher.publish_object(&standing.permit, text, stamps, *audience, from) {
                    Ok(_) => {}
                    Err(PublishError::NotAnObject(fault)) => self.bad_frame(*bad_frame, &fault.to_string()),
                    Err(PublishError::Broker(fault)) => {
                        endpoint.metrics.message_refused("broker");
                        tracing::warn!(endpoint = endpoint.settings.name, cause = %fault, "message not published");
                        self.error_frame("The message could not be delivered. Try again.");
                    }
                }
            }
        }
    }

    fn binary(&mut self, payload: &[u8]) {
        if !self.may_send() {
            return;
        }
        match self.socket.endpoint().settings.behaviour {
            Behaviour::Echo => encode::binary(payload, &mut self.answers),
            Behaviour::Broadcast { bad_frame, .. } => {
                self.bad_frame(bad_frame, "A message is one JSON object in a text frame, not a binary frame.");
            }
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        if self.pings.take(self.gate.limits.ping_rate, self.now_ms).is_err() {
            self.socket.endpoint().metrics.message_refused("ping_rate");
            return self.close(Event::Rate);
        }
        encode::pong(payload, &mut self.answers);
    }

    /// Counts a data message, and refuses it if there were too many.
    fn may_send(&mut self) -> bool {
        let endpoint = self.socket.endpoint();
        endpoint.metrics.messages.inc();
        if self.messages.take(endpoint.settings.message_rate, self.now_ms).is_ok() {
            return true;
        }
        endpoint.metrics.message_refused("rate");
        let allowance = Rate::new(1, 1_000, REFUSED_MESSAGES_BURST);
        if self.refused_messages.take(allowance, self.now_ms).is_err() {
            self.close(Event::Rate);
        } else {
            self.error_frame("Too many messages. This one was not delivered; send more slowly.");
        }
        false
    }

    fn bad_frame(&mut self, rule: BadFrame, message: &str) {
        self.socket.endpoint().metrics.message_refused("bad_frame");
        match rule {
            BadFrame::Error => self.error_frame(message),
            BadFrame::Ignore => {}
            BadFrame::Close => self.close(Event::BadFrame),
        }
    }

    fn error_frame(&mut self, message: &str) {
        let mut payload = Vec::with_capacity(64 + message.len());
        json::error_frame(message, None, &mut payload);
        encode::text(&payload, &mut self.answers);
    }

    fn pong_message(&mut self, stamps: &[StampField]) {
        let Some(standing) = &self.standing else { return };
        let pong = r#"{"type":"pong","payload":{"message":"pong"}}"#;
        let answers = &mut self.answers;
        let _ = self.gate.publisher.stamped(&standing.permit, pong, stamps, |payload| encode::text(payload, answers));
    }

    /// Sends what is for this connection alone.
    fn answer(&mut self) {
        if !self.answers.is_empty() {
            // A full queue is the hub's to deal with: it has closed the session as slow.
            let _ = self.gate.drain.answer(&self.session, &self.answers);
            self.answers.clear();
        }
    }

    fn close(&mut self, event: Event) {
        self.answer();
        let entry = Entry { socket: Arc::clone(&self.socket), session: self.session.clone() };
        sweep::close(&self.gate.drain, &entry, event);
    }

    /// The peer's close frame: the answer to ours, or one to be answered with the same code (RFC 6455 section 5.5.1).
    fn close_answered(&mut self, code: Option<CloseCode>) {
        self.peer_closed = true;
        if self.socket.is_closing() {
            return;
        }
        self.finish(code.unwrap_or(CloseCode::NORMAL), "");
    }

    fn violated(&mut self, violation: Violation) {
        self.unreadable = true;
        let endpoint = Arc::clone(self.socket.endpoint());
        if self.socket.is_closing() {
            return;
        }
        if violation.close_code() == CloseCode::TOO_BIG {
            return self.close(Event::TooBig);
        }
        endpoint.metrics.protocol_errors.inc();
        tracing::info!(endpoint = endpoint.settings.name, violation = violation.code(), "closing: {violation}");
        self.finish(violation.close_code(), &violation.to_string());
    }

    /// Queues the last frame, behind everything that this connection has caused.
    fn finish(&mut self, code: CloseCode, reason: &str) {
        self.answer();
        let mut frame = Vec::new();
        encode::close(code, reason, &mut frame);
        self.socket.closing();
        self.gate.drain.finish(&self.session, Bytes::from(frame));
    }
}
