//! Sockets whose token is revoked are closed, and whoever revoked waits for that.
//!
//! One task takes what was revoked meanwhile and walks the table once for all of it.
//!
//! **Invariant:** no socket stays whose token was revoked. It shows its marks first and asks then, and what is revoked is
//! to be found first and walked for then: so it sees the revocation, or the walk sees it.
//!
//! **Absent on purpose:** the texts that tokens are revoked by. A socket keeps 64 bits of each; of a billion sockets one
//! might be closed for another one's sake, and its client comes back.

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use lychgate_hub::Drain;
use lychgate_service::admission::{Admission, Refused};
use lychgate_service::ports::revocations::Revoked as What;
use lychgate_service::proof::Proof;
use lychgate_service::revocations::{Batch, Revocations};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use crate::ws::profile::Event;
use crate::ws::socket::Socket;
use crate::ws::sweep;
use crate::ws::table::Table;

/// Entries that are looked at before others get their turn.
const ENTRIES_PER_TURN: usize = 512;

/// By what a socket's token can be revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashedMarks {
    /// `sid`.
    pub session: u64,
    /// `jti`.
    pub token: u64,
    /// `sub`; 0 for a socket that has shown no token.
    pub subject: u64,
    /// `iat`, in Unix seconds; 0 for a token without one.
    pub issued_at_s: u32,
}

/// Closes sockets for what is revoked.
pub struct Revoked {
    /// What is revoked.
    pub revocations: Arc<Revocations>,
    /// Keyed, so that nobody chooses a name that meets another one.
    hasher: RandomState,
}

/// What a batch says, by hashes.
#[derive(Default)]
struct Sought {
    sessions: HashSet<u64>,
    tokens: HashSet<u64>,
    /// Up to when their tokens are revoked that were issued then.
    users: HashMap<u64, u32>,
    everybody: Option<u32>,
}

impl Revoked {
    /// Closes for what `revocations` says.
    #[must_use]
    pub fn new(revocations: Arc<Revocations>) -> Self {
        Self { revocations, hasher: RandomState::new() }
    }

    /// Has `socket` closed when what it has shown is revoked, which may be now.
    ///
    /// # Errors
    ///
    /// [`Refused`] when it is revoked already.
    pub fn rests_on(&self, admission: &Admission, socket: &Socket, proof: &Proof) -> Result<(), Refused> {
        let hash = |name: &Option<Box<str>>| name.as_deref().map_or(0, |name| self.hash(name));
        socket.marked(&HashedMarks {
            session: hash(&proof.marks.session),
            token: hash(&proof.marks.token),
            subject: self.hash(&proof.subject),
            issued_at_s: proof.marks.issued_at_s.map_or(0, seconds),
        });
        // Behind the marks: what is revoked from here on is walked for, and the lock that guards it orders the two.
        Ok(admission.recheck(proof)?)
    }

    /// Walks `table` whenever something is revoked, until `stop`.
    pub async fn run(self: Arc<Self>, table: Arc<Table>, drain: Drain, stop: CancellationToken) {
        self.revocations.begin_closing();
        loop {
            let batch = tokio::select! {
                batch = self.revocations.next() => batch,
                () = stop.cancelled() => return,
            };
            let closed = self.close(&batch, &table, &drain).await;
            self.revocations.closed(&batch);
            tracing::info!(connections = closed, "closed for {} revocations", batch.revoked.len());
        }
    }

    async fn close(&self, batch: &Batch, table: &Table, drain: &Drain) -> usize {
        let sought = self.sought(batch);
        let (mut chunk, mut from, mut closed) = (Vec::new(), 0, 0);
        loop {
            let more = table.chunk(from, ENTRIES_PER_TURN, &mut chunk);
            for entry in chunk.drain(..) {
                if !entry.socket.is_closing() && sought.concerns(&entry.socket.marks()) {
                    sweep::close(drain, &entry, Event::Revoked);
                    closed += 1;
                }
            }
            if !more {
                return closed;
            }
            from += ENTRIES_PER_TURN;
            yield_now().await;
        }
    }

    fn sought(&self, batch: &Batch) -> Sought {
        let mut sought = Sought::default();
        for what in &batch.revoked {
            match what {
                What::Token(jti) => sought.tokens.extend([self.hash(jti)]),
                What::Session(sid) => sought.sessions.extend([self.hash(sid)]),
                What::User { subject, issued_until_s } => sought.user(self.hash(subject), seconds(*issued_until_s)),
                What::Block { subject, .. } => sought.user(self.hash(subject), u32::MAX),
                What::Everybody { issued_until_s } => {
                    sought.everybody = sought.everybody.max(Some(seconds(*issued_until_s)));
                }
            }
        }
        sought
    }

    /// Never 0, which stands for nothing.
    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name).max(1)
    }
}

impl Sought {
    fn user(&mut self, subject: u64, issued_until_s: u32) {
        let until = self.users.entry(subject).or_insert(issued_until_s);
        *until = (*until).max(issued_until_s);
    }

    fn concerns(&self, marks: &HashedMarks) -> bool {
        let until_then = |until: Option<u32>| until.is_some_and(|until| marks.issued_at_s <= until);
        marks.subject != 0
            && (self.sessions.contains(&marks.session)
                || self.tokens.contains(&marks.token)
                || until_then(self.users.get(&marks.subject).copied())
                || until_then(self.everybody))
    }
}

/// Good until 2106, and then nothing is taken for newer than it is.
fn seconds(unix_s: u64) -> u32 {
    u32::try_from(unix_s).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_concerned_by_what_names_it_and_by_nothing_else() {
        let marks = HashedMarks { session: 1, token: 2, subject: 3, issued_at_s: 100 };
        let of = |fill: &dyn Fn(&mut Sought)| {
            let mut sought = Sought::default();
            fill(&mut sought);
            sought.concerns(&marks)
        };
        assert!(!of(&|_| ()));
        assert!(of(&|sought| sought.sessions.extend([1])));
        assert!(of(&|sought| sought.tokens.extend([2])));
        assert!(!of(&|sought| sought.sessions.extend([2, 3])));
        assert!(!of(&|sought| sought.tokens.extend([1, 3])));
        assert!(of(&|sought| sought.user(3, 100)));
        assert!(!of(&|sought| sought.user(3, 99)));
        assert!(!of(&|sought| sought.user(1, u32::MAX)));
        assert!(of(&|sought| sought.everybody = Some(100)));
        assert!(!of(&|sought| sought.everybody = Some(99)));
        let mut sought = Sought { everybody: Some(u32::MAX), ..Sought::default() };
        sought.user(0, u32::MAX);
        assert!(!sought.concerns(&HashedMarks::default()), "who has shown no token has none to be revoked");
    }
}
