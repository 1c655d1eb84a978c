//! One connected peer: its outbox and its memberships.
//!
//! **Invariant:** a membership is listed here exactly while the session is in the channel's group:
//! both are changed under the channel's lock, by whoever gets there first.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::channel::Channel;
use crate::config::OutboxLimits;
use crate::encode::Class;
use crate::outbox::Outbox;
use crate::sink::Sink;

/// A handle to one session; clones are the same session.
///
/// Dropping handles does not end it: [`Drain::close`](crate::Drain::close) does.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

/// The name of a session; it is never reused in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Laid out in this order so that what a delivery touches lies together, behind the reference counts.
#[repr(C)]
struct Inner {
    id: SessionId,
    /// The shard whose flusher writes it.
    shard: u32,
    outbox: Mutex<Outbox>,
    memberships: Mutex<Memberships>,
}

/// The channels that a session is in.
#[derive(Default)]
pub(crate) struct Memberships {
    pub(crate) list: SmallVec<[Membership; 1]>,
    /// No channel may be joined any more.
    pub(crate) closed: bool,
    next_number: u32,
}

/// One channel that a session is in.
pub(crate) struct Membership {
    pub(crate) channel: Arc<Channel>,
    /// Where the session lies in the group.
    pub(crate) key: u32,
    /// Tells this membership from earlier ones of the same session in the same channel.
    pub(crate) number: u32,
    pub(crate) class: Class,
}

impl Session {
    pub(crate) fn new(id: SessionId, shard: u32, limits: OutboxLimits, sink: Arc<dyn Sink>) -> Self {
        let outbox = Mutex::new(Outbox::new(limits, sink));
        Self(Arc::new(Inner { id, shard, outbox, memberships: Mutex::default() }))
    }

    /// The name of this session.
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Bytes that wait for the socket.
    pub fn queued_bytes(&self) -> usize {
        self.0.outbox.lock().bytes()
    }

    /// Slices that wait for the socket.
    pub fn queued_slices(&self) -> usize {
        self.0.outbox.lock().slices()
    }

    /// Whether the socket has to become writable before anything more is written.
    pub fn is_blocked(&self) -> bool {
        self.0.outbox.lock().is_blocked()
    }

    /// Whether no frame is taken any more: it was finished, overflowed, ended with a channel, closed, or its peer is away.
    ///
    /// Frames queued before may still wait; [`Sink::finished`] tells when they are written.
    pub fn is_finished(&self) -> bool {
        !self.0.outbox.lock().is_open()
    }

    pub(crate) fn shard(&self) -> usize {
        self.0.shard as usize
    }

    pub(crate) fn outbox(&self) -> &Mutex<Outbox> {
        &self.0.outbox
    }

    pub(crate) fn memberships(&self) -> &Mutex<Memberships> {
        &self.0.memberships
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Session").field(&self.0.id.0).finish()
    }
}

impl Memberships {
    /// The membership in `channel`, if there is one.
    pub(crate) fn position(&self, channel: &Arc<Channel>) -> Option<usize> {
        self.list.iter().position(|membership| Arc::ptr_eq(&membership.channel, channel))
    }

    pub(crate) fn next_number(&mut self) -> u32 {
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use bytes::Bytes;

    use super::*;
    use crate::{Farewell, Flushed, Hub, HubConfig, Written};

    struct Deaf;

    impl Sink for Deaf {
        fn write(&self, _: &[IoSlice<'_>]) -> Written {
            Written::Blocked
        }

        fn farewell(&self, _: Farewell) -> Bytes {
            Bytes::new()
        }

        fn finished(&self) {}
    }

    #[test]
    fn a_closed_session_is_freed_wherever_it_was_listed() {
        let (registrar, drain) = Hub::new(HubConfig::default());
        for blocked in [false, true] {
            let session = drain.open(OutboxLimits::default(), Arc::new(Deaf));
            for name in ["one", "two"] {
                let channel = name.parse().unwrap();
                drop(registrar.subscribe(&session, &channel, Class(0)).unwrap());
                registrar.publish(&channel, 1, &|_: Class, _: u64, out: &mut Vec<u8>| out.push(1), None);
            }
            drain.seal(0);
            if blocked {
                assert_eq!(drain.flush(0, 256), Flushed::Idle);
                assert!(session.is_blocked());
            }
            let inner = Arc::downgrade(&session.0);
            drain.close(&session);
            drop(session);
            assert_eq!(inner.strong_count(), usize::from(!blocked), "a ready list keeps it until its turn");
            assert_eq!(drain.flush(0, 256), Flushed::Idle);
            assert_eq!(inner.strong_count(), 0);
        }
    }

    /// Ten thousand idle sockets are ten thousand of these.
    #[test]
    fn an_idle_session_with_one_membership_stays_small() {
        let reference_counts = 2 * size_of::<usize>();
        let slab_entry = 2 * size_of::<usize>();
        let idle = reference_counts + size_of::<Inner>() + slab_entry;
        assert!(size_of::<Membership>() <= 24, "a membership takes {} bytes", size_of::<Membership>());
        assert!(idle <= 176, "an idle session takes {idle} bytes");
    }
}
