//! Who is behind a connection, and what becomes of what they say.
//!
//! **Invariant:** whatever ends the task, dropping the speaker leaves the channels, tells the others and closes the
//! session; nothing of the connection stays behind.

use std::sync::Arc;

use bytes::Bytes;
use lychgate_hub::{Drain, Session};
use lychgate_protocol::json;
use lychgate_protocol::ws::{CloseCode, Event as Frame, Violation, encode};
use lychgate_service::conversation::{Outlet, Then};
use lychgate_service::limits::{Bucket, Rate};

use crate::settings::Behaviour;
use crate::ws::admit::Caller;
use crate::ws::channels::{Client, Input};
use crate::ws::ending::Why;
use crate::ws::gate::Gate;
use crate::ws::profile::Event;
use crate::ws::socket::{Socket, Wake};
use crate::ws::standing::Standing;
use crate::ws::sweep;
use crate::ws::table::Entry;
use crate::ws::waiting::{Done, Waiting};

/// Refused messages of one connection that are answered before it is closed, and how fast that allowance grows back.
const REFUSED_MESSAGES_BURST: u32 = 100;

/// One connection, on the side that acts.
pub struct Speaker {
    pub(super) gate: Arc<Gate>,
    pub(super) socket: Arc<Socket>,
    pub(super) session: Session,
    /// Where it may speak. `None` for one that was refused and only waits to be closed, or that awaits its credential.
    pub(super) standing: Option<Standing>,
    /// Who has still to show a credential.
    pub(super) caller: Option<Box<Caller>>,
    /// What it holds as a client of many channels; `None` elsewhere, and while it takes its turn.
    pub(super) channels: Option<Box<Client>>,
    /// What has to be done before more is read.
    pub(super) waiting: Option<Box<Waiting>>,
    /// How often in a row nobody could be asked about its right.
    pub(super) asked_in_vain: u8,
    messages: Bucket,
    /// What most connections never do.
    rare: Option<Box<Rare>>,
    /// When the bytes were read that are being acted on, in milliseconds of the gate's ticker.
    now_ms: u64,
    /// Frames for this connection alone that its last read has caused so far. Lent by the thread for that long.
    pub(super) answers: Vec<u8>,
    /// The peer has sent its close frame.
    peer_closed: bool,
    /// Our close frame has left.
    finished: bool,
    /// The peer's bytes are no frames; what follows cannot be read.
    unreadable: bool,
}

/// Counts of what most connections never do, made when one does.
#[derive(Default)]
struct Rare {
    refused_messages: Bucket,
    pings: Bucket,
}

impl Speaker {
    /// A speaker whose session is open. With `standing` it was admitted, with `caller` it has still to show why.
    #[must_use]
    pub fn new(gate: Arc<Gate>, entry: Entry, standing: Option<Standing>, caller: Option<Box<Caller>>) -> Self {
        Self {
            gate,
            socket: entry.socket,
            session: entry.session,
            standing,
            caller,
            channels: None,
            waiting: None,
            asked_in_vain: 0,
            messages: Bucket::default(),
            rare: None,
            now_ms: 0,
            answers: Vec::new(),
            peer_closed: false,
            finished: false,
            unreadable: false,
        }
    }

    /// The same, for a client of many channels.
    #[must_use]
    pub(super) fn with_channels(mut self, client: Box<Client>) -> Self {
        self.channels = Some(client);
        self
    }

    /// The writing side.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whether sockets still wait for so much that publishing more could fill the queue of one that does read.
    #[must_use]
    pub fn must_hold_back(&self) -> bool {
        self.standing.is_some() && self.gate.drain.backlog_bytes() > self.gate.backlog_bytes_max
    }

