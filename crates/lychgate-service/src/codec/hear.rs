//! What a client's frame comes to.

use std::borrow::Cow;

use lychgate_protocol::json;

use super::refused::{Refusal, Refused};
use super::rule::Rule;
use super::settings::{BadFrame, Unknown};
use super::{Codec, Keys};
use crate::principal::Principal;
use crate::template::{Inbound, Part};

/// What a frame comes to. Whoever holds the connection does it.
#[derive(Debug)]
pub enum Heard<'c, 't> {
    /// It is taken, and nothing follows.
    Silence,
    /// It says that the client is there, and no more.
    SignOfLife,
    /// It asks for a pong.
    Ping,
    /// It is stamped and goes to everybody: this text, which is not yet known to be an object.
    Publish(Cow<'t, str>),
    /// A rule is followed. Its rate is not counted yet.
    Say {
        /// The rule.
        rule: &'c Rule,
        /// The frame.
        inbound: Inbound<'t>,
    },
    /// It cannot be done.
    Refused(Refused<'t>),
}

/// How much of a client's type a message repeats.
const ECHO_CHARACTERS_MAX: usize = 32;

impl Codec {
    /// Decides what becomes of one text frame that `principal` sent.
    #[must_use]
    pub fn hear<'t>(&self, text: &'t str, principal: &Principal) -> Heard<'_, 't> {
        if self.text_pong.as_deref() == Some(text) {
            return Heard::SignOfLife;
        }
        if self.answer_ping && json::type_is(text, "ping") {
            return Heard::Ping;
        }
        if self.passes_all {
            return Heard::Publish(Cow::Borrowed(text));
        }
        let inbound = match Inbound::parse(self.unwrapped(text)) {
            Ok(inbound) => inbound,
            Err(fault) => return self.refused(Refusal::BadJson, fault.to_string(), None),
        };
        if let Some(path) = self.missing(&inbound) {
            return self.refused(Refusal::BadShape, format!("\"{path}\" is missing"), Some(inbound));
        }
        let kind = match inbound.get(&[&*self.type_key]) {
            None => self.default_type.as_deref().map(Cow::Borrowed),
            Some(part) => part.as_text(),
        };
        let Some(kind) = kind else {
            return match self.unknown {
                Unknown::Publish => Heard::Publish(self.unwrapped(text)),
                Unknown::Ignore => Heard::Silence,
                Unknown::Error => {
                    let message = format!("\"{}\" is missing or no text", self.type_key);
                    self.refused(Refusal::BadShape, message, Some(inbound))
                }
            };
        };
        let Some(rule) = self.rules.get(&*kind) else {
            if self.tolerate.iter().any(|tolerated| **tolerated == *kind) {
                return Heard::Silence;
            }
            return match self.unknown {
                Unknown::Publish => Heard::Publish(self.unwrapped(text)),
                Unknown::Ignore => Heard::Silence,
                Unknown::Error => {
                    let kind: String = kind.chars().take(ECHO_CHARACTERS_MAX).collect();
                    let message = format!("Unsupported message type: {kind}");
                    self.refused(Refusal::UnknownType, message, Some(inbound))
                }
            };
        };
        if rule.needs_authenticated && principal.is_anonymous() {
            let message = "This is not open to anonymous visitors.".to_owned();
            return self.refused(Refusal::NotAuthenticated, message, Some(inbound));
        }
        if let Some(path) = missing(&rule.require, &inbound) {
            return self.refused(Refusal::BadShape, format!("\"{path}\" is missing"), Some(inbound));
        }
        if let Some(keys) = &rule.drop_blank {
            match inbound.get(&keys.keys) {
                None => return Heard::Silence,
                Some(part) if part.is_null() => return Heard::Silence,
                Some(part) => match part.as_text() {
                    Some(text) if text.trim().is_empty() => return Heard::Silence,
                    Some(_) => {}
                    None => return self.refused(Refusal::BadShape, no_text(keys), Some(inbound)),
                },
            }
        }
        if let Some((keys, characters)) = &rule.max_chars
            && let Some(part) = inbound.get(&keys.keys)
        {
            match part.as_text() {
                Some(text) if text.chars().count() > *characters => {
                    let message = format!("\"{}\" is longer than {characters} characters", keys.dotted);
                    return self.refused(Refusal::TooLong, message, Some(inbound));
                }
                Some(_) => {}
                // A list or an object could be as long as it liked.
                None => return self.refused(Refusal::BadShape, no_text(keys), Some(inbound)),
            }
        }
        Heard::Say { rule, inbound }
    }

    /// The first path that every frame must have and this one lacks.
    #[must_use]
    pub fn missing(&self, inbound: &Inbound<'_>) -> Option<&str> {
        missing(&self.require, inbound)
    }

    /// The JSON within the JSON, where that is unwrapped.
    fn unwrapped<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.unwrap_json
            && text.trim_start().starts_with('"')
            && let Ok(inner) = serde_json::from_str::<String>(text)
        {
            return Cow::Owned(inner);
        }
        Cow::Borrowed(text)
    }

    fn refused<'t>(&self, why: Refusal, message: String, inbound: Option<Inbound<'t>>) -> Heard<'_, 't> {
        let then = match why {
            Refusal::BadJson | Refusal::BadShape => self.bad_frame,
            Refusal::UnknownType | Refusal::NotAuthenticated | Refusal::TooLong => BadFrame::Error,
        };
        Heard::Refused(Refused { why, message, then, inbound })
    }
}

fn missing<'k>(paths: &'k [Keys], inbound: &Inbound<'_>) -> Option<&'k str> {
    let absent = paths.iter().find(|keys| inbound.get(&keys.keys).is_none_or(Part::is_null));
    absent.map(|keys| &*keys.dotted)
}

fn no_text(keys: &Keys) -> String {
    format!("\"{}\" is no text", keys.dotted)
}
