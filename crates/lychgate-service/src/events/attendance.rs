//! Who is connected, from the moment that is told until the moment the end is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lychgate_protocol::channel::ChannelName;

use super::{Happened, Outbox, SourceIndex};
use crate::ports::broker::Author;
use crate::ports::clock::UnixMicros;
use crate::principal::Principal;

/// The connections of one endpoint, for the source that is told of them. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    outbox: Outbox,
    source: usize,
    endpoint: Arc<str>,
}

/// Somebody who is connected.
pub(super) struct Attendee {
    /// Its place among those of this process.
    pub(super) id: u64,
    pub(super) endpoint: Arc<str>,
    /// The connection's name.
    pub(super) client: Box<str>,
    /// The user's id; empty for a visitor.
    pub(super) user: Box<str>,
    /// Where its path leads, where it does.
    pub(super) channel: Option<ChannelName>,
    pub(super) since: UnixMicros,
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The close code (RFC 6455 section 7.1.5); 1006 where there was none.
    pub code: u16,
    /// Why, as a word from a fixed list.
    pub reason: &'static str,
}

impl Ended {
    /// The connection broke.
    pub const BROKEN: Self = Self { code: 1006, reason: "broken" };
}

/// A connection of which it was told that it is there. Dropping it tells that it broke.
#[must_use = "a connection is told to have ended when this goes"]
pub struct Attendance {
    outbox: Outbox,
    source: usize,
    who: Option<Arc<Attendee>>,
}

impl Sessions {
    /// Those of `endpoint`, of which `source` is told.
    #[must_use]
    pub fn new(outbox: Outbox, source: SourceIndex, endpoint: &str) -> Self {
        Self { outbox, source: source.0, endpoint: endpoint.into() }
    }

    /// Tells that somebody has come on the connection `client`, whose path leads to `channel`, if it leads anywhere.
    pub fn connected(&self, principal: &Principal, client: &str, channel: Option<&ChannelName>) -> Attendance {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let who = Arc::new(Attendee {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            endpoint: Arc::clone(&self.endpoint),
            client: client.into(),
            user: Author::of(principal, client).user.into(),
            channel: channel.cloned(),
            since: self.outbox.0.clock.now(),
        });
        self.outbox.push(self.source, Happened::Connected(Arc::clone(&who)));
        Attendance { outbox: self.outbox.clone(), source: self.source, who: Some(who) }
    }
}

impl Attendance {
    /// Tells how it has ended.
    pub fn end(mut self, ended: Ended) {
        self.tell(ended);
    }

    fn tell(&mut self, ended: Ended) {
        if let Some(who) = self.who.take() {
            self.outbox.push(self.source, Happened::Disconnected(who, ended));
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.tell(Ended::BROKEN);
    }
}