    /// Whether both close frames have passed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.finished && self.peer_closed
    }

    /// Whether our close frame has left.
    #[must_use]
    pub const fn has_finished(&self) -> bool {
        self.finished
    }

    /// Whether what comes in still means anything.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        !self.unreadable && !self.peer_closed
    }

    /// Whether something is under way that has to be done before more is read.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Notes that bytes came.
    pub fn heard(&mut self) {
        self.now_ms = self.gate.ticker.now_ms();
        self.socket.heard(self.now_ms);
    }

    /// Takes a buffer for answers, unless there are some already.
    pub fn lend(&mut self, answers: Vec<u8>) {
        if self.answers.capacity() == 0 {
            self.answers = answers;
        }
    }

    /// Gives the buffer back; it is empty.
    pub fn give_back(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// Does what the socket's own side asks for.
    pub fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Writable => self.gate.drain.writable(&self.session),
            Wake::Finished => self.close_frame_left(),
            Wake::AskAgain => {
                self.ask_again();
                self.answer();
            }
            Wake::Ping => self.send_ping(),
            Wake::Orders => {
                self.take_turn(Input::Orders);
                self.answer();
            }
            Wake::Cut => {}
        }
    }

    fn close_frame_left(&mut self) {
        self.finished = true;
        // Whoever hears a one-way answer has nothing to close with.
        self.peer_closed |= self.socket.outlet().is_some();
        // Now, and not when the peer answers: one that does not would be seen as there for as long.
        self.leave();
        if self.unreadable {
            // Not dropped at once: unread bytes would turn into a reset that overtakes the close frame.
            self.socket.shut_down_writing();
        }
    }

    /// Acts on one frame.
    pub fn act_on(&mut self, frame: Frame<'_>) {
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
        if self.channels.is_some() {
            return self.command(text.as_bytes());
        }
        if !self.may_send() {
            return;
        }
        if let Some(caller) = self.caller.take() {
            return self.show_credential(text, *caller);
        }
        let Some(standing) = &mut self.standing else { return };
        match &self.socket.endpoint().settings.behaviour {
            Behaviour::Gone | Behaviour::Channels(_) => {}
            Behaviour::Echo => encode::text(text.as_bytes(), &mut self.answers),
            Behaviour::Converse(converse) => {
                let mut counts = std::mem::take(&mut standing.counts);
                let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
                let voice = standing.voice(self.session.id());
                let then = converse.conversation.hear(voice, text, &mut counts, self.now_ms, &mut out);
                standing.counts = counts;
                self.follow(then);
            }
        }
    }

    fn binary(&mut self, payload: &[u8]) {
        if self.channels.is_some() {
            return self.command(payload);
        }
        if !self.may_send() {
            return;
        }
        if self.caller.take().is_some() {
            return self.refuse(Event::Missing);
        }
        let Some(standing) = &self.standing else { return };
        match &self.socket.endpoint().settings.behaviour {
            Behaviour::Gone | Behaviour::Channels(_) => {}
            Behaviour::Echo => encode::binary(payload, &mut self.answers),
            Behaviour::Converse(converse) => {
                let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
                let then = converse.conversation.refuse_binary(standing.voice(self.session.id()), &mut out);
                self.follow(then);
            }
        }
    }

    /// A message of a client of many channels. Its commands are counted one by one.
    fn command(&mut self, message: &[u8]) {
        self.socket.endpoint().metrics.messages.inc();
        self.take_turn(Input::Message(message.to_vec()));
    }

    /// Does what is left to do after a message.
    fn follow(&mut self, then: Then) {
        match then {
            Then::Done => {}
            Then::Refused { code, closes } => {
                self.socket.endpoint().metrics.message_refused(code);
                if closes {
                    self.close(Event::BadFrame);
                }
            }
            Then::Cancel => self.close(Event::Completed),
            Then::Tell(payloads) => self.tell(payloads),
            Then::Wait(work) => self.wait_for(Box::pin(async move { Done::Said(work.await) })),
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn ping(&mut self, payload: &[u8]) {
        let (rate, now_ms) = (self.gate.limits.ping_rate, self.now_ms);
        if self.rare().pings.take(rate, now_ms).is_err() {
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
        let (allowance, now_ms) = (Rate::new(1, 1_000, REFUSED_MESSAGES_BURST), self.now_ms);
        if self.rare().refused_messages.take(allowance, now_ms).is_err() {
            self.close(Event::Rate);
        } else {
            self.error_frame("Too many messages. This one was not delivered; send more slowly.", "rate");
        }
        false
    }

    fn error_frame(&mut self, message: &str, code: &str) {
        if let (Some(standing), Behaviour::Converse(converse)) =
            (&self.standing, &self.socket.endpoint().settings.behaviour)
        {
            let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
            return converse.conversation.error(standing.voice(self.session.id()), message, code, &mut out);
        }
        let mut payload = Vec::with_capacity(64 + message.len());
        json::error_frame(message, None, &mut payload);
        encode::text(&payload, &mut self.answers);
    }

    /// Sends what is for this connection alone.
    pub fn answer(&mut self) {
        let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
        out.settle();
    }

    pub(super) fn close(&mut self, event: Event) {
        self.answer();
        sweep::close(&self.gate.drain, &self.entry(), event);
    }

    /// Closes a connection that was never let in. It was counted and logged when that was decided, or says nothing new.
    pub(super) fn refuse(&mut self, event: Event) {
        if event == Event::Missing {
            self.socket.endpoint().metrics.refused(event.name());
        }
        self.answer();
        self.socket.closing();
        let frame = self.socket.endpoint().settings.profile.close_frame(event);
        self.gate.drain.finish(&self.session, Bytes::from(frame));
    }

    pub(super) fn entry(&self) -> Entry {
        Entry { socket: Arc::clone(&self.socket), session: self.session.clone() }
    }

    fn leave(&mut self) {
        // A client of many channels leaves them by being dropped.
        self.channels = None;
        if let Some(standing) = &mut self.standing {
            let behaviour = &self.socket.endpoint().settings.behaviour;
            standing.leave(&self.gate.subscriptions, behaviour, self.session.id());
        }
    }

    /// The peer's close frame: the answer to ours, or one to be answered with the same code (RFC 6455 section 5.5.1).
    fn close_answered(&mut self, code: Option<CloseCode>) {
        self.peer_closed = true;
        if self.socket.is_closing() {
            return;
        }
        let code = code.unwrap_or(CloseCode::NORMAL);
        self.socket.ending.because(Why::Client(code));
        self.finish(code, "");
    }

    /// Ends a connection whose bytes are no frames.
    pub fn violated(&mut self, violation: Violation) {
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
        self.socket.ending.because(Why::Protocol(violation.close_code()));
        self.finish(violation.close_code(), &violation.to_string());
    }

    /// Queues the last frame, behind everything that this connection has caused.
    pub(super) fn finish(&mut self, code: CloseCode, reason: &str) {
        self.answer();
        let mut frame = Vec::new();
        encode::close(code, reason, &mut frame);
        self.socket.closing();
        self.gate.drain.finish(&self.session, Bytes::from(frame));
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        // First of all what is under way: it may hold a place in a channel that is to be left.
        self.waiting = None;
        self.leave();
        let endpoint = self.socket.endpoint();
        if self.standing.is_some() {
            endpoint.metrics.connections.dec();
            tracing::debug!(endpoint = endpoint.settings.name, "disconnected");
        }
        self.gate.drain.close(&self.session);
    }
}

/// The connection's own frames: collected, and sent together.
pub(super) struct Frames<'a> {
    pub(super) answers: &'a mut Vec<u8>,
    pub(super) drain: &'a Drain,
    pub(super) session: &'a Session,
}

impl Outlet for Frames<'_> {
    fn answer(&mut self, payload: &[u8]) {
        encode::text(payload, self.answers);
    }

    fn settle(&mut self) {
        if !self.answers.is_empty() {
            // A full queue is the hub's to deal with: it has closed the session as slow.
            let _ = self.drain.answer(self.session, self.answers);
            self.answers.clear();
        }
    }
}
