//! The terminal client against a server of the test's own, frame by frame.

use std::future::Future;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::Stdio;
use std::thread::JoinHandle;

use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::support::{Place, Ran};

/// A token that must be seen by the server and by nobody else.
pub(crate) const TOKEN: &str = "eyJhbGciOiJub25lIn0.SENTINEL-token.c2ln";

/// A server on a port of its own that runs `script` and hands its result back.
pub(crate) struct Server<T> {
    pub(crate) address: SocketAddr,
    script: JoinHandle<T>,
}

impl<T: Send + 'static> Server<T> {
    pub(crate) fn run<F>(script: impl FnOnce(TcpListener) -> F + Send + 'static) -> Self
    where
        F: Future<Output = T>,
    {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let script = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { script(TcpListener::from_std(listener).unwrap()).await })
        });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    pub(crate) fn result(self) -> T {
        self.script.join().unwrap()
    }
}

/// What the client asked for, and everything it sent until the end.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) close: Option<u16>,
}

pub(crate) async fn accept(stream: TcpStream, seen: &mut Seen) -> WebSocketStream<TcpStream> {
    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        seen.target = request.uri().to_string();
        seen.authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        Ok(response)
    };
    accept_hdr_async(stream, look).await.unwrap()
}

/// Answers each text with `answer` of it, until the client closes.
pub(crate) async fn converse(
    socket: &mut WebSocketStream<TcpStream>,
    seen: &mut Seen,
    answer: impl Fn(&str) -> Option<String>,
) {
    while let Some(Ok(frame)) = socket.next().await {
        match frame {
            Message::Text(text) => {
                seen.texts.push(text.as_str().to_owned());
                if let Some(answer) = answer(&text) {
                    socket.send(Message::text(answer)).await.unwrap();
                }
            }
            Message::Close(frame) => seen.close = frame.map(|frame| frame.code.into()),
            _ => {}
        }
    }
}

fn answering(answer: fn(&str) -> Option<String>) -> Server<Seen> {
    Server::run(move |listener| async move {
        let mut seen = Seen::default();
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept(stream, &mut seen).await;
        converse(&mut socket, &mut seen, answer).await;
        seen
    })
}

fn echo(text: &str) -> Option<String> {
    Some(format!("re: {text}"))
}

fn silence(_: &str) -> Option<String> {
    None
}

/// Closes with this code and reason as soon as somebody is there, and gives the code of the answer.
fn closing(code: u16, reason: &'static str) -> Server<Option<u16>> {
    Server::run(move |listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept(stream, &mut Seen::default()).await;
        socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.unwrap();
        let mut answer = None;
        while let Some(Ok(frame)) = socket.next().await {
            if let Message::Close(frame) = frame {
                answer = frame.map(|frame| frame.code.into());
            }
        }
        answer
    })
}

fn events(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_pipe_is_sent_line_by_line_and_each_answer_is_shown() {
    let server = answering(echo);
    let place = Place::with(&[("token.txt", &format!("{TOKEN}\n"))]);
    let ran = place.feed("one\n\ntwo", &["connect", &server.url(), "--token-file", "token.txt"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("re: one\nre: two\n", ""));
    let seen = server.result();
    assert_eq!(seen.texts, ["one", "two"]);
    assert_eq!(seen.target, format!("/ws?token={TOKEN}"));
    assert_eq!((seen.authorization, seen.close), (None, Some(1000)));
}

#[test]
fn a_token_goes_where_it_is_asked_to_go() {
    let place = Place::new();
    let token = TOKEN;
    type Expected = (String, Option<String>);
    let cases: [(&[&str], bool, Expected); 5] = [
        (&["--token", token], false, (format!("/ws?a=b&token={token}"), None)),
        (&["--token", "a&b=c d"], false, ("/ws?a=b&token=a%26b%3Dc%20d".to_owned(), None)),
        (
            &["--token", token, "--token-place", "query:access_token"],
            false,
            (format!("/ws?a=b&access_token={token}"), None),
        ),
        (&["--token-place", "header"], true, ("/ws?a=b".to_owned(), Some(format!("Bearer {token}")))),
        (&[], false, ("/ws?a=b".to_owned(), None)),
    ];
    for (arguments, in_environment, expected) in cases {
        let server = answering(echo);
        let url = format!("{}?a=b", server.url());
        let mut command = place.command(&[&["connect", &url], arguments].concat());
        if in_environment {
            command.env("LYCHGATE_TOKEN", token);
        }
        let ran = Ran::of(command.spawn().unwrap()).expect(0);
        assert!(!ran.says("SENTINEL"), "{}{}", ran.out, ran.err);
        let seen = server.result();
        assert_eq!((seen.target, seen.authorization), expected);
    }
    place.run(&["connect", "ws://127.0.0.1:1/ws", "--token", token, "--user", "alice"]).expect(2);
    place.run(&["connect", "ws://127.0.0.1:1/ws", "--token-file", "gone.txt"]).expect(2);
}

#[test]
fn one_message_waits_for_one_answer() {
    let server = answering(|text| Some(text.to_owned()));
    let payload = "{\"message\":\"Hello\", \"n\":1.0}";
    let arguments = ["connect", &server.url(), "--type", "te\"st", "--payload", payload, "--json"];
    let ran = Place::new().run(&arguments).expect(0);
    let sent = format!("{{\"type\":\"te\\\"st\",\"payload\":{payload}}}");
    let events = events(&ran);
    assert_eq!(events.len(), 3, "{}", ran.out);
    assert_eq!(events[0]["event"], "open");
    assert_eq!(events[1]["text"].as_str(), Some(sent.as_str()));
    assert_eq!((&events[2]["event"], &events[2]["exit"]), (&"close".into(), &0.into()));
    assert_eq!(server.result().texts, [sent]);
    Place::new().run(&["connect", "ws://127.0.0.1:1/", "--type", "x", "--payload", "{no"]).expect(2);
}

#[test]
fn an_answer_that_does_not_come_has_an_exit_code() {
    for (wait, code) in [("50ms", 6), ("0s", 0)] {
        let server = answering(silence);
        let ran = Place::new().feed("one\n", &["connect", &server.url(), "--wait", wait]).expect(code);
        assert_eq!(ran.err.contains("no answer came in time"), code == 6, "{}", ran.err);
        let seen = server.result();
        assert_eq!((seen.texts.as_slice(), seen.close), (&["one".to_owned()][..], Some(1000)));
    }
}

#[test]
fn what_arrives_after_our_close_is_shown() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::run(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept(stream, &mut Seen::default()).await;
        let stream = socket.get_mut();
        // A masked text of three bytes and a masked close with a code: nine and eight bytes.
        let mut both = [0; 17];
        stream.read_exact(&mut both).await.unwrap();
        assert_eq!([both[0], both[9]], [0x81, 0x88]);
        stream.write_all(&[0x81, 2, b'o', b'k', 0x88, 2, 0x03, 0xE8]).await.unwrap();
    });
    let ran = Place::new().feed("one\n", &["connect", &server.url(), "--wait", "0s"]).expect(0);
    assert_eq!(ran.out, "ok\n");
    server.result();
}

