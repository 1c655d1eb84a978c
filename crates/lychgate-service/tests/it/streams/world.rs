//! A hub with a flusher, a source that the test plays piece by piece, and watchers whose wires are read.

use std::borrow::Cow;
use std::future::{pending, poll_fn};
use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt, stream};
use lychgate_hub::{
    Class, Drain, EndCode, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Registrar, Session, Sink, Written,
};
use lychgate_protocol::ws::{CloseCode, Decoder, DecoderLimits, Event, Role, encode};
use lychgate_service::grants::Grants;
use lychgate_service::policy::{Access, Parameters, Permit, Policy};
use lychgate_service::ports::text_source::{Pieces, SourceFault, TextSource};
use lychgate_service::principal::Principal;
use lychgate_service::streams::{
    COMPLETED, Opening, PlainText, StreamForm, StreamLimits, Streams, UPSTREAM_FAILED, Watch, WatchRefused,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, yield_now};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const PLAIN: Class = Class(0);
pub(crate) const JSON: Class = Class(1);

/// What a wire is told last: 4000 and the end code, or this.
const SLOW: u16 = 3008;

pub(crate) struct World {
    pub(crate) streams: Streams,
    pub(crate) registrar: Registrar,
    pub(crate) drain: Drain,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) source: Arc<Source>,
    /// Requests that the source has got, in order.
    pub(crate) feeds: mpsc::Receiver<Feed>,
    flusher: JoinHandle<()>,
}

impl World {
    pub(crate) fn new(limits: StreamLimits) -> Self {
        let (registrar, drain) = Hub::new(HubConfig::default());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (opened, feeds) = mpsc::channel(64);
        let flusher = TaskTracker::new().spawn(flush(drain.clone()));
        let streams = Streams::new(registrar.clone(), limits, tasks.clone(), stop.clone());
        let source = Arc::new(Source { opened, answer: Mutex::new(Answer::Pieces) });
        Self { streams, registrar, drain, tasks, stop, source, feeds, flusher }
    }

    pub(crate) fn open(&self, limits: OutboxLimits, room: usize) -> (Session, Arc<Wire>) {
        let wire = Arc::new(Wire { state: Mutex::new(State { bytes: Vec::new(), room }), finished: Notify::new() });
        (self.drain.open(limits, wire.clone()), wire)
    }

    pub(crate) fn opening(&self, class: Class) -> Opening {
        let form: Arc<dyn StreamForm> = if class == JSON { Arc::new(JsonForm) } else { Arc::new(PlainText) };
        Opening { source: self.source.clone(), request: json!({"prompt": "say it"}), class, form }
    }

    /// A watcher whose socket takes everything.
    pub(crate) fn watch(&self, channel: &str, class: Class) -> Result<Watcher, WatchRefused> {
        let (session, wire) = self.open(OutboxLimits::default(), usize::MAX);
        self.watch_as(channel, self.opening(class), session, wire)
    }

    pub(crate) fn watch_as(
        &self,
        channel: &str,
        opening: Opening,
        session: Session,
        wire: Arc<Wire>,
    ) -> Result<Watcher, WatchRefused> {
        let mut watcher = Watcher { watch: None, session, wire, drain: self.drain.clone() };
        // A frame that finds a session closed as slow is not missed: its wire says so.
        let mut queue = |frame: Bytes| {
            let _ = self.drain.send(&watcher.session, frame);
        };
        watcher.watch = Some(self.streams.watch(permit(channel), &watcher.session, opening, &mut queue)?);
        Ok(watcher)
    }

    /// The next request that the source got.
    pub(crate) async fn feed(&mut self) -> Feed {
        settle().await;
        self.feeds.try_recv().expect("the source was asked")
    }

    /// Nothing of any run is left, once those who watched have gone.
    pub(crate) fn check_empty(&self) {
        assert_eq!((self.streams.runs(), self.tasks.len()), (0, 0), "runs and tasks");
        let stats = self.drain.stats();
        assert_eq!((stats.sessions, stats.channels, stats.subscriptions), (0, 0, 0));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.flusher.abort();
    }
}

/// Lets every task run that can, without time passing.
pub(crate) async fn settle() {
    for _ in 0..24 {
        yield_now().await;
    }
}

pub(crate) fn permit(channel: &str) -> Permit {
    let policy = Policy::new(channel.parse().expect("a channel"), Access::Any);
    let grants = Grants::default();
    let permit = policy.permit(Principal::anonymous("reader"), Parameters::default(), &grants);
    permit.now_or_never().expect("nobody has to be asked").expect("everybody may")
}

async fn flush(drain: Drain) {
    loop {
        poll_fn(|context| drain.poll_ready(0, context)).await;
        drain.seal(0);
        while drain.flush(0, 256) == Flushed::More {}
        yield_now().await;
    }
}

/// A session that watches; dropped, it leaves as a connection does that ends.
pub(crate) struct Watcher {
    pub(crate) watch: Option<Watch>,
    pub(crate) session: Session,
    pub(crate) wire: Arc<Wire>,
    drain: Drain,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watch = None;
        self.drain.close(&self.session);
    }
}

