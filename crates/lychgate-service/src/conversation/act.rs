//! What a rule does beside speaking.

use std::sync::Arc;

use bytes::Bytes;

use super::{Conversation, Outlet, Then, Voice};
use crate::codec::{Act, Refusal, Refused, Rule, To};
use crate::policy::Permit;
use crate::ports::application::CallFault;
use crate::ports::messages::{MessageId, Reacted, Reaction};
use crate::template::{Datum, Inbound, Scope};

impl Conversation {
    /// Does what `rule` says with a frame that it took.
    pub(super) fn act(
        self: &Arc<Self>,
        rule: &Rule,
        inbound: Inbound<'_>,
        voice: Voice<'_>,
        out: &mut dyn Outlet,
    ) -> Then {
        match rule.act() {
            Act::None | Act::TypingStart | Act::TypingStop => self.say(rule, &inbound, voice, out),
            Act::PresenceLife => {
                if let Some(seat) = voice.seat {
                    // What it was answered before goes before what its board tells now.
                    out.settle();
                    seat.life();
                }
                self.say(rule, &inbound, voice, out)
            }
            Act::PresenceSet(_) => {
                let scope = self.scope(voice).inbound(&inbound);
                let Ok(Some(status)) = rule.status(&scope) else { return self.bad_shape(inbound, voice, out) };
                if let Some(seat) = voice.seat {
                    out.settle();
                    seat.set(&status);
                }
                self.say_in(rule, &scope.status(&status), voice, out)
            }
            Act::Cancel => {
                let _ = self.say(rule, &inbound, voice, out);
                Then::Cancel
            }
            Act::Ask(question) => self.ask(question, rule, inbound, voice, out),
            Act::Store => Then::Wait(Box::pin(self.later(rule, &inbound, voice).store())),
            Act::React(_) | Act::Unreact(_) => {
                let adds = matches!(rule.act(), Act::React(_));
                let scope = self.scope(voice).inbound(&inbound);
                match rule.reaction(&scope) {
                    Ok(Some((message, emoji))) => {
                        Then::Wait(Box::pin(self.later(rule, &inbound, voice).react(message, emoji, adds)))
                    }
                    _ => self.bad_shape(inbound, voice, out),
                }
            }
            Act::Forward(body) => {
                let mut text = Vec::new();
                let scope = self.scope(voice).inbound(&inbound);
                if body.render(&scope, self.parts.frame_bytes_max, &mut text).is_err() {
                    return self.bad_shape(inbound, voice, out);
                }
                let Ok(body) = serde_json::from_slice(&text) else { return self.bad_shape(inbound, voice, out) };
                Then::Wait(Box::pin(self.later(rule, &inbound, voice).forward(body)))
            }
        }
    }

    pub(super) fn say(&self, rule: &Rule, inbound: &Inbound<'_>, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        self.say_in(rule, &self.scope(voice).inbound(inbound), voice, out)
    }

    fn say_in(&self, rule: &Rule, scope: &Scope<'_>, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        if let Some(send) = rule.send() {
            self.deliver(send, rule.to(), scope, voice, out);
        }
        if let Some(reply) = rule.reply() {
            self.deliver(reply, &To::Sender, scope, voice, out);
        }
        Then::Done
    }

    /// It passed the rule and yet does not say what the act is about: what the codec does with a bad shape.
    pub(super) fn bad_shape(&self, inbound: Inbound<'_>, voice: Voice<'_>, out: &mut dyn Outlet) -> Then {
        let message = "The message does not say what it is about.".to_owned();
        let then = self.codec.bad_frame();
        self.refuse(&Refused { why: Refusal::BadShape, message, then, inbound: Some(inbound) }, voice, out)
    }

    pub(super) fn later(self: &Arc<Self>, rule: &Rule, inbound: &Inbound<'_>, voice: Voice<'_>) -> Later {
        Later {
            conversation: Arc::clone(self),
            kind: rule.kind().into(),
            text: inbound.text().into(),
            permit: voice.permit.clone(),
            session: voice.session,
            connection: voice.connection.into(),
            answers: Replies::default(),
        }
    }
}

/// A frame whose consequences take their time, with everything that they need.
pub(super) struct Later {
    pub(super) conversation: Arc<Conversation>,
    pub(super) kind: Box<str>,
    pub(super) text: Box<str>,
    pub(super) permit: Permit,
    pub(super) session: lychgate_hub::SessionId,
    pub(super) connection: Box<str>,
    pub(super) answers: Replies,
}

