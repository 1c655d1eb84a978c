//! Frames that ask a source of text, and what the one who asked is told of its answer.
//!
//! The answer is a stream of payloads that the connection polls itself: it has no task, no channel and no text of its own.
//! So there is nobody else whom it could reach, and dropping it ends the request.
//!
//! **Invariant:** an answer is counted once, by its end, however it ends; its place is given back with it.
//!
//! **Absent on purpose:** sharing. Who asks is answered; a text that many watch is a run ([`crate::streams`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{BoxStream, unfold};
use futures_util::{StreamExt as _, TryFutureExt as _};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::act::Later;
use super::{Conversation, Outlet, Then, Voice};
use crate::codec::{Act, Question, Rule};
use crate::ports::text_source::{Pieces, SourceFault, TextSource};
use crate::template::{Inbound, Template};

/// How much one answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// Bytes of one answer; more fails it.
    pub text_bytes_max: usize,
    /// From the question to the end of the answer; longer fails it.
    pub answer_max: Duration,
}

/// Who answers the frames of one type.
#[derive(Clone)]
pub struct Asked {
    /// Who.
    pub source: Arc<dyn TextSource>,
    /// How much an answer may take.
    pub limits: AnswerLimits,
}

/// What answers have come to since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// Under way.
    pub running: u64,
    /// Given to their end.
    pub completed: u64,
    /// Not given to their end, by a fault or a limit.
    pub failed: u64,
    /// Given up, since the one who asked is gone.
    pub cancelled: u64,
}

/// Who answers the frames of one endpoint, and how many answers are under way.
pub struct Answers {
    by_kind: BTreeMap<Box<str>, Asked>,
    running_max: u64,
    running: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
}

impl Answers {
    /// Answers by the type of the frame that asks, at most `running_max` of them at a time.
    #[must_use]
    pub fn new(by_kind: BTreeMap<Box<str>, Asked>, running_max: usize) -> Self {
        let zero = || AtomicU64::new(0);
        let running_max = u64::try_from(running_max).unwrap_or(u64::MAX);
        Self { by_kind, running_max, running: zero(), completed: zero(), failed: zero(), cancelled: zero() }
    }

    /// What answers have come to.
    #[must_use]
    pub fn counts(&self) -> AnswerCounts {
        AnswerCounts {
            running: self.running.load(Relaxed),
            completed: self.completed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
        }
    }

    /// A place for one more answer, if there is one.
    fn begin(self: &Arc<Self>) -> Option<Place> {
        let more = |running: u64| (running < self.running_max).then_some(running + 1);
        self.running.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Place { answers: Arc::clone(self), end: End::Cancelled })
    }
}

/// An answer's place among those under way. It counts the answer's end when it is given back.
struct Place {
    answers: Arc<Answers>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Completed,
    Failed,
    Cancelled,
}

impl Drop for Place {
    fn drop(&mut self) {
        let ended = match self.end {
            End::Completed => &self.answers.completed,
            End::Failed => &self.answers.failed,
            End::Cancelled => &self.answers.cancelled,
        };
        ended.fetch_add(1, Relaxed);
        self.answers.running.fetch_sub(1, Relaxed);
    }
}

impl Conversation {
    /// Says what the rule says at once, and then tells the speaker the answer.
    pub(super) fn ask(
        self: &Arc<Self>,
        question: &Question,
        rule: &Rule,
        inbound: Inbound<'_>,
        voice: Voice<'_>,
        out: &mut dyn Outlet,
    ) -> Then {
        let mut text = Vec::new();
        let scope = self.scope(voice).inbound(&inbound);
        if question.request.render(&scope, self.parts.frame_bytes_max, &mut text).is_err() {
            return self.bad_shape(inbound, voice, out);
        }
        let Ok(request) = serde_json::from_slice(&text) else { return self.bad_shape(inbound, voice, out) };
        let answers = self.parts.answers.as_ref();
        let Some((answers, asked)) = answers.and_then(|all| Some((all, all.by_kind.get(rule.kind())?))) else {
            self.error(voice, "Nobody is there to answer this.", "not_asked", out);
            return Then::Refused { code: "not_asked", closes: false };
        };
        let Some(place) = answers.begin() else {
            self.error(voice, "Too many questions are being answered. Try again.", "busy", out);
            return Then::Refused { code: "busy", closes: false };
        };
        let _ = self.say(rule, &inbound, voice, out);
        let telling = Telling { later: self.later(rule, &inbound, voice), place, limits: asked.limits, text_bytes: 0 };
        Then::Tell(telling.payloads(Arc::clone(&asked.source), request))
    }
}

