//! The example is a configuration and not a case in the code: what it says otherwise, the wire says otherwise.

use serde_json::json;

use super::{behind, people, text};
use crate::harness::http::{get, post_form};
use crate::harness::token::own;
use crate::harness::{Application, Server, Wire};

#[tokio::test]
async fn other_words_in_the_file_are_other_words_on_the_wire() {
    let mut text = text();
    for (from, to) in [
        ("path = \"/ws\" ", "path = \"/live\" "),
        ("connection_id = ", "socket = "),
        ("connection_established", "hello"),
        ("[endpoint.ws.codec.in.user_message]", "[endpoint.ws.codec.in.ask]"),
        ("user_id = \"{user.id}\"", "who = \"{user.name}\""),
        ("missing = [1008, \"No token provided\"]", "missing = [4401, \"Who are you?\"]"),
        ("sub_agent_name = \"System\"", "from = \"the server\""),
        ("text_pong = \"pong\"", "text_pong = \"here\""),
        ("path = \"/api/auth/token\"", "path = \"/in\""),
        ("path = \"/api/config\"", "path = \"/where\""),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let application = Application::bind().await;
    let server = behind(&application, people(&text)).start().await;
    let mut nobody = Wire::open(server.address, "/live").await;
    assert_eq!(nobody.closed_politely().await, (4401, "Who are you?".to_owned()));
    let mut ann = Wire::open(server.address, &Server::at("/live", "1")).await;
    let hello = ann.hear().await;
    assert_eq!((&hello["type"], hello["socket"].is_string()), (&json!("hello"), true), "{hello}");
    assert_eq!(hello["connection_id"], json!(null));
    assert_eq!(ann.hear().await["type"], "ping");
    ann.say("here").await;
    ann.say("pong").await;
    let payload = json!({ "error": "Invalid message format", "from": "the server" });
    assert_eq!(ann.hear().await["payload"], payload, "the first was a sign of life, the second is none any more");
    ann.say(r#"{"type":"user_message","payload":{}}"#).await;
    assert_eq!(ann.hear().await["payload"]["error"], "Unsupported message type: user_message");
    ann.say(r#"{"type":"ask","payload":1}"#).await;
    let call = application.call().await;
    assert_eq!(call.body, json!({ "who": "ann", "email": "ann@example.com", "payload": 1 }));
    call.answer(200, r#"{"type":"told"}"#).await;
    assert_eq!(ann.hear().await["type"], "told");

    let body = "username=ann@example.com&password=seven green bottles".replace(' ', "+");
    assert_eq!(post_form(server.address, "/in", &body, "").await.status, 200);
    assert_eq!(post_form(server.address, "/api/auth/token", &body, "").await.status, 404);
    assert_eq!(get(server.address, "/where").await.status, 200);
    let old =
        crate::harness::wire::ask(server.address, &crate::harness::wire::request(&Server::at("/ws", "1"), "")).await;
    assert_eq!(old.status, 404, "the old path is nobody's: {old:?} for {}", own("1"));
}
