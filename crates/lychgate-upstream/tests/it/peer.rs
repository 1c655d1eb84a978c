//! The other side: a socket that says exactly the bytes that a test wants said.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lychgate_service::ports::clock::{Clock, SystemClock, UnixMicros};
use lychgate_upstream::callback::{BreakerLimits, CallLimits, CallSettings, RetryRules, SignedApplication};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A test that waits longer than this has failed.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it ends")
}

/// Listens on a free port.
pub(crate) struct Peer {
    listener: TcpListener,
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/here?a=b", self.listener.local_addr().unwrap())
    }

    /// The next connection and its first request.
    pub(crate) async fn accept(&self) -> Exchange {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut exchange = Exchange { stream, head: String::new(), body: Vec::new() };
        exchange.read_request().await;
        exchange
    }

    /// Whether nobody has connected since the last `accept`.
    pub(crate) async fn is_left_alone(&self) -> bool {
        use futures_util::FutureExt as _;
        // A readiness that is already there is seen only after the runtime has looked for it.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.listener.accept().now_or_never().is_none()
    }

    /// Answers one request whole.
    pub(crate) async fn answer(&self, status: u16, body: &str) -> Exchange {
        let mut exchange = self.accept().await;
        exchange.answer(status, body).await;
        exchange
    }
}

/// A port that is taken and on which nobody listens, so that no other test can be met there.
pub(crate) struct Nobody(TcpSocket);

impl Nobody {
    pub(crate) fn bind() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/here?a=b", self.0.local_addr().unwrap())
    }

    /// Now somebody does.
    pub(crate) fn listen(self) -> Peer {
        Peer { listener: self.0.listen(16).unwrap() }
    }
}

/// One connection with the request that was read from it.
pub(crate) struct Exchange {
    stream: TcpStream,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Exchange {
    pub(crate) async fn read_request(&mut self) {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert_ne!(self.stream.read_buf(&mut bytes).await.unwrap(), 0, "a whole request comes");
        };
        self.body = bytes.split_off(end + 4);
        self.head = String::from_utf8(bytes).unwrap();
        let length: usize = self.header("content-length").unwrap().parse().unwrap();
        while self.body.len() < length {
            assert_ne!(self.stream.read_buf(&mut self.body).await.unwrap(), 0, "a whole body comes");
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let value = fields.by_ref().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        assert!(fields.all(|(field, _)| !field.eq_ignore_ascii_case(name)), "{name} comes once");
        value
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Answers, and says that no other request is taken on this connection.
    pub(crate) async fn answer(&mut self, status: u16, body: &str) {
        let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        self.send(head + body).await;
    }

    /// Ends the connection without a word more; what was said before still arrives.
    pub(crate) async fn hang_up(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Waits until the other side has closed the connection.
    pub(crate) async fn gone(&mut self) {
        while !matches!(self.stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {}
    }
}

/// An answer in one chunk for each part.
pub(crate) fn chunked<'a>(content_type: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = head(content_type, "Transfer-Encoding: chunked");
    for part in parts {
        bytes.extend(chunk(part));
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

pub(crate) fn chunk(part: &[u8]) -> Vec<u8> {
    assert!(!part.is_empty(), "an empty chunk is the last one");
    [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat()
}

pub(crate) fn head(content_type: &str, field: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{field}\r\n\r\n").into_bytes()
}

/// Settings of calls to `url` with time enough.
pub(crate) fn call_settings(url: String) -> CallSettings {
    CallSettings {
        url,
        secret: SECRET.into(),
        headers: Vec::new(),
        limits: CallLimits { timeout: Duration::from_secs(15), ..CallLimits::default() },
        breaker: BreakerLimits::default(),
        retries: RetryRules::default(),
    }
}

pub(crate) fn application(settings: &CallSettings) -> SignedApplication {
    SignedApplication::new(settings, Arc::new(SystemClock)).unwrap()
}

/// A clock that stands still.
pub(crate) struct Stopped(pub(crate) u64);

impl Clock for Stopped {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0 * 1_000_000 + 999_999)
    }
}
