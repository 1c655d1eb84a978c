//! Changes of this server's own registry, felt at once by the sockets whose right rests on it.
//!
//! A change is told once the store has acknowledged it. One task takes all that were told meanwhile, walks the table
//! once for them, and has the sockets concerned ask the question again that they were admitted by.
//!
//! **Invariant:** no socket stays by an answer from before a change. The walk sees it, or it sees when it enters that
//! something has changed since its question was asked.
//!
//! **Absent on purpose:** deciding. Whether a socket may stay is the policy's to say, with the registry's fresh answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use hashbrown::{HashMap, HashSet};
use lychgate_service::policy::Permit;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use crate::ws::table::Table;

/// Changes that wait for the next walk. With more of them every socket that rests on the registry is asked again.
const CHANGES_MAX: usize = 1_024;

/// Entries that are looked at before others get their turn.
const ENTRIES_PER_TURN: usize = 512;

/// Somebody may have lost a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// To which resource.
    pub resource: String,
    /// Who, as tokens name them; it may be anybody, if none.
    pub user: Option<String>,
}

/// What has changed and was not walked for yet.
#[derive(Default)]
pub struct Changes {
    told: AtomicU64,
    pending: Mutex<Pending>,
    wake: Notify,
}

/// How many changes had been told at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

#[derive(Default)]
struct Pending {
    by_resource: HashMap<String, Whom>,
    changes: usize,
    /// There were too many to tell them apart.
    concern_all: bool,
}

enum Whom {
    Anybody,
    Users(HashSet<String>),
}

impl Changes {
    /// Tells of a change that the store has acknowledged, or may have.
    pub fn tell(&self, change: Change) {
        // Before it waits for its walk: who enters from now on sees it here, who entered before is met by the walk.
        self.told.fetch_add(1, Ordering::SeqCst);
        self.pending.lock().add(change);
        self.wake.notify_one();
    }

    /// How many were told so far; to be asked before a question is put to the registry.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen(self.told.load(Ordering::SeqCst))
    }

    /// Whether one was told after `seen`; to be asked once the socket shows its right in the table.
    #[must_use]
    pub fn happened_since(&self, seen: Seen) -> bool {
        // Its counterpart is in the walk: of a socket that shows its right and a change that is told, one sees the other.
        fence(Ordering::SeqCst);
        self.seen() != seen
    }

    /// Walks `table` whenever something has changed, until `stop`.
    pub async fn run(self: Arc<Self>, table: Arc<Table>, stop: CancellationToken) {
        let mut chunk = Vec::new();
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = stop.cancelled() => return,
            }
            let pending = std::mem::take(&mut *self.pending.lock());
            fence(Ordering::SeqCst);
            let mut from = 0;
            loop {
                let more = table.chunk(from, ENTRIES_PER_TURN, &mut chunk);
                for entry in chunk.drain(..) {
                    let socket = &entry.socket;
                    let by_channels = socket.watching().is_some_and(|user| pending.concern_any_right_of(user));
                    if by_channels || socket.registered().is_some_and(|permit| pending.concern(permit)) {
                        entry.socket.ask_again();
                    }
                }
                if !more {
                    break;
                }
                from += ENTRIES_PER_TURN;
                yield_now().await;
            }
        }
    }
}

impl Pending {
    fn add(&mut self, Change { resource, user }: Change) {
        if self.changes >= CHANGES_MAX {
            self.by_resource.clear();
            self.concern_all = true;
            return;
        }
        self.changes += 1;
        let whom = self.by_resource.entry(resource).or_insert_with(|| Whom::Users(HashSet::new()));
        match (whom, user) {
            (whom, None) => *whom = Whom::Anybody,
            (Whom::Users(users), Some(user)) => drop(users.insert(user)),
            (Whom::Anybody, Some(_)) => {}
        }
    }

    fn concern(&self, permit: &Permit) -> bool {
        self.concern_user(permit.resource(), permit.principal().id())
    }

    /// Whether some right of `user` may be lost, whatever the resource.
    fn concern_any_right_of(&self, user: &str) -> bool {
        let concerns = |whom: &Whom| match whom {
            Whom::Anybody => true,
            Whom::Users(users) => users.contains(user),
        };
        self.concern_all || self.by_resource.values().any(concerns)
    }

    fn concern_user(&self, resource: Option<&str>, user: &str) -> bool {
        self.concern_all
            || match resource.and_then(|resource| self.by_resource.get(resource)) {
                None => false,
                Some(Whom::Anybody) => true,
                Some(Whom::Users(users)) => users.contains(user),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(resource: &str, user: Option<&str>) -> Change {
        Change { resource: resource.to_owned(), user: user.map(str::to_owned) }
    }

    #[test]
    fn a_change_concerns_whom_it_names() {
        let mut pending = Pending::default();
        for (resource, user) in [("a", Some("ann")), ("a", Some("bob")), ("b", None), ("c", Some("ann")), ("c", None)] {
            pending.add(change(resource, user));
        }
        pending.add(change("b", Some("ann")));
        for (resource, user, is_concerned) in [
            (Some("a"), "ann", true),
            (Some("a"), "bob", true),
            (Some("a"), "eve", false),
            (Some("b"), "eve", true),
            (Some("c"), "eve", true),
            (Some("d"), "ann", false),
            (None, "ann", false),
        ] {
            assert_eq!(pending.concern_user(resource, user), is_concerned, "{user} of {resource:?}");
        }
    }

    #[test]
    fn too_many_changes_concern_everybody_and_are_not_kept() {
        let mut pending = Pending::default();
        for n in 0..CHANGES_MAX {
            pending.add(change(&n.to_string(), Some("ann")));
        }
        assert!(!pending.concern_user(Some("0"), "bob"));
        pending.add(change("0", Some("ann")));
        assert!(pending.concern_user(Some("0"), "bob") && pending.by_resource.is_empty());
        pending.add(change("0", Some("ann")));
        assert!(pending.by_resource.is_empty());
    }

    #[test]
    fn what_was_told_after_a_look_is_noticed() {
        let changes = Changes::default();
        let seen = changes.seen();
        assert!(!changes.happened_since(seen));
        changes.tell(change("a", None));
        assert!(changes.happened_since(seen));
        assert!(!changes.happened_since(changes.seen()));
    }
}
