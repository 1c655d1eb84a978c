//! A client of the protocol by hand: JSON lines over a socket.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::harness::wire::{CLOSE, TEXT, connect, request};
use crate::harness::{Server, Wire, token};

/// One connection.
pub(super) struct Client {
    pub(super) wire: Wire,
    /// Lines of frames that were read and not looked at yet.
    lines: VecDeque<Value>,
    /// Pushes that came while a reply was waited for.
    heard: VecDeque<Value>,
    last_id: u64,
}

impl Client {
    /// A socket that has said nothing.
    pub(super) async fn open(server: &Server, target: &str) -> Self {
        Self::open_with(server, target, "").await
    }

    /// The same with more headers, a line each.
    pub(super) async fn open_with(server: &Server, target: &str, headers: &str) -> Self {
        let wire = Wire::over(connect(server.address).await, &request(target, headers), b"").await;
        Self { wire, lines: VecDeque::new(), heard: VecDeque::new(), last_id: 0 }
    }

    /// A client of `sub` that has connected.
    pub(super) async fn enter(server: &Server, path: &str, sub: &str) -> Self {
        Self::enter_with(server, path, &token::own(sub)).await
    }

    /// A client with this token that has connected.
    pub(super) async fn enter_with(server: &Server, path: &str, token: &str) -> Self {
        let mut client = Self::open(server, path).await;
        client.connect(token).await;
        client
    }

    /// Connects, and gives the result.
    pub(super) async fn connect(&mut self, token: &str) -> Value {
        let mut reply = self.ask("connect", json!({ "token": token })).await;
        assert!(reply.get("connect").is_some(), "no session was opened: {reply}");
        reply["connect"].take()
    }

    /// Sends lines as they are.
    pub(super) async fn say(&mut self, text: &str) {
        self.wire.say(text).await;
    }

    /// Sends a command and waits for nothing; gives its id.
    pub(super) async fn send(&mut self, method: &str, request: Value) -> u64 {
        self.last_id += 1;
        self.say(&json!({ "id": self.last_id, method: request }).to_string()).await;
        self.last_id
    }

    /// Sends a command and gives its reply without the id. Pushes that come meanwhile are kept for [`push`](Self::push).
    pub(super) async fn ask(&mut self, method: &str, request: Value) -> Value {
        let id = self.send(method, request).await;
        self.reply(id).await
    }

    /// The reply to `id`, without the id.
    pub(super) async fn reply(&mut self, id: u64) -> Value {
        loop {
            let mut line = self.line().await;
            if line == json!({}) {
                // A ping, which may come at any time.
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

    /// Sends a command whose result has to be there, and gives it.
    pub(super) async fn result(&mut self, method: &str, request: Value) -> Value {
        let mut reply = self.ask(method, request.clone()).await;
        assert!(reply.get(method).is_some(), "{method} {request} is refused: {reply}");
        reply[method].take()
    }

    /// Subscribes, and gives the result.
    pub(super) async fn subscribe(&mut self, channel: &str) -> Value {
        self.result("subscribe", json!({ "channel": channel })).await
    }

    /// Publishes.
    pub(super) async fn publish(&mut self, channel: &str, data: Value) {
        assert_eq!(self.result("publish", json!({ "channel": channel, "data": data })).await, json!({}));
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

    /// Nothing has been pushed: the answer to one more command comes first.
    pub(super) async fn hears_nothing(&mut self, case: &str) {
        assert_eq!(self.ask("rpc", json!({ "method": "none" })).await["error"]["code"], 108, "{case}");
        assert_eq!(self.heard, [] as [Value; 0], "{case}");
    }

    /// The next line, a ping (`{}`) among them.
    pub(super) async fn line(&mut self) -> Value {
        match self.line_or_closed().await {
            Ok(line) => line,
            Err(told) => panic!("a line was expected, and the server closed: {told:?}"),
        }
    }

    /// The next line, or the server's close.
    pub(super) async fn line_or_closed(&mut self) -> Result<Value, (u16, String)> {
        if let Some(line) = self.lines.pop_front() {
            return Ok(line);
        }
        let frame = self.wire.frame().await;
        if frame.opcode == CLOSE {
            return Err(frame.close());
        }
        assert_eq!(frame.opcode, TEXT, "lines were expected: {}", frame.show());
        let text = std::str::from_utf8(&frame.payload).expect("lines are text");
        self.lines = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        Ok(self.lines.pop_front().expect("a frame is not empty"))
    }

    /// The next line; `None` once the server is gone, in the middle of whatever it was saying.
    pub(super) async fn try_line(&mut self) -> Option<Value> {
        while self.lines.is_empty() {
            let frame = self.wire.next_or_cut().await?;
            assert_eq!(frame.opcode, TEXT, "lines were expected: {}", frame.show());
            let text = std::str::from_utf8(&frame.payload).expect("lines are text");
            self.lines = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        }
        self.lines.pop_front()
    }

    /// The server's close, behind nothing else.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        assert_eq!(self.lines, [] as [Value; 0]);
        self.wire.closed_politely().await
    }

    /// Closes as a polite client does, and reads to the end.
    pub(super) async fn leave(self) {
        self.wire.leave().await;
    }
}
