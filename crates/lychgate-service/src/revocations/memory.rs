//! The entries by what they name.
//!
//! **Invariant:** an entry is here as long as a token may be good that it concerns, and a little longer.

use hashbrown::HashMap;

use super::Marks;
use crate::ports::revocations::{Revocation, Revoked};

/// Entries in memory.
#[derive(Default)]
pub(super) struct Memory {
    /// When each ends, in Unix seconds.
    tokens: HashMap<Box<str>, u64>,
    sessions: HashMap<Box<str>, u64>,
    users: HashMap<Box<str>, User>,
    everybody: Cut,
}

/// What is revoked of one user.
#[derive(Default)]
struct User {
    cut: Cut,
    blocked_until_s: u64,
}

/// Tokens that were issued up to a second, in Unix seconds.
#[derive(Clone, Copy, Default)]
struct Cut {
    issued_until_s: u64,
    ends_at_s: u64,
}

impl Cut {
    fn widen(&mut self, issued_until_s: u64, ends_at_s: u64) {
        self.issued_until_s = self.issued_until_s.max(issued_until_s);
        self.ends_at_s = self.ends_at_s.max(ends_at_s);
    }

    fn revokes(self, marks: &Marks, now_s: u64) -> bool {
        self.ends_at_s > now_s && marks.issued_at_s.is_none_or(|issued_at_s| issued_at_s <= self.issued_until_s)
    }
}

impl Memory {
    /// Adds an entry; `false` if it revokes nothing any more.
    pub(super) fn add(&mut self, entry: &Revocation, now_s: u64) -> bool {
        let ends_at_s = entry.ends_at_s;
        let longer = |map: &mut HashMap<Box<str>, u64>, name: &str| {
            let end = map.entry(name.into()).or_insert(0);
            *end = (*end).max(ends_at_s);
        };
        if let Revoked::Block { subject, until_s } = &entry.what {
            // The newest one counts, also where it shortens the one before.
            self.users.entry(subject.as_str().into()).or_default().blocked_until_s = *until_s;
            return *until_s > now_s;
        }
        if ends_at_s <= now_s {
            return false;
        }
        match &entry.what {
            Revoked::Token(jti) => longer(&mut self.tokens, jti),
            Revoked::Session(sid) => longer(&mut self.sessions, sid),
            Revoked::User { subject, issued_until_s } => {
                self.users.entry(subject.as_str().into()).or_default().cut.widen(*issued_until_s, ends_at_s);
            }
            Revoked::Everybody { issued_until_s } => self.everybody.widen(*issued_until_s, ends_at_s),
            Revoked::Block { .. } => {}
        }
        true
    }

    pub(super) fn revokes(&self, subject: &str, marks: &Marks, now_s: u64) -> bool {
        let names = |map: &HashMap<Box<str>, u64>, name: &Option<Box<str>>| {
            name.as_ref().and_then(|name| map.get(name)).is_some_and(|ends_at_s| *ends_at_s > now_s)
        };
        names(&self.tokens, &marks.token)
            || names(&self.sessions, &marks.session)
            || self.everybody.revokes(marks, now_s)
            || self
                .users
                .get(subject)
                .is_some_and(|user| user.blocked_until_s > now_s || user.cut.revokes(marks, now_s))
    }

    pub(super) fn blocks(&self, subject: &str, now_s: u64) -> bool {
        self.users.get(subject).is_some_and(|user| user.blocked_until_s > now_s)
    }

    /// Drops what concerns no token any more.
    pub(super) fn forget(&mut self, now_s: u64) {
        self.tokens.retain(|_, ends_at_s| *ends_at_s > now_s);
        self.sessions.retain(|_, ends_at_s| *ends_at_s > now_s);
        self.users.retain(|_, user| user.blocked_until_s > now_s || user.cut.ends_at_s > now_s);
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len() + self.sessions.len() + self.users.len() + usize::from(self.everybody.ends_at_s > 0)
    }
}
