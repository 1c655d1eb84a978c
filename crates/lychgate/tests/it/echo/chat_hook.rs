//! A client of the shape of the page's chat: it comes back with backoff, and not where coming back is of no use.

use std::time::Duration;

use serde_json::Value;

use super::chat::{CHAT, question};
use super::{Echo, at, echo, echo_over};
use crate::harness::Client;

/// `useChat`: what it shows, and when it would connect again.
struct Chat {
    socket: Client,
    context: Option<Value>,
    answer: String,
    error: Option<String>,
    attempts: u32,
}

const ATTEMPTS_MAX: u32 = 5;

/// 1, 2, 4, 8 and 16 seconds, 30 at most; no more after five, and none where the code says that it is of no use.
fn comes_back_in(code: u16, attempts: u32) -> Option<Duration> {
    let stops = [4001, 4002, 1000, 1001].contains(&code) || attempts >= ATTEMPTS_MAX;
    (!stops).then(|| Duration::from_secs(2u64.pow(attempts).min(30)))
}

impl Chat {
    async fn connect(echo: &Echo, target: &str) -> Self {
        let socket = Client::open(echo.server.address, target).await;
        Self { socket, context: None, answer: String::new(), error: None, attempts: 0 }
    }

    /// `onmessage` and `onclose`; the end, if that is what came.
    async fn event(&mut self) -> Option<u16> {
        let frame = match self.socket.hear_or_closed().await {
            Ok(frame) => frame,
            Err((code, _)) => return Some(code),
        };
        match frame["type"].as_str() {
            Some("context") => {
                // It has been let in, so it counts from the beginning.
                self.attempts = 0;
                self.context = Some(frame);
            }
            Some("token") => self.answer.push_str(frame["content"].as_str().expect("a token has content")),
            Some("complete") => self.answer.push('\n'),
            Some("error") => self.error = Some(frame["message"].as_str().expect("an error has a message").to_owned()),
            _ => panic!("the page knows no such frame: {frame}"),
        }
        None
    }
}

#[tokio::test]
async fn it_shows_context_tokens_and_errors() {
    let echo = echo().await;
    let mut chat = Chat::connect(&echo, &at(CHAT, "1")).await;
    assert_eq!(chat.event().await, None);
    assert_eq!(chat.context.as_ref().expect("a context")["scope"], "journal");
    chat.socket.say(&question("What did I see?")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["The ", "sea."]).await;
    asked.ends().await;
    for _ in 0..3 {
        assert_eq!(chat.event().await, None);
    }
    assert_eq!(chat.answer, "The sea.\n");
    chat.socket.say(&question(&"x".repeat(2_001))).await;
    assert_eq!(chat.event().await, None);
    assert_eq!(chat.error.as_deref(), Some("\"content\" is longer than 2000 characters"));
}

#[tokio::test]
async fn it_stops_where_coming_back_is_of_no_use() {
    let mut echo = echo_over("[source.journal]\ntimeout = \"2s\"\n").await;
    for (case, target, code) in [
        ("no token", CHAT.to_owned(), 4001),
        ("a bad one", format!("{CHAT}?token=undefined"), 4001),
        ("nobody", at(CHAT, "99"), 4002),
        ("disabled", at(CHAT, "3"), 4002),
    ] {
        let mut chat = Chat::connect(&echo, &target).await;
        assert_eq!(chat.event().await, Some(code), "{case}");
        assert_eq!(comes_back_in(code, chat.attempts), None, "{case}");
    }
    // While the journal is away it comes back, later each time; five times in all.
    echo.journal.0.stop();
    let mut waits = Vec::new();
    let mut attempts = 0;
    loop {
        let mut chat = Chat::connect(&echo, &at(CHAT, "1")).await;
        assert_eq!(chat.event().await, Some(1011));
        let Some(wait) = comes_back_in(1011, attempts) else { break };
        waits.push(wait.as_secs());
        attempts += 1;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16]);
    echo.journal.0.restart();
    let mut chat = Chat::connect(&echo, &at(CHAT, "1")).await;
    assert_eq!((chat.event().await, chat.context.is_some()), (None, true), "it is back");
}
