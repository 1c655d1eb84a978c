//! A language model: what it is asked is shown, and what it says is said by hand.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::wait::within;

/// A model that waits to be asked.
pub(crate) struct Model(TcpListener);

/// A question that is being answered.
pub(crate) struct Asked {
    stream: TcpStream,
    /// The path that was asked.
    pub(crate) path: String,
    /// What was asked.
    pub(crate) body: Value,
}

impl Model {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it listens")
    }

    /// Where it is asked as Ollama is, to be laid over an example whose source is called `model`.
    pub(crate) fn source(&self) -> String {
        format!("[source.model]\nurl = \"http://{}/api/generate\"\n", self.address())
    }

    /// The next question.
    pub(crate) async fn asked(&self) -> Asked {
        let (mut stream, _) = within("a question", self.0.accept()).await.expect("a connection");
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert_ne!(within("a request", stream.read_buf(&mut bytes)).await.expect("bytes"), 0);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = bytes.split_off(end + 4);
        while body.len() < length.expect("a length") {
            assert_ne!(within("a body", stream.read_buf(&mut body)).await.expect("bytes"), 0);
        }
        let path = head.split(' ').nth(1).expect("a request line").to_owned();
        Asked { stream, path, body: serde_json::from_slice(&body).expect("a question is JSON") }
    }
}

impl Asked {
    /// Writes these bytes as they are.
    pub(crate) async fn write(&mut self, text: &str) {
        // Whoever asked may be gone.
        let _ = within("the server to read", self.stream.write_all(text.as_bytes())).await;
    }

    /// Answers with a status, and whatever follows until it hangs up.
    pub(crate) async fn begins(&mut self, status: u16, content_type: &str) {
        self.write(&format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: {content_type}\r\n\r\n")).await;
    }

    /// Begins to speak as Ollama does, and says these.
    pub(crate) async fn says(&mut self, tokens: &[&str]) {
        self.begins(200, "application/x-ndjson").await;
        self.goes_on(tokens).await;
    }

    /// Says more, each token a line of its own.
    pub(crate) async fn goes_on(&mut self, tokens: &[&str]) {
        for token in tokens {
            self.write(&format!("{}\n", json!({ "response": token, "done": false }))).await;
        }
    }

    /// Says that this was all.
    pub(crate) async fn ends(mut self) {
        self.write("{\"response\":\"\",\"done\":true}\n").await;
    }

    /// Waits until the one who asked has hung up.
    pub(crate) async fn hung_up(mut self) {
        let mut byte = [0];
        // A reset is as good as an end.
        let read = within("the end of the request", self.stream.read(&mut byte)).await;
        assert!(matches!(read, Ok(0) | Err(_)), "nothing more is said to a model");
    }
}
