//! The application behind the server: its calls are checked, and answered by hand.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::token::now;
use super::wait::within;

/// What calls are signed with.
pub(crate) const SECRET: &str = "what the application knows, 51c07be2a9";

/// An application that answers by hand.
pub(crate) struct Application(TcpListener);

/// A call whose signature was good, and that waits for its answer.
pub(crate) struct Call {
    stream: TcpStream,
    head: String,
    pub(crate) body: Value,
}

impl Application {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// Where it is called.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/ws/messages", self.0.local_addr().expect("it listens"))
    }

    /// The next call, whose signature has to be good.
    pub(crate) async fn call(&self) -> Call {
        within("a call", self.call_if_any()).await
    }

    /// The same, however long it takes. Whoever is killed while it calls is no caller.
    pub(crate) async fn call_if_any(&self) -> Call {
        loop {
            let (stream, _) = self.0.accept().await.expect("a connection");
            if let Some(call) = Self::read(stream).await {
                return call;
            }
        }
    }

    /// A call, unless its caller goes away in the middle of it.
    async fn read(mut stream: TcpStream) -> Option<Call> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if within("a request", stream.read_buf(&mut bytes)).await.unwrap_or(0) == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let header = |name: &str| {
            let found = head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name);
            found.unwrap_or_else(|| panic!("no {name} in {head}")).1
        };
        let mut body = bytes.split_off(end + 4);
        let length: usize = header("content-length").parse().expect("a length");
        while body.len() < length {
            if within("a body", stream.read_buf(&mut body)).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        assert!(head.starts_with("POST /ws/messages HTTP/1.1\r\n"), "{head}");
        let sent_at: u64 = header("webhook-timestamp").parse().expect("seconds");
        assert!(now().abs_diff(sent_at) < 60, "a call is not an old one");
        let signed =
            [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &body].concat();
        assert_eq!(header("webhook-signature"), format!("v1,{}", hmac(&signed)));
        let body = serde_json::from_slice(&body).expect("a call is JSON");
        Some(Call { stream, head, body })
    }
}

impl From<TcpListener> for Application {
    fn from(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl Call {
    /// A header that came with it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(crate) async fn answer(mut self, status: u16, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        // An answer that is too long is not read to its end.
        let _ = within("the server to read", self.stream.write_all(format!("{head}{body}").as_bytes())).await;
    }
}

/// What others say that the signature is.
fn hmac(signed: &[u8]) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let code = jsonwebtoken::crypto::sign(signed, &key, Algorithm::HS256).expect("a key of the tests");
    STANDARD.encode(URL_SAFE_NO_PAD.decode(code).expect("base64url"))
}
