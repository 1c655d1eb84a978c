//! The socket side of a session, as the hub sees it.

use std::io::IoSlice;

use bytes::Bytes;

/// Where the bytes of one session go.
///
/// The gateway's sockets implement it, and so does the simulator.
/// [`write`](Sink::write) and [`overflowed`](Sink::overflowed) are called with locks held, the session's own among them:
/// an implementation must neither wait nor panic nor call the hub.
pub trait Sink: Send + Sync {
    /// Writes as much of `slices`, in order, as is taken at once, and never waits.
    ///
    /// After [`Written::Blocked`] or a short [`Written::Bytes`] the hub leaves the session alone
    /// until [`Drain::writable`](crate::Drain::writable) is called for it.
    /// Calls for one session never overlap.
    fn write(&self, slices: &[IoSlice<'_>]) -> Written;

    /// The outbox was full: returns the close frame to send last.
    ///
    /// What waited is dropped, except the rest of a frame that is partly on the wire.
    /// It is called at most once.
    fn overflowed(&self) -> Bytes;

    /// Everything up to and with the last frame has been written.
    ///
    /// It is called at most once, without locks, and not at all for a session that is gone or closed before.
    fn finished(&self);
}

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
