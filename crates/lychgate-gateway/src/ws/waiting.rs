//! What takes its time: showing a credential, entering with a history, asking again, being stored, being answered.
//!
//! **Invariant:** a connection has one such thing under way at most, and acts on nothing it says meanwhile,
//! so what it said later cannot overtake.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use lychgate_protocol::centrifuge::code::disconnect_reason;
use lychgate_protocol::ws::encode;
use lychgate_service::admission::{Credential, Refused};
use lychgate_service::conversation::{Conversation, Told};
use lychgate_service::local_broker::CLASS_TEXT;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::streams::{Opening, WatchRefused};
use lychgate_service::subscribe::Subscription;
use lychgate_service::template::Scope;
use lychgate_token::Token;
use serde::Deserialize;
use tokio::time::timeout;

use crate::settings::{Behaviour, Converse, CredentialSource, Streaming};
use crate::ticks::ticks;
use crate::ws::admit::{self, Caller, Outcome};
use crate::ws::channels::{End, Input, Turn, Turned};
use crate::ws::credential::Found;
use crate::ws::ending::Why;
use crate::ws::joining::Joining;
use crate::ws::parked::Parked;
use crate::ws::profile::Event;
use crate::ws::speaker::{Frames, Speaker};

/// Something that takes its time, and what came of it.
pub(super) type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What came of it.
pub(super) enum Done {
    /// The credential of the first message was looked at.
    Admitted(Outcome),
    /// The channel was entered, with what was kept before told to the newcomer; `None` if it could not be.
    Entered(Option<Subscription>),
    /// The right was asked for again.
    AskedAgain(Result<(), Refused>),
    /// A message was stored or forwarded, and this is what the speaker is told.
    Said(Vec<Bytes>),
    /// A client of many channels has taken its turn.
    Turned(Box<Turned>),
}

/// A connection acts on nothing more while this is under way.
pub struct Waiting {
    pub(super) work: UnderWay,
    /// What was read behind the message that began it.
    pub(super) parked: Parked,
}

/// What is under way.
pub(super) enum UnderWay {
    /// One thing, and then it is done.
    Work(Work),
    /// An answer to this connection alone, piece by piece.
    Telling(BoxStream<'static, Bytes>),
}

/// How often in a row a right may be asked for again in vain before the connection ends.
const ASKED_IN_VAIN_MAX: u8 = 3;

impl Speaker {
    pub(super) fn wait_for(&mut self, work: Work) {
        self.socket.stops_listening();
        self.waiting = Some(Box::new(Waiting { work: UnderWay::Work(work), parked: Parked::default() }));
    }

    /// Tells this connection an answer, and acts on what it says meanwhile when that is over.
    ///
    /// It is still listened to, so its silence still says something.
    pub(super) fn tell(&mut self, payloads: BoxStream<'static, Bytes>) {
        self.waiting = Some(Box::new(Waiting { work: UnderWay::Telling(payloads), parked: Parked::without_pings() }));
    }

    /// Keeps what was read behind the message that has to be waited for.
    pub fn park(&mut self, bytes: &[u8]) {
        let Some(waiting) = &mut self.waiting else { return };
        waiting.parked.push(bytes);
        for payload in waiting.parked.take_pings() {
            self.ping(&payload);
        }
    }

    /// How many bytes may be read while an answer is told: 0 where nobody is told one, or enough has been read.
    #[must_use]
    pub fn overhears(&self) -> usize {
        let Some(Waiting { work: UnderWay::Telling(_), parked }) = self.waiting.as_deref() else { return 0 };
        let room = parked.room();
        if room == 0 {
            self.socket.stops_listening();
        }
        room
    }

