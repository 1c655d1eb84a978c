//! What a copy holds of one user: their state alone, or a JSON value with it.

use crate::ports::clock::UnixMicros;
use crate::ports::presence_mirror::Copied;
use crate::principal::Principal;
use crate::template::{Names, Scope, Source, Template, TemplateFault};

use super::settings::State;

/// The longest value or message, in bytes.
const BYTES_MAX: usize = 16 * 1024;

/// How a state looks in a copy.
#[derive(Debug, Default)]
pub struct CopyForm {
    value: Option<Template>,
    message: Option<Template>,
}

impl CopyForm {
    /// The form with these templates: of what is kept, and of what is told. Without the first it is the state alone,
    /// without the second what is kept.
    ///
    /// # Errors
    ///
    /// The name of the template, `value` or `message`, with each of its faults.
    pub fn compile(
        value: Option<&Source>,
        message: Option<&Source>,
    ) -> Result<Self, Vec<(&'static str, TemplateFault)>> {
        let names = ["user.id", "user.name", "user.email", "user.subject", "now.iso", "now.unix", "now.ms", "status"];
        let names = names.into_iter().fold(Names::none(), Names::with);
        let mut faults = Vec::new();
        let mut compile = |name, source: Option<&Source>| match source.map(|source| Template::compile(source, &names)) {
            None => None,
            Some(Ok(template)) => Some(template),
            Some(Err(found)) => {
                faults.extend(found.into_iter().map(|fault| (name, fault)));
                None
            }
        };
        let form = Self { value: compile("value", value), message: compile("message", message) };
        if faults.is_empty() { Ok(form) } else { Err(faults) }
    }

    /// What is copied of `user`, who is in `state` now. `None` if it would be too long.
    pub(super) fn copy(&self, user: &Principal, state: &State, now: UnixMicros) -> Option<Copied> {
        let render = |template: &Template| {
            let mut text = Vec::new();
            template.render(&Scope::new(user, now).status(state), BYTES_MAX, &mut text).ok()?;
            String::from_utf8(text).ok()
        };
        let value = match &self.value {
            Some(template) => render(template)?.into(),
            None => state.clone(),
        };
        let message = match &self.message {
            Some(template) => Some(render(template)?.into()),
            None => None,
        };
        Some(Copied { value, message })
    }
}
