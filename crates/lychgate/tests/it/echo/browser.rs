//! A real browser: a page sees each code and each reason, and a reflection as it comes.

use serde_json::json;

use super::{ENTRY, at, echo};
use crate::harness::browser::in_browser;

/// The page's hooks, without the library that draws it: the same events, the same decisions.
const HOOKS: &str = r#"
  const useReflectionStream = (url) => within(20000, url, new Promise((done) => {
    const seen = { reflection: "", wasConnected: false, code: null, reason: null };
    const ws = new WebSocket(url);
    ws.onopen = () => { seen.wasConnected = true; };
    ws.onmessage = (event) => { seen.reflection = seen.reflection + event.data; };
    ws.onclose = ({ code, reason }) => done({ ...seen, code, reason });
  }));
  const useChat = (url, base) => within(20000, url, new Promise((done) => {
    const seen = { codes: [], context: null };
    const connect = (attempt) => {
      const ws = new WebSocket(url);
      ws.onmessage = (event) => {
        const frame = JSON.parse(event.data);
        if (frame.type === "context") { seen.context = frame.scope; ws.close(1000); }
      };
      ws.onclose = ({ code }) => {
        seen.codes.push(code);
        if ([4001, 4002, 1000, 1001].includes(code) || attempt >= 5) return done(seen);
        setTimeout(() => connect(attempt + 1), Math.min(base * 2 ** attempt, 30 * base));
      };
    };
    connect(0);
  }));
"#;

#[tokio::test]
async fn a_page_sees_every_code_and_the_text_of_its_own_entry() {
    let echo = echo().await;
    let socket = |target: &str| format!("ws://{}{target}", echo.server.address);
    let streams = [
        socket(ENTRY),
        socket(&format!("{ENTRY}?token=undefined")),
        socket(&at(ENTRY, "ann")),
        socket(&at(ENTRY, "3")),
        socket(&at(ENTRY, "2")),
        socket(&at("/ws/reflections/999", "1")),
        socket(&at(ENTRY, "1")),
    ];
    let chats =
        [socket("/chat/ws/chat?token=bad"), socket(&at("/chat/ws/chat", "99")), socket(&at("/chat/ws/chat", "1"))];
    let steps = format!(
        "{HOOKS}
         const streams = [];
         for (const url of {}) streams.push(await useReflectionStream(url));
         const chats = [];
         for (const url of {}) chats.push(await useChat(url, 20));
         return {{ streams, chats }};",
        json!(streams),
        json!(chats)
    );
    let model = async {
        let mut asked = echo.model.asked().await;
        asked.says(&["You ", "saw ", "the ", "sea. 🌊"]).await;
        asked.ends().await;
    };
    let (seen, ()) = tokio::join!(in_browser(&steps), model);
    let stream = |reflection: &str, code: u16, reason: &str| json!({ "reflection": reflection, "wasConnected": true, "code": code, "reason": reason });
    let wanted = json!([
        stream("", 4001, "Missing authentication token"),
        stream("", 4001, "Invalid or expired token"),
        stream("", 4001, "Invalid user ID"),
        stream("", 4002, "User not found or inactive"),
        stream("", 4003, "Not authorized"),
        stream("", 4004, "Entry not found"),
        stream("You saw the sea. 🌊", 1000, ""),
    ]);
    assert_eq!(seen["streams"], wanted);
    let chat = |codes: &[u16], context: Option<&str>| json!({ "codes": codes, "context": context });
    let wanted = json!([chat(&[4001], None), chat(&[4002], None), chat(&[1000], Some("journal"))]);
    assert_eq!(seen["chats"], wanted, "no refusal is tried again");
}
