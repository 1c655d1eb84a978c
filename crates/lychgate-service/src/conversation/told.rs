//! How a streamed text looks on the wire, by the codec of the endpoint that it is watched at.

use std::borrow::Cow;
use std::sync::Arc;

use super::Conversation;
use crate::policy::Permit;
use crate::ports::text_source::SourceFault;
use crate::streams::StreamForm;
use crate::template::{Scope, Template};

/// The form of one run. Its templates know the user who began it.
pub struct Told {
    conversation: Arc<Conversation>,
    permit: Permit,
}

impl Told {
    /// The form that `conversation`'s codec gives to a run that the holder of `permit` begins.
    #[must_use]
    pub const fn new(conversation: Arc<Conversation>, permit: Permit) -> Self {
        Self { conversation, permit }
    }

    fn render(&self, template: &Template, scope: &Scope<'_>) -> Option<String> {
        let mut payload = Vec::new();
        let rendered = template.render(scope, self.conversation.parts.frame_bytes_max, &mut payload);
        if let Err(fault) = rendered {
            tracing::warn!(cause = %fault, "a piece of a text was not sent: its template could not be rendered");
            return None;
        }
        String::from_utf8(payload).ok()
    }

    fn scope(&self) -> Scope<'_> {
        Scope::of(&self.permit, self.conversation.parts.clock.now())
    }
}

impl StreamForm for Told {
    fn piece<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.conversation.codec.chunk() {
            None => Cow::Borrowed(text),
            Some(template) => Cow::Owned(self.render(template, &self.scope().chunk(text)).unwrap_or_default()),
        }
    }

    fn done(&self) -> Option<String> {
        self.render(self.conversation.codec.done()?, &self.scope())
    }

    fn failed(&self, fault: &SourceFault) -> Option<String> {
        // Where pieces go out as they are, an error frame would be read as a part of the text.
        self.conversation.codec.chunk()?;
        let payload = self.conversation.error_payload(self.scope(), "The text could not be completed.", fault.code());
        String::from_utf8(payload).ok()
    }
}
