//! The chat: a question, the model's words as `token`, and `complete`; its limits, and what it is about.

use serde_json::{Value, json};

use super::{Echo, at, echo, told};
use crate::harness::Wire;

pub(super) const CHAT: &str = "/chat/ws/chat";

pub(super) fn question(content: &str) -> String {
    json!({ "type": "chat_message", "content": content }).to_string()
}

pub(super) fn word(content: &str) -> Value {
    json!({ "type": "token", "content": content })
}

pub(super) fn complete() -> Value {
    json!({ "type": "complete" })
}

pub(super) fn error(message: &str) -> Value {
    json!({ "type": "error", "message": message })
}

impl Echo {
    /// A socket of the chat that has heard what it is about.
    pub(super) async fn talk(&self, sub: &str) -> Wire {
        let mut wire = self.open(CHAT, sub).await;
        assert_eq!(wire.hear().await["type"], "context");
        wire
    }
}

#[tokio::test]
async fn a_question_is_answered_by_tokens_and_complete_to_the_one_who_asked() {
    let echo = echo().await;
    let mut ann = echo.talk("1").await;
    let mut ann_too = echo.talk("1").await;
    for round in 0..2 {
        ann.say(&question("What did I see?")).await;
        let mut asked = echo.model.asked().await;
        assert_eq!(asked.body["prompt"], "Answer the one who wrote this journal.\n\n\n\nWhat did I see?");
        assert_eq!((&asked.body["model"], &asked.body["stream"]), (&json!("llama3.1:8b"), &json!(true)));
        asked.says(&[]).await;
        for token in ["The", " sea", "{chunk}", "\"", "."] {
            asked.goes_on(&[token]).await;
            assert_eq!(ann.hear().await, word(token), "round {round}");
        }
        asked.ends().await;
        assert_eq!(ann.hear().await, complete());
    }
    // Nobody else hears of it, be it the same user; and what a client says of itself changes nothing.
    ann_too.say(&json!({ "type": "chat_message", "content": "And I?", "user_id": 2, "model": "x" }).to_string()).await;
    let mut asked = echo.model.asked().await;
    assert_eq!(asked.body["model"], "llama3.1:8b");
    asked.says(&["you"]).await;
    assert_eq!(ann_too.hear().await, word("you"), "the first thing that the other socket hears is its own");
    asked.ends().await;
    assert_eq!(ann_too.hear().await, complete());
    assert_eq!(echo.counted("lychgate_answers_total", &[("endpoint", "chat"), ("end", "completed")]).await, 3);
    assert_eq!(echo.counted("lychgate_answer_runs", &[]).await, 0);
    assert!(!echo.server.log().text().contains("What did I see"), "questions are not in the log");
}

#[tokio::test]
async fn the_context_is_the_journal_or_an_entry_of_ones_own() {
    let echo = echo().await;
    let mut all = echo.open(CHAT, "1").await;
    let recent = json!([{ "id": 11, "title": "Rain" }, { "id": 10, "title": "Sea" }]);
    let context =
        json!({ "type": "context", "scope": "journal", "reflection": null, "entry": null, "related_entries": recent });
    assert_eq!(all.hear().await, context);
    let mut one = echo.open(&format!("{CHAT}?entry_id=10"), "1").await;
    let entry = json!({ "id": 10, "title": "Sea" });
    let related = json!([{ "id": 11, "title": "Rain" }]);
    let context =
        json!({ "type": "context", "scope": "entry", "reflection": null, "entry": entry, "related_entries": related });
    assert_eq!(one.hear().await, context);
    one.say(&question("Why?")).await;
    let asked = echo.model.asked().await;
    assert_eq!(asked.body["prompt"], "Answer the one who wrote this journal.\n\nI saw the sea.\n\nWhy?");
    for (case, target, code, reason) in [
        ("foreign", at(&format!("{CHAT}?entry_id=20"), "1"), 4003, "Not authorized"),
        ("not there", at(&format!("{CHAT}?entry_id=999"), "1"), 4003, "Not authorized"),
        ("deleted", at(&format!("{CHAT}?entry_id=12"), "1"), 4003, "Not authorized"),
        ("no number", at(&format!("{CHAT}?entry_id=x"), "1"), 4004, "Entry not found"),
        ("nobody", CHAT.to_owned(), 4001, "Missing authentication token"),
        ("no id", at(CHAT, "ann"), 4001, "Invalid user ID"),
        ("unknown", at(CHAT, "99"), 4002, "User not found or inactive"),
        ("inactive", at(CHAT, "3"), 4002, "User not found or inactive"),
    ] {
        assert_eq!(echo.told(&target).await, told(code, reason), "{case}");
    }
}