    /// Ready with what was read meanwhile, once what was under way is done.
    ///
    /// An answer is over as well when nobody will read it: the peer has said goodbye, or is told it.
    pub fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(Vec::new()) };
        let done = match &mut waiting.work {
            UnderWay::Work(work) => ready!(work.as_mut().poll(cx)),
            UnderWay::Telling(_) if self.socket.is_closing() || waiting.parked.says_goodbye() => Done::Said(Vec::new()),
            UnderWay::Telling(payloads) => match ready!(payloads.poll_next_unpin(cx)) {
                Some(payload) => {
                    encode::text(&payload, &mut self.answers);
                    self.answer();
                    // A source that has much ready lets the sockets be written in between.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => Done::Said(Vec::new()),
            },
        };
        let parked = waiting.parked.take();
        self.waiting = None;
        self.socket.listens(self.gate.ticker.now_ms());
        self.go_on(done);
        // Going on may have begun something else, and then these bytes wait for that.
        Poll::Ready(parked)
    }

    /// Goes on with what came of it, unless the connection has begun to close meanwhile.
    pub(super) fn go_on(&mut self, done: Done) {
        if let Done::Entered(Some(subscription)) = done {
            match &mut self.standing {
                Some(standing) if !self.socket.is_closing() => {
                    standing.subscription = Some(subscription);
                    self.entered();
                }
                _ => self.gate.subscriptions.leave(subscription),
            }
            return;
        }
        if let Done::Turned(turned) = done {
            return self.turned(*turned);
        }
        if self.socket.is_closing() {
            return;
        }
        match done {
            Done::Admitted(Outcome::Enter { admitted, user, seen }) => {
                let entry = self.entry();
                self.standing = admit::stand(&self.gate, self.socket.endpoint(), &entry, admitted, user, seen);
                self.enter();
            }
            Done::Admitted(Outcome::Refuse(event)) => self.refuse(event),
            // Only a request can be told to show its credential first.
            Done::Admitted(Outcome::Await(_)) | Done::Entered(_) | Done::Turned(_) => self.close(Event::Error),
            Done::AskedAgain(answer) => self.asked_again(answer),
            Done::Said(payloads) => payloads.iter().for_each(|payload| encode::text(payload, &mut self.answers)),
        }
    }