/// What the speaker is told in the end.
#[derive(Default)]
pub(super) struct Replies(pub(super) Vec<Bytes>);

impl Outlet for Replies {
    fn answer(&mut self, payload: &[u8]) {
        self.0.push(Bytes::copy_from_slice(payload));
    }

    fn settle(&mut self) {}
}

impl Later {
    /// The rule that the frame falls under, and the frame.
    pub(super) fn again(&self) -> Option<(&Rule, Inbound<'_>)> {
        let inbound = Inbound::parse(&*self.text).ok()?;
        Some((self.conversation.codec.rule(&self.kind)?, inbound))
    }

    pub(super) fn voice(&self) -> Voice<'_> {
        Voice { permit: &self.permit, session: self.session, connection: &self.connection, seat: None }
    }

    pub(super) fn fail(mut self, message: &str, code: &str) -> Vec<Bytes> {
        let scope = self.conversation.scope(self.voice());
        let payload = self.conversation.error_payload(scope, message, code);
        self.answers.answer(&payload);
        self.answers.0
    }

    /// Says what the rule says, with what came of its act.
    pub(super) fn say_with(&mut self, given: &[(&str, Datum<'_>)]) {
        let mut answers = std::mem::take(&mut self.answers);
        if let Some((rule, inbound)) = self.again() {
            let scope = self.conversation.scope(self.voice()).inbound(&inbound).given(given);
            if let Some(send) = rule.send() {
                self.conversation.deliver(send, rule.to(), &scope, self.voice(), &mut answers);
            }
            if let Some(reply) = rule.reply() {
                self.conversation.deliver(reply, &To::Sender, &scope, self.voice(), &mut answers);
            }
        }
        self.answers = answers;
    }

    async fn react(mut self, message: MessageId, emoji: String, adds: bool) -> Vec<Bytes> {
        let Some(messages) = self.conversation.parts.messages.clone() else {
            return self.fail("Nothing is kept here.", "not_kept");
        };
        let reaction = Reaction { subject: self.permit.principal().id().to_owned(), emoji };
        let channel = self.permit.channel();
        let done = if adds {
            messages.react(channel, message, &reaction).await
        } else {
            messages.unreact(channel, message, &reaction).await
        };
        match done {
            Ok(Reacted::Changed) => {
                self.say_with(&[]);
                self.answers.0
            }
            Ok(Reacted::Unchanged) => self.answers.0,
            Ok(Reacted::NoMessage) => self.fail("There is no such message here.", "no_message"),
            Ok(Reacted::TooMany) => self.fail("The message has as many reactions as it may have.", "too_many"),
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(cause, "a reaction was not stored");
                self.fail("The reaction could not be stored. Try again.", "store")
            }
        }
    }

    async fn forward(mut self, body: serde_json::Value) -> Vec<Bytes> {
        let Some(application) = self.conversation.parts.application.clone() else {
            return self.fail("Nobody is there to take this.", "not_forwarded");
        };
        match application.call(&body).await {
            // An application that has nothing to say says `null`.
            Ok(answer) if answer.is_null() => self.answers.0,
            Ok(answer) if !self.conversation.codec.rule(&self.kind).is_some_and(|rule| rule.takes_answer(&answer)) => {
                tracing::warn!(reason = "answer_require", "an answer of the application lacks what it must have");
                self.fail("The application could not take the message.", "application")
            }
            Ok(answer) => {
                self.say_with(&[("answer", Datum::Tree(&answer))]);
                self.answers.0
            }
            Err(fault) => {
                tracing::warn!(reason = fault.code(), "a message could not be forwarded: {fault}");
                let message = match fault {
                    CallFault::Unavailable => "The application cannot be reached now. Try again.",
                    CallFault::Status(_) | CallFault::Malformed => "The application could not take the message.",
                };
                self.fail(message, "application")
            }
        }
    }
}

impl Rule {
    /// Whether others hear of it, or something is kept for them.
    pub(super) fn speaks_to_others(&self) -> bool {
        let acts = matches!(self.act(), Act::Store | Act::React(_) | Act::Unreact(_) | Act::Forward(_) | Act::Ask(_));
        acts || (self.send().is_some() && !matches!(self.to(), To::Sender))
    }
}

/// What a scope needs to show a stored message.
pub(super) fn with_stored<'a>(
    scope: Scope<'a>,
    id: MessageId,
    at: crate::ports::clock::UnixMicros,
    reactions: &'a [Reaction],
) -> Scope<'a> {
    scope.stored(crate::template::Stored { id: id.0, at, reactions })
}
