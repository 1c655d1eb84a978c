//! Names made of who comes and what they ask for: of channels, of resources.
//!
//! **Invariant:** two different requests never make one name by accident. A value that may hold anything stands at the
//! end of its template, so that nothing can be read as what follows it; numbers and short names may stand anywhere,
//! since they hold no separator.

use lychgate_protocol::channel::CHANNEL_NAME_BYTES_MAX;

use crate::policy::{Naming, Parameters};
use crate::ports::clock::UnixMicros;
use crate::principal::Principal;
use crate::target::{Kind, Target};
use crate::template::{Names, Scope, TemplateFault, TextTemplate};

/// Why a text is no template for names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamingFault {
    /// It cannot be read, or uses what is not there.
    #[error(transparent)]
    Template(#[from] TemplateFault),
    /// A value that may hold anything is followed by something.
    #[error("{{{0}}} may hold anything, so nothing can stand behind it")]
    OpenInTheMiddle(String),
}

/// The names that a name may be made of: the user and what `target` takes from a request.
#[must_use]
pub fn names(target: &Target) -> Names {
    let user = ["user.id", "user.name", "user.subject"].into_iter().fold(Names::none(), Names::with);
    target.slots().iter().fold(user, |names, slot| names.with(&slot.name))
}

/// Reads a template for names of requests that `target` takes.
///
/// # Errors
///
/// [`NamingFault`], a sentence without its full stop.
pub fn compile(template: &str, target: &Target) -> Result<TextTemplate, NamingFault> {
    let compiled = TextTemplate::compile(template, &names(target))?;
    let mut parts = template.split('{').skip(1).peekable();
    while let Some(part) = parts.next() {
        let (expression, behind) = part.split_once('}').unwrap_or((part, ""));
        let root = expression.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        let is_closed = target.slots().iter().any(|slot| *slot.name == *root && slot.kind != Kind::Text);
        if !is_closed && (!behind.is_empty() || parts.peek().is_some()) {
            return Err(NamingFault::OpenInTheMiddle(expression.to_owned()));
        }
    }
    Ok(compiled)
}

impl Naming for TextTemplate {
    fn name(&self, principal: &Principal, parameters: &Parameters) -> Option<String> {
        // The time is no part of a name.
        let scope = Scope::new(principal, UnixMicros(0)).parameters(parameters);
        self.render(&scope, CHANNEL_NAME_BYTES_MAX).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::rights::Parameter;

    fn target() -> Target {
        Target::parse("/ws/{number:int}/{word:name}/{any}?room={room:name=general}").unwrap()
    }

    #[test]
    fn a_name_is_made_of_what_was_asked_for() {
        let parameters: Parameters = vec![
            ("number".into(), Parameter::Integer(5)),
            ("word".into(), Parameter::Text("x".to_owned())),
            ("any".into(), Parameter::Text("a:b".to_owned())),
            ("room".into(), Parameter::Text("general".to_owned())),
        ]
        .into();
        let ann = Principal::from_verified_subject("ann", None);
        for (template, name) in [
            ("all", "all"),
            ("chat:{number}", "chat:5"),
            ("{word}:{number}:{room}", "x:5:general"),
            ("{number}:{any}", "5:a:b"),
            ("user:{user.id}", "user:ann"),
        ] {
            let compiled = compile(template, &target()).unwrap();
            assert_eq!(compiled.name(&ann, &parameters).as_deref(), Some(name), "{template}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for template in ["{any}:{number}", "{user.id}:x", "{any}{any}", "{user.name}{number}"] {
            let refused = compile(template, &target());
            assert!(matches!(refused, Err(NamingFault::OpenInTheMiddle(_))), "{template}: {refused:?}");
        }
        for template in ["{absent}", "{now.iso}", "{number", "{user.email}"] {
            assert!(matches!(compile(template, &target()), Err(NamingFault::Template(_))), "{template}");
        }
    }
}