    /// Has a client of many channels take its turn.
    pub(super) fn take_turn(&mut self, input: Input) {
        let Some(mut client) = self.channels.take() else { return };
        client.goes_on_from(std::mem::take(&mut self.answers));
        let mut work: Work = Box::pin(async move { Done::Turned(Box::new(Turn::new(client).take(input).await)) });
        // Most turns wait for nothing. Then what several messages of one read are answered goes out together, and what they
        // publish is not handed out one by one. Whoever does wait is polled again at once, by the task itself.
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Done::Turned(turned)) => self.turned(*turned),
            Poll::Ready(_) => {}
            Poll::Pending => self.wait_for(work),
        }
    }

    fn turned(&mut self, turned: Turned) {
        // Also on one that is closing: it has still to hear what was said before. Once it has, it holds no channels.
        self.channels = Some(turned.client).filter(|_| !self.has_finished());
        if let Some(standing) = turned.standing {
            self.standing = Some(standing);
        }
        if self.socket.is_closing() {
            return;
        }
        if self.answers.is_empty() {
            self.answers = turned.frames;
        } else {
            self.answers.extend_from_slice(&turned.frames);
        }
        match turned.end {
            None => {}
            // Who was refused at the door was counted there.
            Some(End::Event(event, true)) => self.refuse(event),
            Some(End::Event(event, false)) => self.close(event),
            Some(End::Code(code)) => {
                self.socket.ending.because(Why::Protocol(code));
                self.finish(code, disconnect_reason(code));
            }
            Some(End::Said(code, reason)) => {
                self.socket.ending.because(Why::Application(code));
                self.finish(code, &reason);
            }
        }
    }

    /// The first message of a client that brought no credential with its request.
    pub(super) fn show_credential(&mut self, text: &str, caller: Caller) {
        let endpoint = Arc::clone(self.socket.endpoint());
        let token = endpoint.settings.credentials.iter().find_map(|source| match source {
            CredentialSource::Message(kind) => first_message(text, kind),
            _ => None,
        });
        let Some(token) = token else { return self.refuse(Event::Missing) };
        let found = Found { credential: Credential::Token(Token::from(token)), kind: "message" };
        let gate = Arc::clone(&self.gate);
        self.wait_for(Box::pin(async move {
            Done::Admitted(admit::admit(&gate, &endpoint, Ok(Some(found)), caller).await)
        }));
    }

    /// Enters the channel of the standing, if there is one, and says and hears what belongs to that.
    pub fn enter(&mut self) {
        let endpoint = Arc::clone(self.socket.endpoint());
        let (Some(standing), Behaviour::Converse(converse)) = (&mut self.standing, &endpoint.settings.behaviour) else {
            return;
        };
        let permit = standing.permit.clone();
        if let Some(stream) = &converse.stream {
            return self.watch(&converse.conversation, stream);
        }
        if converse.history_on_join > 0 {
            return self.enter_with_history(converse);
        }
        match self.gate.subscriptions.enter(permit, &self.session, CLASS_TEXT) {
            Ok(subscription) => {
                standing.subscription = Some(subscription);
                self.entered();
            }
            Err(cause) => self.cannot_enter(&cause),
        }
    }

    fn cannot_enter(&mut self, cause: &dyn std::fmt::Display) {
        let name = &self.socket.endpoint().settings.name;
        tracing::error!(endpoint = name, %cause, "an admitted connection could not enter its channel");
        self.close(Event::Error);
    }

    /// Subscribes at a moment when everything that was kept before is known, so that nothing is missed or comes twice.
    fn enter_with_history(&mut self, converse: &Converse) {
        let Some(standing) = &self.standing else { return };
        let (gate, session, permit) = (Arc::clone(&self.gate), self.session.clone(), standing.permit.clone());
        let (conversation, limit) = (Arc::clone(&converse.conversation), converse.history_on_join);
        self.wait_for(Box::pin(async move {
            let joining = Joining::new(gate.subscriptions.clone());
            let entrance = joining.entrance(permit.clone(), session, gate.drain.clone());
            if let Err(cause) = conversation.join_with_history(&permit, limit, entrance).await {
                tracing::error!(%cause, "a newcomer could not be told what was kept");
            }
            Done::Entered(joining.taken())
        }));
    }

    /// Joins the run of text of its channel, or begins one: it gets the text so far, and then what comes.
    fn watch(&mut self, conversation: &Arc<Conversation>, stream: &Streaming) {
        let Some(standing) = &mut self.standing else { return };
        let permit = standing.permit.clone();
        let mut request = Vec::new();
        let scope = Scope::of(&permit, UnixMicros(0));
        let rendered = stream.request.render(&scope, stream.request_bytes_max, &mut request);
        let Ok(request) = rendered
            .map_err(|fault| fault.to_string())
            .and_then(|()| serde_json::from_slice(&request).map_err(|fault| fault.to_string()))
        else {
            tracing::error!(channel = %permit.channel(), "what a source of text is to be asked cannot be made");
            return self.close(Event::Upstream);
        };
        let opening = Opening {
            source: Arc::clone(&stream.source),
            request,
            class: CLASS_TEXT,
            form: Arc::new(Told::new(Arc::clone(conversation), permit.clone())),
        };
        let (drain, session) = (self.gate.drain.clone(), self.session.clone());
        let mut queue = |frame| {
            // A full queue is the hub's to deal with: it has closed the session as slow.
            let _ = drain.send(&session, frame);
        };
        match stream.streams.watch(permit, &self.session, opening, &mut queue) {
            Ok(watch) => {
                standing.extras.get_or_insert_default().watch = Some(watch);
                self.entered();
            }
            Err(WatchRefused::Stopping) => self.close(Event::Restart),
            Err(WatchRefused::Full) => {
                tracing::warn!("a text is not streamed: as many are as may be");
                self.close(Event::Upstream);
            }
            Err(WatchRefused::Session(cause)) => self.cannot_enter(&cause),
        }
    }

    /// It is in its channel: the others hear of it, and it hears what there is to know.
    fn entered(&mut self) {
        let endpoint = Arc::clone(self.socket.endpoint());
        let (Some(standing), Behaviour::Converse(converse)) = (&mut self.standing, &endpoint.settings.behaviour) else {
            return;
        };
        let inbox = standing.permit.inbox();
        if converse.conversation.codec().is_plain() && converse.board.is_none() && inbox.is_none() {
            return;
        }
        let mut extras = standing.extras.take().unwrap_or_default();
        extras.was_announced = true;
        if let Some(inbox) = inbox {
            extras.inbox = self.gate.subscriptions.enter(inbox, &self.session, CLASS_TEXT).ok();
        }
        let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
        let voice = standing.voice(self.session.id());
        match converse.conversation.enter(voice, converse.board.as_ref(), &mut out) {
            Ok(seat) => extras.board = seat,
            Err(cause) => tracing::warn!(endpoint = endpoint.settings.name, %cause, "somebody is not on the board"),
        }
        standing.extras = Some(extras);
        self.answer();
    }

    /// Sends the codec's own ping, and says when the next one is due.
    pub(super) fn send_ping(&mut self) {
        let endpoint = Arc::clone(self.socket.endpoint());
        if let Some(every) = admit::ping_every(&endpoint) {
            self.socket.pings_at(self.gate.ticker.now().saturating_add(every));
        }
        if self.socket.is_closing() {
            return;
        }
        if self.channels.is_some() {
            return self.ping_channels();
        }
        if let (Some(standing), Behaviour::Converse(converse)) = (&self.standing, &endpoint.settings.behaviour) {
            let mut out = Frames { answers: &mut self.answers, drain: &self.gate.drain, session: &self.session };
            converse.conversation.ping(standing.voice(self.session.id()), &mut out);
        }
        self.answer();
    }

    /// Asks a client of many channels for a sign of life.
    fn ping_channels(&mut self) {
        let Some(ping) = self.channels.as_mut().and_then(|client| client.ping()) else { return };
        let now = self.gate.ticker.now();
        self.socket.pings_at(now.saturating_add(ticks(self.gate.limits.ping_interval).max(1)));
        self.socket.asked_at.store(now, Ordering::Relaxed);
        self.answers.extend_from_slice(&ping);
        self.answer();
    }

    /// Has the right asked for again.
    pub(super) fn ask_again(&mut self) {
        if self.channels.is_some() && !self.socket.is_closing() {
            return self.take_turn(Input::AskAgain);
        }
        let Some(standing) = &self.standing else { return };
        if self.socket.is_closing() {
            return;
        }
        let (gate, endpoint) = (Arc::clone(&self.gate), Arc::clone(self.socket.endpoint()));
        let permit = standing.permit.clone();
        self.wait_for(Box::pin(async move {
            let asked = gate.admission.ask_again(&permit, &endpoint.settings.door);
            let answer = timeout(gate.limits.handshake_timeout, asked).await;
            Done::AskedAgain(answer.unwrap_or_else(|_| Err(admit::too_late())))
        }));
    }

    fn asked_again(&mut self, answer: Result<(), Refused>) {
        let endpoint = Arc::clone(self.socket.endpoint());
        let name = &endpoint.settings.name;
        match answer {
            Ok(()) => self.asked_in_vain = 0,
            Err(refused) if Event::of(&refused) == Event::Lookup => {
                self.asked_in_vain += 1;
                let times = self.asked_in_vain;
                tracing::warn!(endpoint = name, times, "a right cannot be asked for again: {refused}");
                if times >= ASKED_IN_VAIN_MAX {
                    return self.close(Event::Lookup);
                }
            }
            Err(refused) => {
                tracing::info!(endpoint = name, reason = refused.code(), "the right is lost: {refused}");
                return self.close(Event::of(&refused));
            }
        }
        self.socket.asks_again_at(admit::ask_again_at(self.gate.ticker, &endpoint));
    }
}

/// The token of a message `{"type": kind, "token": "…"}`.
fn first_message(text: &str, kind: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        r#type: String,
        token: String,
    }
    let message: Message = serde_json::from_str(text).ok()?;
    (message.r#type == kind).then_some(message.token)
}
