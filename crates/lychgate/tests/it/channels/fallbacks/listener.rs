//! A client without a WebSocket, by hand: it reads one answer that does not end, and speaks by requests.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::http::{self, Reply, form, read_more};
use crate::harness::{Server, token};

/// Which way a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sse,
    HttpStream,
}

impl Way {
    pub(super) const BOTH: [Self; 2] = [Self::Sse, Self::HttpStream];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::HttpStream => "http_stream",
        }
    }

    /// Its request to the endpoint `path`, with these first commands and these headers, a line each.
    pub(super) fn request(self, path: &str, first: &str, headers: &str) -> String {
        let name = self.name();
        match self {
            Self::Sse => {
                let query = form(&[("cf_connect", first)]);
                format!("GET {path}/{name}?{query} HTTP/1.1\r\nhost: gate\r\n{headers}\r\n")
            }
            Self::HttpStream => {
                let length = first.len();
                format!("POST {path}/{name} HTTP/1.1\r\nhost: gate\r\n{headers}content-length: {length}\r\n\r\n{first}")
            }
        }
    }
}

/// What the first command of a client says.
pub(super) fn connect(token: &str) -> String {
    json!({ "id": 1, "connect": { "token": token } }).to_string()
}

/// One client.
pub(super) struct Listener {
    pub(super) head: Reply,
    pub(super) session: String,
    pub(super) node: String,
    tcp: TcpStream,
    address: SocketAddr,
    way: Way,
    /// Bytes of the answer that were not looked at, with their chunks.
    raw: Vec<u8>,
    /// Bytes of the body that were not looked at.
    body: Vec<u8>,
    lines: VecDeque<Value>,
    heard: VecDeque<Value>,
    last_id: u64,
    has_ended: bool,
}

impl Listener {
    /// A client of `sub` that has connected to the endpoint `path`.
    pub(super) async fn enter(server: &Server, way: Way, path: &str, sub: &str) -> Self {
        let mut listener = Self::open(server, way, path, &connect(&token::own(sub))).await;
        listener.connected().await;
        listener
    }

    /// One whose first commands are these, and which has heard nothing.
    pub(super) async fn open(server: &Server, way: Way, path: &str, first: &str) -> Self {
        Self::over(server, TcpStream::connect(server.address).await.expect("it listens"), way, path, first, "").await
    }

    /// The same over a socket that is there, with more headers.
    pub(super) async fn over(
        server: &Server,
        mut tcp: TcpStream,
        way: Way,
        path: &str,
        first: &str,
        headers: &str,
    ) -> Self {
        tcp.write_all(way.request(path, first, headers).as_bytes()).await.expect("the server reads");
        let mut head = http::reply(&mut tcp).await.expect("an answer");
        assert_eq!(head.status, 200, "{way:?} {path}: {head:?}");
        assert_eq!(head.header("content-length"), None, "{head:?}");
        let raw = std::mem::take(&mut head.rest);
        let mut listener = Self {
            head,
            session: String::new(),
            node: String::new(),
            tcp,
            address: server.address,
            way,
            raw,
            body: Vec::new(),
            lines: VecDeque::new(),
            heard: VecDeque::new(),
            last_id: 1,
            has_ended: false,
        };
        // Nothing stands in front of the first chunk: what was taken for a body of no length is its start.
        listener.raw.splice(0..0, std::mem::take(&mut listener.head.body));
        listener
    }

    /// The result of the connect command.
    pub(super) async fn connected(&mut self) -> Value {
        let mut reply = self.reply(1).await;
        assert!(reply.get("connect").is_some(), "no session was opened: {reply}");
        let connected = reply["connect"].take();
        self.session = connected["session"].as_str().expect("a session").to_owned();
        self.node = connected["node"].as_str().expect("a node").to_owned();
        connected
    }

    /// Says something, and gives the answer to the request.
    pub(super) async fn post(&self, data: &str) -> Reply {
        self.post_with(&json!({ "session": self.session, "node": self.node, "data": data }).to_string(), "").await
    }

    /// A request to say something, with this body and more headers, a line each.
    pub(super) async fn post_with(&self, body: &str, headers: &str) -> Reply {
        http::post(self.address, "/emulation", body, &format!("content-type: application/json\r\n{headers}")).await
    }

    /// Says something that is taken.
    pub(super) async fn say(&self, data: &str) {
        let reply = self.post(data).await;
        assert_eq!((reply.status, &*reply.body), (204, &b""[..]), "{data}: {reply:?}");
    }

    /// Sends a command and gives its reply, without the id.
    pub(super) async fn ask(&mut self, method: &str, request: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.say(&json!({ "id": id, method: request }).to_string()).await;
        self.reply(id).await
    }

