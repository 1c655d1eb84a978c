//! Where the bytes of a connection go: to its TCP socket, or into the body of an answer.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;

use crate::ws::fallback::outlet::Outlet;

/// Where what is said goes.
pub enum Writer {
    /// To a WebSocket, as it is.
    Tcp(OwnedWriteHalf),
    /// Into the body of an answer, without the frames. Few connections have one.
    Body(Box<Outlet>),
}

impl Writer {
    /// Writes as much as is taken at once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is taken now, another kind when the peer is away.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            // The kernel has a shorter way for one.
            (Self::Tcp(tcp), [slice]) => tcp.try_write(slice),
            (Self::Tcp(tcp), slices) => tcp.try_write_vectored(slices),
            (Self::Body(outlet), slices) => outlet.try_write(slices),
        }
    }

    /// Ready when something is taken again. A body's room is told to the socket's own waker.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => tcp.as_ref().poll_write_ready(cx),
            Self::Body(outlet) if outlet.has_room() => Poll::Ready(Ok(())),
            Self::Body(_) => Poll::Pending,
        }
    }

    /// Tells a WebSocket's peer that nothing more will come.
    pub(super) fn shut_down(&self) {
        if let Self::Tcp(tcp) = self {
            // An error means that the connection is gone, which the next read says better.
            let _ = SockRef::from(tcp.as_ref()).shutdown(Shutdown::Write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand idle sockets are ten thousand of these.
    #[test]
    fn a_websocket_pays_nothing_for_the_others() {
        assert_eq!(size_of::<Writer>(), size_of::<OwnedWriteHalf>());
    }
}
