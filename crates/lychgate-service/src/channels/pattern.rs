//! The form of a channel's name: `news`, `chat:{room:int}`, `news:{topic}`.
//!
//! **Invariant:** a name is read in one way, and what was read makes that name again, so a right that was asked about
//! with the values is a right to that channel.
//!
//! **Absent on purpose:** patterns that match more than a name. Kinds of values are those of paths.

use std::fmt;

use crate::policy::Parameters;
use crate::target::{Kind, Slot, Target, TargetFault};

/// The form of the names of a namespace's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPattern {
    text: String,
    parts: Vec<Part>,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Slot(Slot),
}

/// Why a text is no form of names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// It is empty, or holds what no channel's name may hold.
    #[error("it holds what no channel's name may hold")]
    Name,
    /// A pair of braces holds what is no parameter.
    #[error(transparent)]
    Slot(#[from] TargetFault),
    /// A parameter could be read in more than one way.
    #[error("{{{0}}} could be read in more than one way: put a character that it cannot hold behind it, such as :")]
    Ambiguous(String),
}

impl ChannelPattern {
    /// Reads `literal{slot}literal`; a slot is `name` or `name:kind`, as in paths.
    ///
    /// # Errors
    ///
    /// The first [`PatternFault`].
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once('{') {
            let (inner, behind) = behind.split_once('}').ok_or(PatternFault::Name)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::Slot(Slot::parse(inner)?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        let is_name = |part: &Part| match part {
            Part::Literal(literal) => literal.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'}'),
            Part::Slot(slot) => slot.default.is_none(),
        };
        if parts.is_empty() || !parts.iter().all(is_name) {
            return Err(PatternFault::Name);
        }
        for pair in parts.windows(2) {
            if let [Part::Slot(slot), next] = pair {
                let ends_it = match next {
                    Part::Literal(literal) => literal.chars().next().is_some_and(|first| !may_hold(slot.kind, first)),
                    Part::Slot(_) => false,
                };
                if !ends_it {
                    return Err(PatternFault::Ambiguous(slot.name.to_string()));
                }
            }
        }
        let slots = parts.iter().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot.clone()),
            Part::Literal(_) => None,
        });
        let target = Target::of_slots(slots.collect())?;
        Ok(Self { text: text.to_owned(), parts, target })
    }

    /// What the name says, or `None` if it is not of this form.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Parameters> {
        let mut values = Vec::new();
        let mut rest = name;
        for part in &self.parts {
            match part {
                Part::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
                Part::Slot(slot) => {
                    let end = rest.find(|c| !may_hold(slot.kind, c)).unwrap_or(rest.len());
                    values.push((slot.name.clone(), slot.kind.read(&rest[..end])?));
                    rest = &rest[end..];
                }
            }
        }
        rest.is_empty().then(|| values.into())
    }

    /// What it begins with, whatever follows.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(literal)) => literal,
            _ => "",
        }
    }

    /// The template that makes a name of this form again from what was read of it.
    #[must_use]
    pub fn template(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(literal) => literal.clone(),
            Part::Slot(slot) => format!("{{{}}}", slot.name),
        };
        self.parts.iter().map(part).collect()
    }

    /// What its names hold, as if it were a path's.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn may_hold(kind: Kind, c: char) -> bool {
    match kind {
        Kind::Int => c.is_ascii_digit() || c == '-',
        Kind::Name => c.is_ascii_alphanumeric() || c == '_' || c == '-',
        Kind::Text => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::rights::Parameter;

    fn read(pattern: &str, name: &str) -> Option<Vec<Parameter>> {
        let values = ChannelPattern::parse(pattern).unwrap().read(name)?;
        Some(values.iter().map(|(_, value)| value.clone()).collect())
    }

    #[test]
    fn a_name_is_read_in_one_way() {
        let text = |text: &str| Parameter::Text(text.to_owned());
        for (pattern, name, values) in [
            ("news", "news", Some(vec![])),
            ("news", "newsroom", None),
            ("chat:{room:int}", "chat:5", Some(vec![Parameter::Integer(5)])),
            ("chat:{room:int}", "chat:-5", Some(vec![Parameter::Integer(-5)])),
            ("chat:{room:int}", "chat:05", None),
            ("chat:{room:int}", "chat:", None),
            ("chat:{room:int}", "chat:5:x", None),
            ("chat:{room:name}", "chat:5", Some(vec![text("5")])),
            ("{a:name}:{b:name}", "x:y", Some(vec![text("x"), text("y")])),
            ("{a:name}:{b:name}", "x:y:z", None),
            ("news:{topic}", "news:a:b#c", Some(vec![text("a:b#c")])),
            ("{all}", "anything", Some(vec![text("anything")])),
        ] {
            assert_eq!(read(pattern, name), values, "{pattern} {name}");
        }
    }

    #[test]
    fn its_template_names_what_is_read() {
        for (pattern, template) in [
            ("news", "news"),
            ("chat:{room:int}", "chat:{room}"),
            ("{a:name}:{b:name}", "{a}:{b}"),
            ("news:{topic}", "news:{topic}"),
        ] {
            let pattern = ChannelPattern::parse(pattern).unwrap();
            assert_eq!(pattern.template(), template, "{pattern}");
            assert!(crate::naming::compile(template, pattern.target()).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for pattern in ["{a}:{b}", "{a:name}{b:name}", "{a:name}-x", "{a:int}5"] {
            let fault = ChannelPattern::parse(pattern);
            assert!(matches!(fault, Err(PatternFault::Ambiguous(_))), "{pattern}: {fault:?}");
        }
        for pattern in ["", "a b", "{a", "a}", "x{a:name=general}"] {
            let fault = ChannelPattern::parse(pattern);
            assert!(matches!(fault, Err(PatternFault::Name)), "{pattern}: {fault:?}");
        }
        for pattern in ["{}", "{a:float}", "{user}", "{a:name}:{a:name}"] {
            let fault = ChannelPattern::parse(pattern);
            assert!(matches!(fault, Err(PatternFault::Slot(_))), "{pattern}: {fault:?}");
        }
    }
}