/// An answer on its way.
struct Telling {
    later: Later,
    place: Place,
    limits: AnswerLimits,
    text_bytes: usize,
}

impl Telling {
    /// Everything that the speaker is told.
    fn payloads(self, source: Arc<dyn TextSource>, request: Value) -> BoxStream<'static, Bytes> {
        let deadline = Instant::now() + self.limits.answer_max;
        // The request is a part of the answer, so that waiting for its beginning ends like waiting for a piece.
        let pieces: Pieces = async move { source.open(&request).await }.try_flatten_stream().boxed();
        let next = move |under_way: Option<(Self, Pieces)>| async move {
            let (mut telling, mut pieces) = under_way?;
            let said = telling.next(&mut pieces, deadline).await;
            let goes_on = matches!(telling.place.end, End::Cancelled);
            Some((said, goes_on.then_some((telling, pieces))))
        };
        unfold(Some((self, pieces)), next).filter_map(ready).boxed()
    }

    /// The next thing that the speaker is told; an end may have no words.
    async fn next(&mut self, pieces: &mut Pieces, deadline: Instant) -> Option<Bytes> {
        loop {
            match timeout_at(deadline, pieces.next()).await.unwrap_or(Some(Err(SourceFault::Overdue))) {
                None => {
                    self.place.end = End::Completed;
                    return self.render(|question| question.done.as_ref(), "");
                }
                Some(Err(fault)) => return Some(self.failed(&fault)),
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.text_bytes = self.text_bytes.saturating_add(piece.len());
                    if self.text_bytes > self.limits.text_bytes_max {
                        return Some(self.failed(&SourceFault::TooLarge));
                    }
                    return self.piece(piece);
                }
            }
        }
    }

    fn piece(&self, piece: String) -> Option<Bytes> {
        let is_plain = self.question().is_some_and(|question| question.chunk.is_none());
        if is_plain { Some(Bytes::from(piece)) } else { self.render(|question| question.chunk.as_ref(), &piece) }
    }

    fn failed(&mut self, fault: &SourceFault) -> Bytes {
        self.place.end = End::Failed;
        tracing::warn!(cause = %fault, "an answer did not come to its end");
        let conversation = &self.later.conversation;
        let scope = conversation.scope(self.later.voice());
        conversation.error_payload(scope, "The answer could not be completed.", fault.code()).into()
    }

    fn question(&self) -> Option<&Question> {
        match self.later.conversation.codec.rule(&self.later.kind)?.act() {
            Act::Ask(question) => Some(question),
            _ => None,
        }
    }

    fn render(&self, pick: impl Fn(&Question) -> Option<&Template>, chunk: &str) -> Option<Bytes> {
        let template = pick(self.question()?)?;
        let (_, inbound) = self.later.again()?;
        let conversation = &self.later.conversation;
        let scope = conversation.scope(self.later.voice()).inbound(&inbound).chunk(chunk);
        let mut payload = Vec::new();
        match template.render(&scope, conversation.parts.frame_bytes_max, &mut payload) {
            Ok(()) => Some(payload.into()),
            Err(fault) => {
                tracing::warn!(cause = %fault, "a piece of an answer was not sent: its template could not be rendered");
                None
            }
        }
    }
}