#[tokio::test]
async fn what_is_too_long_too_often_or_no_question_is_told_by_an_error_frame() {
    let echo = echo().await;
    let mut ann = echo.talk("1").await;
    for (case, frame, message) in [
        ("no JSON", "hello".to_owned(), None),
        ("a list", "[]".to_owned(), None),
        ("another type", r#"{"type":"sing"}"#.to_owned(), Some("Unsupported message type: sing")),
        ("no content", r#"{"type":"chat_message"}"#.to_owned(), Some("\"content\" is missing")),
        ("a number", r#"{"type":"chat_message","content":7}"#.to_owned(), Some("\"content\" is no text")),
        ("2001 characters", question(&"é".repeat(2001)), Some("\"content\" is longer than 2000 characters")),
    ] {
        ann.say(&frame).await;
        let said = ann.hear().await;
        assert_eq!(said["type"], "error", "{case}");
        assert!(message.is_none_or(|message| said == error(message)), "{case}: {said}");
    }
    ann.say(&question("  \n ")).await;
    // Nothing follows from a blank one, and none of these has used up a turn.
    let longest = "é".repeat(2000);
    for n in 0..10 {
        ann.say(&question(if n == 0 { &longest } else { "again" })).await;
        let mut asked = echo.model.asked().await;
        asked.says(&["so"]).await;
        asked.ends().await;
        assert_eq!((ann.hear().await, ann.hear().await), (word("so"), complete()), "{n}");
    }
    for _ in 0..3 {
        ann.say(&question("once more")).await;
        assert_eq!(ann.hear().await, error("Too many messages. Please wait before sending another."));
    }
    assert_eq!(echo.counted("lychgate_messages_refused_total", &[("reason", "rule_rate")]).await, 3);
    // The count is the connection's own: the next one has its ten.
    let mut ann = echo.talk("1").await;
    ann.say(&question("and now?")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["yes"]).await;
    assert_eq!(ann.hear().await, word("yes"));
}

#[tokio::test]
async fn a_second_question_waits_for_the_answer_to_the_first() {
    let echo = echo().await;
    let mut ann = echo.talk("1").await;
    let mut bob = echo.talk("2").await;
    ann.say(&question("first")).await;
    ann.say(r#"{"type":"sing"}"#).await;
    ann.say(&question("second")).await;
    let mut first = echo.model.asked().await;
    assert!(first.body["prompt"].as_str().is_some_and(|prompt| prompt.ends_with("first")));
    first.says(&["1"]).await;
    assert_eq!(ann.hear().await, word("1"));
    // Others are answered meanwhile, and the model has not been asked anything else.
    bob.say(&question("mine")).await;
    let mut mine = echo.model.asked().await;
    assert!(mine.body["prompt"].as_str().is_some_and(|prompt| prompt.ends_with("mine")));
    mine.says(&["b"]).await;
    mine.ends().await;
    assert_eq!((bob.hear().await, bob.hear().await), (word("b"), complete()));
    assert_eq!(echo.counted("lychgate_answer_runs", &[("endpoint", "chat")]).await, 1);
    first.goes_on(&["2"]).await;
    first.ends().await;
    assert_eq!((ann.hear().await, ann.hear().await), (word("2"), complete()));
    assert_eq!(ann.hear().await, error("Unsupported message type: sing"), "in its turn");
    let mut second = echo.model.asked().await;
    assert!(second.body["prompt"].as_str().is_some_and(|prompt| prompt.ends_with("second")));
    second.says(&["3"]).await;
    assert_eq!(ann.hear().await, word("3"));
}
