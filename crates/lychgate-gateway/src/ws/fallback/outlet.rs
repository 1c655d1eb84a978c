//! The writing side of a connection without frames: a small buffer between the hub's queue and the answer's body.
//!
//! The flusher fills it, and HTTP takes all of it whenever the network has room. What does not fit stays in the hub's
//! queue, so whoever does not read is blocked, and ends as slow, like any socket.
//!
//! **Invariant:** it takes no message that would make it longer than [`BODY_BYTES_MAX`], unless it is empty.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use lychgate_protocol::centrifuge::Encoding;
use parking_lot::Mutex;

use super::Transport;
use super::inbox::Inbox;
use super::sessions::SessionKey;
use super::unwrap::{Form, Unwrapped, unwrap};
use crate::ws::socket::Socket;

/// What may wait for the network beside what waits in the hub's queue, in bytes. Then the hub's queue grows, which has a
/// limit and a metric of its own.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a connection without frames has in place of a TCP socket.
pub struct Outlet {
    /// How it is reached.
    pub transport: Transport,
    /// Who may speak for it.
    pub key: SessionKey,
    /// What its client has said.
    pub inbox: Inbox,
    form: Form,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    end: End,
    body: Option<Waker>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    /// It goes on.
    #[default]
    Open,
    /// Everything has been said, and the body ends behind it.
    Said,
    /// It ends without a word.
    Cut,
}

impl Outlet {
    /// One that has said nothing.
    #[must_use]
    pub fn new(transport: Transport, encoding: Encoding, inbox: Inbox) -> Self {
        let form = Form::of(transport, encoding);
        Self { transport, key: SessionKey::fresh(), inbox, form, state: Mutex::default() }
    }

    /// Takes whole frames as far as there is room, as a socket would.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room, another kind when the peer is away.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.end != End::Open {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let Ok(Unwrapped { taken, has_ended }) = unwrap(slices, self.form, BODY_BYTES_MAX, &mut state.waiting) else {
            tracing::error!("what is queued for a connection is no frame");
            return Err(ErrorKind::InvalidData.into());
        };
        if has_ended {
            state.end = End::Said;
        }
        let body = state.body.take();
        drop(state);
        if let Some(body) = body {
            body.wake();
        }
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Whether the network has taken everything. Whoever asks is woken by the socket when it has.
    pub fn has_room(&self) -> bool {
        self.state.lock().waiting.is_empty()
    }

    /// Whether the goodbye is on its way, or behind us.
    pub fn has_said_goodbye(&self) -> bool {
        self.state.lock().end == End::Said
    }

    /// Ends the body where it is.
    pub fn cut(&self) {
        let mut state = self.state.lock();
        state.end = End::Cut;
        state.waiting = Vec::new();
        let body = state.body.take();
        drop(state);
        if let Some(body) = body {
            body.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            return Poll::Ready(Some(Ok(Bytes::from(std::mem::take(&mut state.waiting)))));
        }
        match state.end {
            End::Open => {
                state.body = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Said => Poll::Ready(None),
            End::Cut => Poll::Ready(Some(Err(ErrorKind::ConnectionAborted.into()))),
        }
    }
}

/// The answer's body. Dropping it says that the peer is away.
pub struct StreamBody {
    socket: Arc<Socket>,
}

impl StreamBody {
    /// What `socket` says.
    #[must_use]
    pub const fn of(socket: Arc<Socket>) -> Self {
        Self { socket }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(outlet) = self.socket.outlet() else { return Poll::Ready(None) };
        let piece = outlet.poll(cx);
        if matches!(piece, Poll::Ready(Some(Ok(_)))) {
            self.socket.has_room();
        }
        piece.map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if let Some(outlet) = self.socket.outlet()
            && !outlet.has_said_goodbye()
        {
            outlet.cut();
            self.socket.cut();
        }
    }
}
