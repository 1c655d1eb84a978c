//! What a connection says, and what follows from it: who hears it, what is kept, what the speaker is told.
//!
//! The codec decides what a frame comes to; here it is done. What can be done at once is done at once, so that a
//! socket's messages keep their order without a queue; what needs a store or the application comes back as work to
//! wait for, and the connection acts on nothing more until it is done.
//!
//! **Invariant:** what is to be kept is published only once it is kept, and in the order in which it was kept.
//!
//! **Absent on purpose:** sockets. An [`Outlet`] is where the speaker's own frames go.

mod act;
mod ask;
mod deliver;
mod history;
mod post;
mod recorder;
mod stored;
mod told;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use lychgate_hub::SessionId;

use crate::codec::{BadFrame, Codec, Heard, Refused, Rule, To};
use crate::limits::Bucket;
use crate::policy::{Permit, Policy};
use crate::ports::application::Application;
use crate::ports::broker::{Author, Broker};
use crate::ports::clock::Clock;
use crate::ports::messages::Messages;
use crate::ports::users::Users;
use crate::presence::{BoardFull, Seat, SharedBoard};
use crate::publish::{Audience, PublishError, Publisher};
use crate::template::{Inbound, Scope};

pub use ask::{AnswerCounts, AnswerLimits, Answers, Asked};
pub use history::{HISTORY_MAX, HistoryPage, HistoryRefused};
pub use post::PostRefused;
pub use recorder::{NotStored, Recorder};
pub use told::Told;

/// Where frames for one connection alone go.
pub trait Outlet {
    /// Adds the payload of one text frame.
    fn answer(&mut self, payload: &[u8]);

    /// Sends what was added, so that it goes before whatever is published next.
    fn settle(&mut self);
}

/// Who speaks.
#[derive(Clone, Copy)]
pub struct Voice<'a> {
    /// By which right.
    pub permit: &'a Permit,
    /// On which session.
    pub session: SessionId,
    /// What templates call the connection.
    pub connection: &'a str,
    /// The place on a board, if the endpoint has one.
    pub seat: Option<&'a Seat>,
}

impl<'a> Voice<'a> {
    /// It as subscribers see it.
    fn author(&self) -> Author<'a> {
        Author::of(self.permit.principal(), self.connection)
    }
}

/// What follows from a frame.
#[must_use]
pub enum Then {
    /// It is done.
    Done,
    /// It was not taken, for this reason; the speaker has been told, if they are.
    Refused {
        /// The reason's name in metrics.
        code: &'static str,
        /// Whether the connection ends for it.
        closes: bool,
    },
    /// What is streaming is to be cancelled.
    Cancel,
    /// This has to be waited for; then the speaker is sent these payloads.
    Wait(BoxFuture<'static, Vec<Bytes>>),
    /// The speaker is sent these payloads one by one, as they come. Dropping it ends whatever makes them.
    Tell(BoxStream<'static, Bytes>),
}

/// How often one connection has sent frames of each kind that is counted. Empty until the first one.
#[derive(Debug, Default)]
pub struct Counts(Option<Box<[Bucket]>>);

/// What conversations rest on.
#[derive(Clone)]
pub struct Parts {
    /// Who delivers.
    pub broker: Arc<dyn Broker>,
    /// Who stamps what passes through.
    pub publisher: Arc<Publisher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who keeps messages in order.
    pub recorder: Option<Recorder>,
    /// Where messages are.
    pub messages: Option<Arc<dyn Messages>>,
    /// Who has which name, for mentions.
    pub users: Option<Arc<dyn Users>>,
    /// Who may enter: whoever may not is not told of a mention either, since it may say what was said. Without it nobody
    /// is told.
    pub policy: Option<Policy>,
    /// Whom frames are forwarded to.
    pub application: Option<Arc<dyn Application>>,
    /// Who answers frames that ask for a text.
    pub answers: Option<Arc<Answers>>,
    /// The longest frame that a template may make, in bytes.
    pub frame_bytes_max: usize,
    /// How many messages of a channel are kept; all, if none.
    pub keep: Option<u32>,
}

/// What all connections of one endpoint do with frames.
pub struct Conversation {
    codec: Codec,
    parts: Parts,
}

impl Conversation {
    /// A conversation by the rules of `codec`.
    #[must_use]
    pub const fn new(codec: Codec, parts: Parts) -> Self {
        Self { codec, parts }
    }

    /// Its rules.
    #[must_use]
    pub const fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Who answers frames that ask for a text, if there are any.
    #[must_use]
    pub const fn answers(&self) -> Option<&Arc<Answers>> {
        self.parts.answers.as_ref()
    }

    /// Tells the others of somebody who has just entered, and the newcomer what there is to know. With a `board` it takes
    /// a place there.
    ///
    /// # Errors
    ///
    /// [`BoardFull`]; everything else was said.
    pub fn enter(
        &self,
        voice: Voice<'_>,
        board: Option<&Arc<SharedBoard>>,
        out: &mut dyn Outlet,
    ) -> Result<Option<Seat>, BoardFull> {
        let scope = self.scope(voice);
        if let Some(said) = self.codec.join() {
            out.settle();
            self.deliver(&said.send, &said.to, &scope, voice, out);
        }
        for welcome in self.codec.welcome() {
            self.deliver(welcome, &To::Sender, &scope, voice, out);
        }
        board.map(|board| self.sit_down(board, voice, out)).transpose()
    }

    /// Tells those who stay of somebody who has left.
    pub fn leave(&self, voice: Voice<'_>) {
        if let Some(said) = self.codec.leave() {
            self.deliver(&said.send, &said.to, &self.scope(voice), voice, &mut Nowhere);
        }
    }

    /// Sends the frame that a connection is sent time and again, if there is one.
    pub fn ping(&self, voice: Voice<'_>, out: &mut dyn Outlet) {
        if let Some((_, ping)) = self.codec.ping() {
            self.deliver(ping, &To::Sender, &self.scope(voice), voice, out);
        }
    }

    /// Does what follows from one text frame, or says what has to be waited for.
    pub fn hear(
        self: &Arc<Self>,
        voice: Voice<'_>,
        text: &str,
        counts: &mut Counts,
        now_ms: u64,
        out: &mut dyn Outlet,
    ) -> Then {
        match self.codec.hear(text, voice.permit.principal()) {
            Heard::Silence | Heard::SignOfLife => Then::Done,
            Heard::Ping => {
                self.pong(voice, out);
                Then::Done
            }
            Heard::Publish(text) => self.pass(voice, &text, out),
            Heard::Say { rule, inbound } => {
                if let Err(then) = self.may_say(rule, &inbound, voice, counts, now_ms, out) {
                    return then;
                }
                self.act(rule, inbound, voice, out)
            }
            Heard::Refused(refused) => self.refuse(&refused, voice, out),
        }
    }

    /// Tells the speaker that a frame, which may have been a good one, was not taken.
    pub fn error(&self, voice: Voice<'_>, message: &str, code: &str, out: &mut dyn Outlet) {
        out.answer(&self.error_payload(self.scope(voice), message, code));
    }

    /// Treats a frame that is not even text as the codec treats what it cannot read.
    pub fn refuse_binary(&self, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        let message = "A message is one JSON object in a text frame, not a binary frame.";
        if self.codec.bad_frame() == BadFrame::Error {
            self.error(voice, message, "binary", out);
        }
        Then::Refused { code: "bad_frame", closes: self.codec.bad_frame() == BadFrame::Close }
    }

    fn scope<'a>(&self, voice: Voice<'a>) -> Scope<'a> {
        Scope::of(voice.permit, self.parts.clock.now()).connection(voice.connection)
    }