#[test]
fn a_close_is_named_explained_and_counted() {
    let cases = [
        (1000, "", 0, "1000\n  The purpose of the connection is fulfilled.\n  Nothing to do."),
        (1008, "Invalid or expired token", 3, "1008 \"Invalid or expired token\"\n  The peer may not do this"),
        (1012, "restart", 4, "1012 \"restart\"\n  The server restarts.\n  Connect again, after a moment."),
        (1001, "", 4, "1001\n"),
        (3005, "expired", 3, "3005 \"expired\"\n  The connection's token has expired.\n  Get a new token"),
        (3504, "", 3, "3504\n  The peer has too many connections.\n  Connecting again in the same way"),
        (4001, "no", 3, "4001 \"no\"\n  A code that the application defines."),
    ];
    for (code, reason, exit, explained) in cases {
        let server = closing(code, reason);
        let ran = Place::new().run(&["connect", &server.url(), "--listen", "--token", TOKEN]).expect(exit);
        assert!(ran.err.contains(&format!("the server closed the connection: {explained}")), "{}", ran.err);
        assert!(!ran.says("SENTINEL"));
        assert_eq!(server.result(), Some(code), "the close is answered");
    }
    let server = closing(1008, "no");
    let ran = Place::new().run(&["connect", &server.url(), "--listen", "--json"]).expect(3);
    let close = &events(&ran)[1];
    assert_eq!((&close["code"], &close["name"], &close["reason"]), (&1008.into(), &"policy".into(), &"no".into()));
    assert_eq!(ran.err, "");
}

#[test]
fn a_refused_upgrade_is_explained() {
    let cases = [
        ("401 Unauthorized", 3),
        ("403 Forbidden", 3),
        ("404 Not Found", 4),
        ("503 Service Unavailable", 4),
        ("200 OK", 4),
    ];
    for (status, exit) in cases {
        let server = Server::run(move |listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            answer_http(stream, status, "", "no").await;
        });
        let ran = Place::new().run(&["connect", &server.url(), "--listen", "--token", TOKEN]).expect(exit);
        assert!(ran.err.contains(&format!("HTTP {status}")), "{}", ran.err);
        assert!(!ran.says("SENTINEL"), "{}", ran.err);
        server.result();
    }
}

/// Reads a request without judging it, answers it, and gives what was read.
pub(crate) async fn answer_http(stream: TcpStream, status: &str, headers: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = stream;
    let mut read = Vec::new();
    loop {
        let mut some = [0; 1024];
        let count = stream.read(&mut some).await.unwrap();
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
        if count == 0 || body.len() >= length {
            break;
        }
    }
    let answer =
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    String::from_utf8(read).unwrap()
}

#[test]
fn nothing_to_connect_to_is_an_exit_code() {
    let place = Place::new();
    // A port that was free a moment ago.
    let address = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = place.run(&["connect", &format!("ws://{address}/ws"), "--listen"]).expect(4);
    assert!(ran.err.contains("is the server running?"), "{}", ran.err);
    let lost = Server::run(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        drop(accept(stream, &mut Seen::default()).await);
    });
    let ran = place.run(&["connect", &lost.url(), "--listen"]).expect(4);
    assert!(ran.err.contains("connection was lost") || ran.err.contains("without a close frame"), "{}", ran.err);
    lost.result();
    for url in ["127.0.0.1:1/ws", "http://127.0.0.1:1/ws", "ws://", "ws://u:p@h/ws"] {
        place.run(&["connect", url, "--listen"]).expect(2);
    }
}

#[test]
fn an_interrupt_closes_in_good_order() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let server = Server::run(|listener| async move {
        let mut seen = Seen::default();
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept(stream, &mut seen).await;
        socket.send(Message::text("hello")).await.unwrap();
        sender.send(()).unwrap();
        converse(&mut socket, &mut seen, silence).await;
        seen
    });
    let place = Place::new();
    let child = place.command(&["connect", &server.url(), "--listen"]).stdout(Stdio::piped()).spawn().unwrap();
    receiver.blocking_recv().unwrap();
    let mut child = child;
    // Shown means connected, and so listening for the signal.
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "hello\n");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Ran::of(child).expect(0);
    assert_eq!(server.result().close, Some(1000));
}
