//! The example is a configuration and not a case in the code: what it says otherwise, the wire says otherwise.

use serde_json::json;

use super::{at, echo_of, piece, text, told};
use crate::harness::wire::{ask, request};

#[tokio::test]
async fn other_words_in_the_file_are_other_words_on_the_wire() {
    let mut text = text();
    for (from, to) in [
        ("path = \"/ws/reflections/{entry:int}\"", "path = \"/mirror/{entry:int}\""),
        ("path = \"/chat/ws/chat?entry_id={entry:int=0}\"", "path = \"/talk?about={entry:int=0}\""),
        ("codec.in.chat_message]", "codec.in.say]"),
        ("codec.in.chat_message.ask]", "codec.in.say.ask]"),
        ("drop_blank = \"content\"", "drop_blank = \"words\""),
        ("require = [\"content\"]", "require = [\"words\"]"),
        ("max_chars = { content = 2000 }", "max_chars = { words = 5 }"),
        ("{in.content}", "{in.words}"),
        ("chunk = { type = \"token\", content = \"{chunk}\" }", "chunk = { kind = \"bit\", text = \"{chunk}\" }"),
        ("done = { type = \"complete\" }", "done = { kind = \"all\" }"),
        ("type = \"context\", scope", "kind = \"about\", scope"),
        ("missing = [4001, \"Missing authentication token\"]", "missing = [4401, \"Who are you?\"]"),
        ("subject = [4001, \"Invalid user ID\"]", "subject = [4402, \"A number, please\"]"),
        ("not_found = [4004, \"Entry not found\"]", "not_found = [4404, \"Nothing here\"]"),
        (
            "profile = \"journal\"\n\n[endpoint.reflections.identity]",
            "profile = \"journal\"\n\n[endpoint.reflections.codec]\nchunk = { piece = \"{chunk}\" }\n\n[endpoint.reflections.identity]",
        ),
        ("[profile.journal]", "[profile.journal]\ncompleted = [4200, \"that was all\"]"),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let echo = echo_of(&text, "").await;
    assert_eq!(echo.told("/mirror/10").await, told(4401, "Who are you?"));
    assert_eq!(echo.told(&at("/mirror/10", "ann")).await, told(4402, "A number, please"));
    assert_eq!(echo.told(&at("/mirror/999", "1")).await, told(4404, "Nothing here"));
    let mut ann = echo.open("/mirror/10", "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["word"]).await;
    assert_eq!(piece(&mut ann).await, r#"{"piece":"word"}"#);
    asked.ends().await;
    assert_eq!(ann.closed_politely().await, told(4200, "that was all"));

    let mut ann = echo.open("/talk?about=10", "1").await;
    assert_eq!(ann.hear().await["kind"], "about");
    ann.say(r#"{"type":"chat_message","content":"hello"}"#).await;
    assert_eq!(ann.hear().await["message"], "Unsupported message type: chat_message");
    ann.say(r#"{"type":"say","words":"hello!"}"#).await;
    assert_eq!(ann.hear().await["message"], "\"words\" is longer than 5 characters");
    ann.say(r#"{"type":"say","words":"hello"}"#).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["hi"]).await;
    assert_eq!(ann.hear().await, json!({ "kind": "bit", "text": "hi" }));
    asked.ends().await;
    assert_eq!(ann.hear().await, json!({ "kind": "all" }));

    for old in ["/ws/reflections/10", "/chat/ws/chat"] {
        let reply = ask(echo.server.address, &request(&at(old, "1"), "")).await;
        assert_eq!(reply.status, 404, "the old path is nobody's: {reply:?}");
    }
}

#[tokio::test]
async fn a_subject_without_an_entry_of_its_own_is_told_as_a_payload_is() {
    let text = text().replace("subject = [4001, \"Invalid user ID\"]\n", "");
    let echo = echo_of(&text, "").await;
    assert_eq!(echo.told(&at("/ws/reflections/10", "ann")).await, told(4001, "Invalid token payload"));
    assert_eq!(echo.told(&at("/ws/reflections/10", "99")).await, told(4002, "User not found or inactive"));
}
