//! The socket side of a session, as the hub sees it.

use std::io::IoSlice;

use bytes::Bytes;

/// Where the bytes of one session go.
///
/// The gateway's sockets implement it, and so does the simulator.
/// [`write`](Sink::write) and [`farewell`](Sink::farewell) are called with locks held, the session's own among them:
/// an implementation must neither wait nor panic nor call the hub.
pub trait Sink: Send + Sync {
    /// Writes as much of `slices`, in order, as is taken at once, and never waits.
    ///
    /// After [`Written::Blocked`] or a short [`Written::Bytes`] the hub leaves the session alone
    /// until [`Drain::writable`](crate::Drain::writable) is called for it.
    /// Calls for one session never overlap.
    fn write(&self, slices: &[IoSlice<'_>]) -> Written;

    /// The hub ends the session: returns the close frame to send last.
    ///
    /// It is called at most once, and not for a session that ends already.
    fn farewell(&self, cause: Farewell) -> Bytes;

    /// Everything up to and with the last frame has been written.
    ///
    /// It is called at most once, without locks, and not at all for a session that is gone or closed before.
    fn finished(&self);
}

/// Why the hub ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// Its outbox was full. What waited is dropped, except the rest of a frame that is partly on the wire.
    Slow,
    /// A channel that it was in has ended. What waited is still written.
    Ended(EndCode),
}

/// Why a channel ended, in the words of whoever ended it. The numbers mean nothing to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EndCode(pub u8);

/// What a socket took of the slices it was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// This many bytes, counted from the start of the first slice; fewer than offered means that the rest would wait.
    Bytes(usize),
    /// Nothing, for now.
    Blocked,
    /// Nothing ever again: the peer is away.
    Gone,
}
