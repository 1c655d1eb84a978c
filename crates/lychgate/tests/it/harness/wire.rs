//! A WebSocket by hand, for bytes that no library would send.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::http::{Reply, read_more, reply};
use super::server::Server;
use super::wait::within;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
pub(crate) const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// One frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// An upgraded socket.
pub(crate) struct Wire {
    pub(crate) tcp: TcpStream,
    read: Vec<u8>,
}

/// The request for a WebSocket at `target`, with more headers, a line each.
pub(crate) fn request(target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nhost: gate\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// One frame as a client sends it. `first` is the first byte: flags and opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The masked header of a frame that claims `length` bytes.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// A close frame as a client sends it.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

impl Wire {
    /// Connects to `target`, which has to be upgraded.
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Self {
        Self::over(connect(address).await, &request(target, ""), b"").await
    }

    /// Connects to the endpoint `path` of `server` with a good token of `sub`, and has entered when this returns.
    pub(crate) async fn enter(server: &Server, path: &str, sub: &str) -> Self {
        let mut wire = Self::open(server.address, &Server::at(path, sub)).await;
        wire.entered().await;
        wire
    }

    /// Waits until what others say would arrive.
    ///
    /// The server enters a socket into its channel before it reads from it, so a pong says that this has happened.
    pub(crate) async fn entered(&mut self) {
        self.write(&frame(FIN | PING, b"")).await;
        let pong = self.frame().await;
        assert_eq!(pong.opcode, PONG, "a pong was expected: {}", pong.show());
    }

    /// Sends `request` with `behind` right behind it, in one write, and expects to be upgraded.
    pub(crate) async fn over(mut tcp: TcpStream, request: &str, behind: &[u8]) -> Self {
        tcp.write_all(&[request.as_bytes(), behind].concat()).await.expect("the server reads");
        let reply = reply(&mut tcp).await.expect("an answer to the request");
        assert_eq!(reply.status, 101, "no upgrade: {reply:?}");
        assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Self { tcp, read: reply.rest }
    }

    /// Writes these bytes as they are. A server that has hung up is noticed by reading.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = within("the server to read", self.tcp.write_all(bytes)).await;
    }

    /// Sends a text message.
    pub(crate) async fn say(&mut self, text: &str) {
        self.write(&frame(FIN | TEXT, text.as_bytes())).await;
    }

    /// The next frame, `None` when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, bytes)) = take_frame(&self.read) {
                self.read.drain(..bytes);
                return Some(frame);
            }
            if read_more(&mut self.tcp, &mut self.read).await == 0 {
                assert_eq!(self.read, b"", "the connection ended in the middle of a frame");
                return None;
            }
        }
    }

    /// The next frame, `None` when the connection is over, in the middle of a frame or not.
    pub(crate) async fn next_or_cut(&mut self) -> Option<Frame> {
        while take_frame(&self.read).is_none() {
            if read_more(&mut self.tcp, &mut self.read).await == 0 {
                return None;
            }
        }
        self.next().await
    }

    /// The next frame, which has to be there.
    pub(crate) async fn frame(&mut self) -> Frame {
        self.next().await.expect("a frame, and not the end of the connection")
    }

    /// The next frame, a text message that is JSON.
    pub(crate) async fn hear(&mut self) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame.opcode, TEXT, "a text message was expected: {}", frame.show());
        serde_json::from_slice(&frame.payload).unwrap_or_else(|_| panic!("no JSON: {}", frame.show()))
    }

    /// The next frame, the server's close frame, by code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let frame = self.frame().await;
        assert_eq!(frame.opcode, CLOSE, "a close frame was expected: {}", frame.show());
        frame.close()
    }

    /// Like [`closed`](Self::closed), and answers as a polite client does.
    pub(crate) async fn closed_politely(&mut self) -> (u16, String) {
        let (code, reason) = self.closed().await;
        self.write(&close(code, "")).await;
        self.ended().await;
        (code, reason)
    }

    /// Waits for the end of the connection, which has to come without another frame.
    pub(crate) async fn ended(&mut self) {
        assert_eq!(self.next().await, None, "the end of the connection was expected");
    }

    /// Closes as a polite client does, and reads to the end.
    pub(crate) async fn leave(mut self) {
        self.write(&close(1000, "")).await;
        while self.next().await.is_some() {}
    }
}

impl Frame {
    /// Code and reason of a close frame; 1005 for an empty one.
    pub(crate) fn close(&self) -> (u16, String) {
        match self.payload.split_first_chunk::<2>() {
            Some((code, reason)) => {
                (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("a reason is text"))
            }
            None => (1005, String::new()),
        }
    }

    /// For messages of failed tests.
    pub(crate) fn show(&self) -> String {
        let text = String::from_utf8_lossy(&self.payload[..self.payload.len().min(200)]);
        format!("opcode {:#x}, {} bytes, {text:?}", self.opcode, self.payload.len())
    }
}

/// Opens a TCP connection.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the server listens")
}

/// Sends a request for a WebSocket and returns the answer, whatever it is.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Reply {
    super::http::exchange(address, request.as_bytes()).await
}

/// The frame at the start of `bytes` with its length; a server neither masks nor fragments.
fn take_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let [first, second, rest @ ..] = bytes else { return None };
    assert_eq!(first & 0x70, 0, "a reserved bit is set");
    assert_eq!(first & FIN, FIN, "this server sends whole messages");
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (length, rest) = match second {
        127 => rest.split_first_chunk::<8>().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
        126 => rest.split_first_chunk::<2>().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
        short => (u64::from(*short), rest),
    };
    let payload = rest.get(..usize::try_from(length).expect("a length that fits"))?;
    let taken = bytes.len() - rest.len() + payload.len();
    Some((Frame { opcode: first & 0x0f, payload: payload.to_vec() }, taken))
}
