//! A client of the shape of the page's hook: it puts the text together, and goes by the code of the end.

use super::{ENTRY, Echo, at, echo, told};
use crate::harness::Client;

/// `useReflectionStream({entryId, token, enabled})` and what the page sees of it.
#[derive(Default)]
struct ReflectionStream {
    socket: Option<Client>,
    reflection: String,
    is_connected: bool,
    error: Option<String>,
    /// What the page keeps, and where it is.
    has_token: bool,
    is_at_login: bool,
}

impl ReflectionStream {
    async fn connect(&mut self, echo: &Echo, target: &str) {
        self.socket = Some(Client::open(echo.server.address, target).await);
        self.is_connected = true;
        self.has_token = true;
        self.error = None;
    }

    /// `onmessage`: `setReflection(prev => prev + event.data)`. Gives the end, if that is what came.
    async fn event(&mut self) -> Option<u16> {
        let socket = self.socket.as_mut().expect("it is connected");
        let event = socket.text_or_closed().await;
        let (code, reason) = match event {
            Ok(data) => {
                self.reflection.push_str(&data);
                return None;
            }
            Err(closed) => closed,
        };
        self.is_connected = false;
        self.socket = None;
        match code {
            1000 => {}
            4001 => {
                self.has_token = false;
                self.is_at_login = true;
            }
            _ => self.error = Some(reason),
        }
        Some(code)
    }

    async fn closed(&mut self) -> u16 {
        loop {
            if let Some(code) = self.event().await {
                return code;
            }
        }
    }
}

#[tokio::test]
async fn it_shows_the_text_as_it_grows_and_stops_at_1000() {
    let echo = echo().await;
    let mut hook = ReflectionStream::default();
    hook.connect(&echo, &at(ENTRY, "1")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&[]).await;
    let mut shown = String::new();
    for token in ["You", " saw", " the", " sea."] {
        asked.goes_on(&[token]).await;
        shown.push_str(token);
        assert_eq!(hook.event().await, None);
        assert_eq!((&hook.reflection, hook.is_connected), (&shown, true));
    }
    asked.ends().await;
    assert_eq!(hook.closed().await, 1000);
    assert_eq!((hook.reflection.as_str(), hook.is_connected, &hook.error), ("You saw the sea.", false, &None));
    assert!(hook.has_token && !hook.is_at_login);
}

#[tokio::test]
async fn it_goes_to_the_login_on_4001_and_shows_why_on_the_others() {
    let echo = echo().await;
    let error = |text: &str| Some(text.to_owned());
    for (target, code, shown, logs_in) in [
        (ENTRY.to_owned(), 4001, None, true),
        (format!("{ENTRY}?token=undefined"), 4001, None, true),
        (at(ENTRY, "ann"), 4001, None, true),
        (at(ENTRY, "99"), 4002, error("User not found or inactive"), false),
        (at(ENTRY, "2"), 4003, error("Not authorized"), false),
        (at("/ws/reflections/999", "1"), 4004, error("Entry not found"), false),
    ] {
        let mut hook = ReflectionStream::default();
        hook.connect(&echo, &target).await;
        assert_eq!(hook.closed().await, code, "{target}");
        assert_eq!((&hook.error, hook.is_at_login, hook.has_token), (&shown, logs_in, !logs_in), "{target}");
        assert_eq!(hook.reflection, "");
    }
    assert_eq!(echo.told(&at(ENTRY, "2")).await, told(4003, "Not authorized"));
}
