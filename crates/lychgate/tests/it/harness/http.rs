//! HTTP by hand: the bytes that a test writes are the bytes that the server gets.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::within;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What came behind it.
    pub(crate) rest: Vec<u8>,
}

impl Reply {
    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The stable code of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Writes `request` and reads the answer.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    let mut tcp = TcpStream::connect(address).await.expect("the server listens");
    // A server that has heard enough may answer before the end.
    let _ = tcp.write_all(request).await;
    reply(&mut tcp).await.expect("an answer")
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n").as_bytes()).await
}

/// Posts a form, with more headers, a line each.
pub(crate) async fn post_form(address: SocketAddr, path: &str, body: &str, headers: &str) -> Reply {
    post(address, path, body, &format!("content-type: application/x-www-form-urlencoded\r\n{headers}")).await
}

/// Posts `body` with these headers, a line each.
pub(crate) async fn post(address: SocketAddr, path: &str, body: &str, headers: &str) -> Reply {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
    exchange(address, format!("{head}{body}").as_bytes()).await
}

/// Fields as a browser sends them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

fn escape(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Reads one answer, `None` if the server hangs up without one.
pub(crate) async fn reply(from: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if read_more(from, &mut bytes).await == 0 {
            assert_eq!(bytes, b"", "the server hung up in the middle of a head");
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
    let split = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Vec<(String, String)> = lines.filter_map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        assert!(read_more(from, &mut body).await > 0, "the server hung up in the middle of a body");
    }
    let rest = body.split_off(length);
    Some(Reply { status, headers, body, rest })
}

/// Reads once; 0 when the connection is over, however it ended.
pub(crate) async fn read_more(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> usize {
    within("bytes from the server", from.read_buf(into)).await.unwrap_or(0)
}
