//! Which names exist in one place of the configuration.

use super::fault::TemplateFault;

/// The names that a template may use.
///
/// A name is a root, or a root and its fields with dots: `uuid`, `user.id`, `stored.at.iso`.
/// Below an open name anything may be asked for, and what is not there is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    known: Vec<Box<str>>,
    open: Vec<Box<str>>,
}

impl Names {
    /// No name at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { known: Vec::new(), open: Vec::new() }
    }

    /// What the server knows in every place: who and when, the connection, and what was said of the resource.
    #[must_use]
    pub fn server() -> Self {
        let names = ["user.id", "user.name", "user.email", "user.subject", "user.authenticated"];
        let names = names.into_iter().chain(["now.iso", "now.unix", "now.ms", "uuid", "conn.id"]);
        names.fold(Self::none(), Self::with).open("resource")
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, name: &str) -> Self {
        self.known.push(name.into());
        self
    }

    /// These, and everything that is or lies below `name`.
    #[must_use]
    pub fn open(mut self, name: &str) -> Self {
        self.open.push(name.into());
        self
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        self.known.extend_from_slice(&others.known);
        self.open.extend_from_slice(&others.open);
        self
    }

    /// Whether `name` may be used.
    pub(super) fn check(&self, name: &str) -> Result<(), TemplateFault> {
        let is_below =
            |open: &str| name.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if self.known.iter().any(|known| **known == *name) || self.open.iter().any(|open| is_below(open)) {
            return Ok(());
        }
        let all = || self.known.iter().chain(&self.open).map(|known| &**known);
        // Below an open name the rest may be anything, so only its root is compared.
        let (root, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        let known = self.known.iter().map(|known| (distance(name, known), known.len(), known.to_string()));
        let open = self.open.iter().map(|open| (distance(root, open), open.len(), format!("{open}{rest}")));
        let nearest = known
            .chain(open)
            .filter(|(steps, bytes, _)| *steps <= 1 + bytes / 3)
            .min_by_key(|(steps, ..)| *steps)
            .map(|(_, _, near)| near);
        let remedy = match nearest {
            Some(near) => format!("Write {{{near}}} if that is what you mean"),
            None => format!("Use one of: {}", all().collect::<Vec<_>>().join(", ")),
        };
        Err(TemplateFault::new(format!("there is no name \"{}\" here", name.escape_debug()), remedy))
    }
}

/// Insertions, removals and replacements from one to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
