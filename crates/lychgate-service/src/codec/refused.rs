//! Frames that cannot be done, and what their sender is told.

use lychgate_protocol::json::{self, RawJson};

use super::Codec;
use super::settings::BadFrame;
use crate::template::{Inbound, RenderFault, Scope, Template};

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON object that all parsers read alike.
    BadJson,
    /// It lacks what it needs.
    BadShape,
    /// There is no rule for its type.
    UnknownType,
    /// It is not for anonymous visitors.
    NotAuthenticated,
    /// A text in it is too long.
    TooLong,
}

impl Refusal {
    /// Its name for clients, logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadShape => "bad_shape",
            Self::UnknownType => "unknown_type",
            Self::NotAuthenticated => "not_authenticated",
            Self::TooLong => "too_long",
        }
    }
}

/// A frame that cannot be done.
#[derive(Debug)]
pub struct Refused<'t> {
    /// Why.
    pub why: Refusal,
    /// The same in words for the client; repeats no more than 32 characters of the frame.
    pub message: String,
    /// What happens now.
    pub then: BadFrame,
    /// The frame, if it was readable.
    pub inbound: Option<Inbound<'t>>,
}

impl Codec {
    /// Appends the answer to a refused frame.
    ///
    /// `scope` needs neither the error nor the frame.
    ///
    /// # Errors
    ///
    /// [`RenderFault`] when the configured answer cannot be rendered here; `out` then holds the built-in one.
    pub fn refusal_frame(
        &self,
        refused: &Refused<'_>,
        scope: Scope<'_>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderFault> {
        let template = match refused.why {
            Refusal::BadJson => self.bad_json.as_ref(),
            Refusal::BadShape => self.bad_shape.as_ref(),
            _ => None,
        };
        let (message, code) = (refused.message.as_str(), refused.why.code());
        self.answer(template, message, code, refused.inbound.as_ref(), scope, bytes_max, out)
    }

    /// Appends the answer to a frame that could be read and yet not be done, such as one that was not delivered.
    ///
    /// # Errors
    ///
    /// [`RenderFault`] when the configured answer cannot be rendered here; `out` then holds the built-in one.
    pub fn error_frame(
        &self,
        message: &str,
        code: &str,
        scope: Scope<'_>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderFault> {
        self.answer(None, message, code, None, scope, bytes_max, out)
    }

    #[expect(clippy::too_many_arguments, reason = "the two callers above differ in two of them")]
    fn answer(
        &self,
        template: Option<&Template>,
        message: &str,
        code: &str,
        inbound: Option<&Inbound<'_>>,
        scope: Scope<'_>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderFault> {
        let scope = scope.error(message, code);
        let rendered = match template.or(self.error.as_ref()) {
            Some(template) => match inbound {
                Some(inbound) => template.render(&scope.inbound(inbound), bytes_max, out),
                None => template.render(&scope, bytes_max, out),
            },
            None => {
                built_in(message, code, inbound, bytes_max, out);
                return Ok(());
            }
        };
        if rendered.is_err() {
            json::error_frame(message, None, out);
        }
        rendered
    }
}

/// The built-in answer. Whoever sent a type that is not known gets their frame back with it, if there is room.
fn built_in(message: &str, code: &str, inbound: Option<&Inbound<'_>>, bytes_max: usize, out: &mut Vec<u8>) {
    let original = inbound
        .filter(|inbound| {
            code == Refusal::UnknownType.code() && inbound.text().len() + message.len() + 128 <= bytes_max
        })
        .and_then(|inbound| RawJson::parse(inbound.text()).ok());
    json::error_frame(message, original.as_ref(), out);
}
