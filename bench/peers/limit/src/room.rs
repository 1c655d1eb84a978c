//! The connections and the one write path to them.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// A receiver that has left more than this unread is dropped.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// One accepted socket.
pub struct Connection {
    /// Its descriptor.
    pub socket: OwnedFd,
    /// What it is doing.
    pub stage: Stage,
    /// Input that is not whole yet.
    pub carry: Vec<u8>,
    /// Frames sent to it, counted for fault injection alone.
    pub frames: u64,
    unsent: Vec<u8>,
}

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The request is not whole yet.
    Handshake,
    /// In the room.
    Room,
    /// Talks to itself.
    Echo,
    /// To be removed.
    Over,
}

impl Connection {
    /// Wraps an accepted socket.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, stage: Stage::Handshake, carry: Vec::new(), frames: 0, unsent: Vec::new() }
    }

    /// Writes now what the kernel takes and keeps the rest; a receiver that is too far behind is over.
    pub fn write(&mut self, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            if self.unsent.len() > UNSENT_BYTES_MAX {
                self.stage = Stage::Over;
            }
            return;
        }
        let sent = self.push(bytes);
        if sent < bytes.len() {
            self.unsent = bytes[sent..].to_vec();
        }
    }

    /// Writes what was kept.
    pub fn flush(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.push(&unsent);
        if sent < unsent.len() {
            self.unsent = unsent[sent..].to_vec();
        }
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            match send(&self.socket, &bytes[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => {
                    self.stage = Stage::Over;
                    return bytes.len();
                }
            }
        }
        sent
    }
}