impl Watcher {
    /// What the wire says: its text frames, and the code of its close frame.
    pub(crate) fn frames(&self) -> (Vec<String>, Option<u16>) {
        self.wire.frames()
    }

    /// The text that a client puts together, and how it ended.
    pub(crate) fn text(&self) -> (String, Option<EndCode>) {
        let (frames, close) = self.frames();
        let text = |frame: &String| match serde_json::from_str::<Value>(frame) {
            Ok(Value::Object(object)) => object.get("token").and_then(Value::as_str).unwrap_or_default().to_owned(),
            _ => frame.clone(),
        };
        let ended = close.map(|code| EndCode((code - 4000) as u8));
        (frames.iter().map(text).collect(), ended)
    }

    pub(crate) fn was_slow(&self) -> bool {
        self.frames().1 == Some(SLOW)
    }
}

/// A socket that takes as many bytes as there is room.
pub(crate) struct Wire {
    state: Mutex<State>,
    finished: Notify,
}

struct State {
    bytes: Vec<u8>,
    room: usize,
}

impl Wire {
    pub(crate) fn make_room(&self) {
        self.state.lock().expect("no panic").room = usize::MAX;
    }

    /// The last frame has been written.
    pub(crate) async fn finished(&self) {
        self.finished.notified().await;
    }

    pub(crate) fn frames(&self) -> (Vec<String>, Option<u16>) {
        let mut bytes = self.state.lock().expect("no panic").bytes.clone();
        let mut decoder = Decoder::new(Role::Client, DecoderLimits { message_bytes_max: usize::MAX, fragments_max: 1 });
        let (mut at, mut texts, mut close) = (0, Vec::new(), None);
        loop {
            let decoded = decoder.decode(&mut bytes[at..]).expect("frames");
            at += decoded.consumed;
            match decoded.event {
                Some(Event::Text(text)) => texts.push(text.to_owned()),
                Some(Event::Close(Some((code, _)))) => close = Some(code.0),
                Some(other) => panic!("{other:?} was sent"),
                None => return (texts, close),
            }
        }
    }
}

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> Written {
        let mut state = self.state.lock().expect("no panic");
        let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let taken = offered.len().min(state.room);
        state.room -= taken;
        state.bytes.extend_from_slice(&offered[..taken]);
        if taken == 0 { Written::Blocked } else { Written::Bytes(taken) }
    }

    fn farewell(&self, cause: Farewell) -> Bytes {
        let code = match cause {
            Farewell::Slow => SLOW,
            Farewell::Ended(code) => 4000 + u16::from(code.0),
        };
        let mut frame = Vec::new();
        encode::close(CloseCode(code), "", &mut frame);
        frame.into()
    }

    fn finished(&self) {
        self.finished.notify_one();
    }
}

/// A source that does as the test says.
pub(crate) struct Source {
    opened: mpsc::Sender<Feed>,
    pub(crate) answer: Mutex<Answer>,
}

#[derive(Clone)]
pub(crate) enum Answer {
    Pieces,
    Fault(SourceFault),
    /// The request is never answered.
    Nothing,
}

/// The source's end of one request.
pub(crate) struct Feed {
    pub(crate) request: Value,
    /// Dropping it ends the text; it is closed when the request was cancelled.
    pub(crate) pieces: mpsc::Sender<Result<String, SourceFault>>,
}

impl Feed {
    /// Sends pieces one by one, each of which the run has taken when this returns.
    pub(crate) async fn say(&self, pieces: &[&str]) {
        for piece in pieces {
            self.pieces.send(Ok((*piece).to_owned())).await.expect("the run goes on");
            settle().await;
        }
    }

    pub(crate) async fn fail(&self, fault: SourceFault) {
        self.pieces.send(Err(fault)).await.expect("the run goes on");
        settle().await;
    }

    /// Ends the text.
    pub(crate) async fn end(self) {
        drop(self.pieces);
        settle().await;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.pieces.is_closed()
    }
}

#[async_trait]
impl TextSource for Source {
    async fn open(&self, request: &Value) -> Result<Pieces, SourceFault> {
        let (pieces, read) = mpsc::channel(1);
        self.opened.try_send(Feed { request: request.clone(), pieces }).expect("few requests");
        let answer = self.answer.lock().expect("no panic").clone();
        match answer {
            Answer::Pieces => {
                Ok(stream::unfold(read, |mut read| async { read.recv().await.map(|piece| (piece, read)) }).boxed())
            }
            Answer::Fault(fault) => Err(fault),
            Answer::Nothing => pending().await,
        }
    }
}

/// `{"token": piece}`, `{"done": true}`, `{"error": code}`.
pub(crate) struct JsonForm;

impl StreamForm for JsonForm {
    fn piece<'a>(&self, text: &'a str) -> Cow<'a, str> {
        json!({"token": text}).to_string().into()
    }

    fn done(&self) -> Option<String> {
        Some(json!({"done": true}).to_string())
    }

    fn failed(&self, fault: &SourceFault) -> Option<String> {
        Some(json!({"error": fault.code()}).to_string())
    }
}

pub(crate) const WHOLE: Option<EndCode> = Some(COMPLETED);
pub(crate) const FAILED: Option<EndCode> = Some(UPSTREAM_FAILED);
