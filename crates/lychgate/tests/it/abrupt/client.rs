//! A client that goes through a flow, to its end or to some byte of it.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::random::Random;
use crate::harness::wait::within;

/// What a client does with a server, in order.
pub(super) struct Flow {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) steps: Vec<Step>,
}

/// One thing that a client does.
pub(super) enum Step {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Reads until this was said.
    Until(&'static str),
}

/// How a client ends before its time.
enum Ending {
    Reset,
    Close,
    HalfClose,
    StopReading,
}

/// A connected client.
pub(super) struct Client {
    tcp: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Goes through all of `flow`, and hangs up.
    pub(super) async fn whole(flow: Flow) {
        let mut client = Self::connect(flow.address).await;
        for step in &flow.steps {
            match step {
                Step::Write(bytes) => client.tcp.write_all(bytes).await.expect("the server reads"),
                Step::Until(said) => {
                    let there = client.until(said).await;
                    assert!(there, "{}: {said:?} was never said: {}", flow.name, String::from_utf8_lossy(&client.read));
                }
            }
        }
    }

    /// Goes through `flow` to some byte of some step, and ends there in some way.
    /// Gives a client that is still connected and does nothing more.
    pub(super) async fn abrupt(flow: Flow, random: &mut Random) -> Option<TcpStream> {
        let mut client = Self::connect(flow.address).await;
        let ends_at = random.below(flow.steps.len() + 1);
        for (at, step) in flow.steps.iter().enumerate() {
            let is_last = at == ends_at;
            let goes_on = match step {
                Step::Write(bytes) => {
                    let some = if is_last { &bytes[..random.below(bytes.len())] } else { bytes };
                    client.tcp.write_all(some).await.is_ok()
                }
                // Of what it would wait for, it may have seen a part.
                Step::Until(_) if is_last => random.below(2) == 0 || client.read_more().await,
                Step::Until(said) => client.until(said).await,
            };
            if is_last || !goes_on {
                break;
            }
        }
        let ending = random.pick(vec![Ending::Reset, Ending::Close, Ending::HalfClose, Ending::StopReading]);
        client.end(ending).await
    }

    async fn end(mut self, ending: Ending) -> Option<TcpStream> {
        match ending {
            Ending::Reset => {
                let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
                None
            }
            Ending::Close => None,
            Ending::HalfClose => {
                let _ = self.tcp.shutdown().await;
                Some(self.tcp)
            }
            Ending::StopReading => Some(self.tcp),
        }
    }

    async fn connect(address: SocketAddr) -> Self {
        let tcp = within("the server to accept", TcpStream::connect(address)).await.expect("the server listens");
        Self { tcp, read: Vec::new() }
    }

    /// Reads until `said` was said; whether it was.
    async fn until(&mut self, said: &str) -> bool {
        loop {
            if let Some(at) = self.read.windows(said.len()).position(|window| window == said.as_bytes()) {
                self.read.drain(..at + said.len());
                return true;
            }
            if !self.read_more().await {
                return false;
            }
        }
    }

    async fn read_more(&mut self) -> bool {
        within("the server to say something", self.tcp.read_buf(&mut self.read)).await.is_ok_and(|bytes| bytes > 0)
    }
}