    /// Sends a command whose result has to be there, and gives it.
    pub(super) async fn result(&mut self, method: &str, request: Value) -> Value {
        let mut reply = self.ask(method, request.clone()).await;
        assert!(reply.get(method).is_some(), "{method} {request} is refused: {reply}");
        reply[method].take()
    }

    pub(super) async fn subscribe(&mut self, channel: &str) -> Value {
        self.result("subscribe", json!({ "channel": channel })).await
    }

    /// Nothing more has come: the answer to one more command comes first.
    pub(super) async fn hears_nothing(&mut self, case: &str) {
        let nothing = self.ask("unsubscribe", json!({ "channel": "chat:999" })).await;
        assert_eq!(nothing, json!({ "unsubscribe": {} }), "{case}");
        assert_eq!(self.heard, [] as [Value; 0], "{case}");
    }

    async fn reply(&mut self, id: u64) -> Value {
        loop {
            let mut line = self.line().await;
            if line == json!({}) {
                continue;
            }
            if line.get("push").is_some() {
                self.heard.push_back(line["push"].take());
                continue;
            }
            let object = line.as_object_mut().expect("a reply is an object");
            assert_eq!(object.remove("id"), Some(json!(id)), "the reply to {id} was expected: {line}");
            return line;
        }
    }

    /// The next push.
    pub(super) async fn push(&mut self) -> Value {
        if let Some(push) = self.heard.pop_front() {
            return push;
        }
        let mut line = self.line().await;
        assert!(line.get("push").is_some(), "a push was expected: {line}");
        line["push"].take()
    }

    /// The data of the next push, which has to be a publication.
    pub(super) async fn data(&mut self) -> Value {
        let mut push = self.push().await;
        assert!(push.get("pub").is_some(), "a publication was expected: {push}");
        push["pub"]["data"].take()
    }

    /// The next line; a ping is `{}`.
    pub(super) async fn line(&mut self) -> Value {
        match self.line_or_end().await {
            Some(line) => line,
            None => panic!("a line was expected, and the answer ended"),
        }
    }

    /// The next line, or the end of the answer.
    pub(super) async fn line_or_end(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            self.parse();
            if self.lines.is_empty() && !self.has_ended {
                assert!(read_more(&mut self.tcp, &mut self.raw).await > 0, "the answer was cut off");
                self.unchunk();
            } else if self.lines.is_empty() {
                assert_eq!(self.body, b"", "the answer ends with a whole message");
                return None;
            }
        }
    }

    /// What the last push says, behind which the answer ends and nothing is cut off.
    pub(super) async fn told(&mut self) -> (u16, String) {
        let last = self.push().await;
        let disconnect = &last["disconnect"];
        assert!(disconnect.is_object(), "a goodbye was expected: {last}");
        let code = disconnect["code"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a code");
        let reason = disconnect["reason"].as_str().unwrap_or_default().to_owned();
        assert_eq!(self.line_or_end().await, None, "nothing follows a goodbye");
        (code, reason)
    }

    /// The server has hung up in the middle of the answer.
    pub(super) async fn is_cut(&mut self) {
        while read_more(&mut self.tcp, &mut self.raw).await > 0 {}
        self.unchunk();
        assert!(!self.has_ended, "the answer came to its end");
    }

    /// The same connection carries another request.
    pub(super) async fn goes_on_with(mut self, request: &str) -> Reply {
        assert!(self.has_ended);
        self.tcp.write_all(request.as_bytes()).await.expect("the server reads");
        http::reply(&mut self.tcp).await.expect("an answer")
    }

    /// Takes whole chunks (RFC 9112 section 7.1).
    fn unchunk(&mut self) {
        while let Some(end) = self.raw.windows(2).position(|pair| pair == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.expect("the size of a chunk");
            let Some(chunk) = self.raw.get(end + 2..end + 2 + size + 2) else { return };
            assert!(chunk.ends_with(b"\r\n"));
            self.body.extend_from_slice(&chunk[..size]);
            self.has_ended |= size == 0;
            self.raw.drain(..end + 2 + size + 2);
        }
    }

    /// Takes whole messages, as the way has them.
    fn parse(&mut self) {
        self.unchunk();
        let end: &[u8] = if self.way == Way::Sse { b"\n\n" } else { b"\n" };
        while let Some(at) = self.body.windows(end.len()).position(|window| window == end) {
            let message = self.body.drain(..at + end.len()).collect::<Vec<u8>>();
            let message = std::str::from_utf8(&message).expect("text").trim_end();
            let message = match self.way {
                Way::Sse => {
                    assert!(!message.contains('\r'), "a carriage return would end the line: {message:?}");
                    message.strip_prefix("data: ").expect("an event has data")
                }
                Way::HttpStream => message,
            };
            self.lines.push_back(serde_json::from_str(message).expect("a line is JSON"));
        }
    }
}