    /// A frame without a rule: stamped, and on to everybody.
    fn pass(&self, voice: Voice<'_>, text: &str, out: &mut dyn Outlet) -> Then {
        if !voice.permit.may_publish() {
            return self.not_allowed(voice, out);
        }
        out.settle();
        let publisher = &self.parts.publisher;
        match publisher.publish_object(voice.permit, text, self.codec.stamp(), Audience::All, voice.session) {
            Ok(_) => Then::Done,
            Err(PublishError::NotAnObject(fault)) => {
                if self.codec.bad_frame() == BadFrame::Error {
                    self.error(voice, &fault.to_string(), "bad_json", out);
                }
                Then::Refused { code: "bad_frame", closes: self.codec.bad_frame() == BadFrame::Close }
            }
            Err(PublishError::Broker(fault)) => {
                tracing::warn!(cause = %fault, "message not published");
                self.error(voice, "The message could not be delivered. Try again.", "broker", out);
                Then::Refused { code: "broker", closes: false }
            }
        }
    }

    fn pong(&self, voice: Voice<'_>, out: &mut dyn Outlet) {
        let pong = r#"{"type":"pong","payload":{"message":"pong"}}"#;
        let _ = self.parts.publisher.stamped(voice.permit, pong, self.codec.stamp(), |payload| out.answer(payload));
    }

    /// Whether the speaker may do what the rule does, and has not done it too often.
    fn may_say(
        &self,
        rule: &Rule,
        inbound: &Inbound<'_>,
        voice: Voice<'_>,
        counts: &mut Counts,
        now_ms: u64,
        out: &mut dyn Outlet,
    ) -> Result<(), Then> {
        if rule.speaks_to_others() && !voice.permit.may_publish() {
            return Err(self.not_allowed(voice, out));
        }
        let Some(limit) = rule.rate() else { return Ok(()) };
        let rules = self.codec.rules().len();
        let counts = counts.0.get_or_insert_with(|| vec![Bucket::default(); rules].into());
        if counts[rule.index()].take(limit.rate, now_ms).is_ok() {
            return Ok(());
        }
        let scope = self.scope(voice).inbound(inbound);
        match &limit.reply {
            Some(reply) => self.deliver(reply, &To::Sender, &scope, voice, out),
            None => self.error(voice, "Too many messages of this type. Send more slowly.", "rate", out),
        }
        Err(Then::Refused { code: "rule_rate", closes: false })
    }

    fn not_allowed(&self, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        self.error(voice, "You may listen here, and not speak.", "not_allowed", out);
        Then::Refused { code: "not_allowed", closes: false }
    }

    fn refuse(&self, refused: &Refused<'_>, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        if refused.then == BadFrame::Error {
            let mut payload = Vec::new();
            let rendered =
                self.codec.refusal_frame(refused, self.scope(voice), self.parts.frame_bytes_max, &mut payload);
            if let Err(fault) = rendered {
                tracing::warn!(cause = %fault, "an error frame's template could not be rendered");
            }
            out.answer(&payload);
        }
        Then::Refused { code: refused.why.code(), closes: refused.then == BadFrame::Close }
    }

    fn error_payload(&self, scope: Scope<'_>, message: &str, code: &str) -> Vec<u8> {
        let mut payload = Vec::new();
        if let Err(fault) = self.codec.error_frame(message, code, scope, self.parts.frame_bytes_max, &mut payload) {
            tracing::warn!(cause = %fault, "an error frame's template could not be rendered");
        }
        payload
    }
}

/// An outlet for somebody who is not there any more.
struct Nowhere;

impl Outlet for Nowhere {
    fn answer(&mut self, _: &[u8]) {}

    fn settle(&mut self) {}
}
