//! What happens to frames of one type.

use serde_json::Value;

use super::{Keys, Mention, STATUS_BYTES_MAX};
use crate::limits::Rate;
use crate::ports::messages::{MessageId, REACTION_BYTES_MAX};
use crate::template::{RenderFault, Scope, Template, TextTemplate};

/// The rule for one type of frame.
#[derive(Debug)]
pub struct Rule {
    pub(super) index: usize,
    pub(super) kind: Box<str>,
    pub(super) require: Vec<Keys>,
    pub(super) drop_blank: Option<Keys>,
    pub(super) needs_authenticated: bool,
    pub(super) max_chars: Option<(Keys, usize)>,
    pub(super) rate: Option<RuleRate>,
    pub(super) act: Act,
    pub(super) answer_require: Vec<Keys>,
    pub(super) send: Option<Template>,
    pub(super) to: To,
    pub(super) reply: Option<Template>,
    pub(super) mention: Option<Mention>,
}

/// Who gets a frame.
#[derive(Debug)]
pub enum To {
    /// Everybody in the channel.
    All,
    /// Everybody in the channel but the sender.
    Others,
    /// The sender alone.
    Sender,
    /// Everybody in another channel. What a client sends has no part in its name.
    Channel(TextTemplate),
}

/// What is done with a frame.
#[derive(Debug)]
pub enum Act {
    /// Nothing but what is said.
    None,
    /// The channel keeps it.
    Store,
    /// It adds a reaction; which one is [`Rule::reaction`].
    React(Reacting),
    /// It takes a reaction back; which one is [`Rule::reaction`].
    Unreact(Reacting),
    /// The user is typing.
    TypingStart,
    /// The user is no longer typing.
    TypingStop,
    /// The user is still there.
    PresenceLife,
    /// The user's status changes; to what is [`Rule::status`].
    PresenceSet(TextTemplate),
    /// The application is called with this; its answer is `answer` in what is said.
    Forward(Template),
    /// What is streaming is cancelled.
    Cancel,
    /// A source of text is asked, and its answer goes to the sender piece by piece.
    Ask(Box<Question>),
}

/// What a source of text is asked, and how its answer looks.
#[derive(Debug)]
pub struct Question {
    /// What it is asked.
    pub request: Template,
    /// The frame around one piece of the answer; without one the piece goes out as it is.
    pub chunk: Option<Template>,
    /// What follows the last piece.
    pub done: Option<Template>,
}

/// Where a frame says what it reacts to.
#[derive(Debug)]
pub struct Reacting {
    pub(super) message: TextTemplate,
    pub(super) emoji: TextTemplate,
}

/// How often one connection may send such a frame. The connection counts.
#[derive(Debug)]
pub struct RuleRate {
    /// How often.
    pub rate: Rate,
    /// What the sender is told beyond that; without it an error frame.
    pub reply: Option<Template>,
}

impl Rule {
    /// Its place among the rules of its codec, from 0: for what a connection counts by rule.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The type of the frames that it is for.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// How often one connection may send such a frame.
    #[must_use]
    pub const fn rate(&self) -> Option<&RuleRate> {
        self.rate.as_ref()
    }

    /// What is done.
    #[must_use]
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// Whether the application's answer has what it must have.
    #[must_use]
    pub fn takes_answer(&self, answer: &Value) -> bool {
        self.answer_require.iter().all(|path| {
            let found = path.keys.iter().try_fold(answer, |tree, key| tree.get(&**key));
            found.is_some_and(|value| !value.is_null())
        })
    }

    /// What is said then.
    #[must_use]
    pub const fn send(&self) -> Option<&Template> {
        self.send.as_ref()
    }

    /// To whom.
    #[must_use]
    pub const fn to(&self) -> &To {
        &self.to
    }

    /// What the sender is told.
    #[must_use]
    pub const fn reply(&self) -> Option<&Template> {
        self.reply.as_ref()
    }

    /// Who is told that their name was mentioned.
    #[must_use]
    pub const fn mention(&self) -> Option<&Mention> {
        self.mention.as_ref()
    }

    /// The message and the reaction that a frame is about; nothing when it names none that can be.
    ///
    /// # Errors
    ///
    /// [`RenderFault`] when the frame says no such thing. Like nothing, it is the client's fault.
    pub fn reaction(&self, scope: &Scope<'_>) -> Result<Option<(MessageId, String)>, RenderFault> {
        let (Act::React(reacting) | Act::Unreact(reacting)) = &self.act else { return Ok(None) };
        let message = reacting.message.render(scope, 20)?;
        let emoji = reacting.emoji.render(scope, REACTION_BYTES_MAX)?;
        let id = message.parse::<i64>().ok().filter(|id| *id > 0).map(MessageId);
        let is_said = !emoji.trim().is_empty() && !emoji.chars().any(char::is_control);
        Ok(id.filter(|_| is_said).map(|id| (id, emoji)))
    }

    /// The status that a frame asks for; nothing when the rule is about something else.
    ///
    /// # Errors
    ///
    /// [`RenderFault`] when the frame says none, or one longer than [`STATUS_BYTES_MAX`].
    pub fn status(&self, scope: &Scope<'_>) -> Result<Option<String>, RenderFault> {
        let Act::PresenceSet(status) = &self.act else { return Ok(None) };
        status.render(scope, STATUS_BYTES_MAX).map(Some)
    }
}
