//! The application behind the sockets: what it is asked, and who hears its answers.

use serde_json::json;

use super::{behind, enter, example};
use crate::harness::http::post;
use crate::harness::token::own;
use crate::harness::{Application, Wire};

pub(super) fn message(text: &str) -> String {
    json!({ "type": "user_message", "payload": { "text": text, "references": [] } }).to_string()
}

pub(super) async fn say(wire: &mut Wire, text: &str) {
    wire.say(&message(text)).await;
}

#[tokio::test]
async fn a_user_message_is_forwarded_and_answered_to_all_sockets_of_that_user_alone() {
    let application = Application::bind().await;
    let server = behind(&application, example()).start().await;
    let mut ann = enter(&server, "1").await;
    let mut ann_too = enter(&server, "1").await;
    let mut bob = enter(&server, "2").await;
    // Two users, interleaved: both are asked for before either is answered, and the later one is answered first.
    for round in 0..5 {
        let (of_ann, of_bob) = (format!("ann {round}"), format!("bob {round}"));
        say(&mut ann, &of_ann).await;
        let first = application.call().await;
        say(&mut bob, &of_bob).await;
        let second = application.call().await;
        let payload = |text: &str| json!({ "text": text, "references": [] });
        let asked = json!({ "user_id": "1", "email": "ann@example.com", "payload": payload(&of_ann) });
        assert_eq!(first.body, asked);
        let asked = json!({ "user_id": "2", "email": "bob@example.com", "payload": payload(&of_bob) });
        assert_eq!(second.body, asked);
        let answer = |text: &str| json!({ "type": "agent_completed", "payload": { "result": text } });
        second.answer(200, &answer(&of_bob).to_string()).await;
        assert_eq!(bob.hear().await, answer(&of_bob));
        first.answer(200, &answer(&of_ann).to_string()).await;
        assert_eq!(ann.hear().await, answer(&of_ann), "the next thing that Ann hears is her own");
        assert_eq!(ann_too.hear().await, answer(&of_ann), "on every socket of hers");
    }
}

#[tokio::test]
async fn what_a_client_says_of_itself_does_not_reach_the_application_as_identity() {
    let application = Application::bind().await;
    let server = behind(&application, example()).start().await;
    let mut ann = enter(&server, "1").await;
    let forged = json!({ "type": "user_message", "user_id": "2", "user": "bob", "payload": { "user_id": "2" } });
    ann.say(&forged.to_string()).await;
    let call = application.call().await;
    assert_eq!(call.body, json!({ "user_id": "1", "email": "ann@example.com", "payload": { "user_id": "2" } }));
    call.answer(200, r#"{"type":"done"}"#).await;
    assert_eq!(ann.hear().await, json!({ "type": "done", "payload": null }));
}

#[tokio::test]
async fn an_application_may_answer_nothing_and_publish_later() {
    let application = Application::bind().await;
    let server = behind(&application, example()).start().await;
    let mut ann = enter(&server, "1").await;
    let mut ann_too = enter(&server, "1").await;
    let mut bob = enter(&server, "2").await;
    say(&mut ann, "think about it").await;
    application.call().await.answer(204, "").await;
    let publish = async |token: &str, text: &str| {
        let headers = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        post(server.address, "/api/ws/publish", text, &headers).await
    };
    let frame = json!({ "type": "agent_thinking", "payload": { "thought": "hm" } });
    for (case, token) in [("nobody", String::new()), ("rubbish", "rubbish".to_owned()), ("cleo is disabled", own("3"))]
    {
        let refused = publish(&token, &frame.to_string()).await;
        assert!(matches!(refused.status, 401 | 403), "{case}: {refused:?}");
    }
    assert_eq!(publish(&own("1"), "no JSON").await.status, 400);
    assert_eq!(publish(&own("1"), &frame.to_string()).await.status, 202);
    assert_eq!(ann.hear().await, frame);
    assert_eq!(ann_too.hear().await, frame);
    let other = json!({ "type": "agent_thinking", "payload": { "thought": "of Bob" } });
    assert_eq!(publish(&own("2"), &other.to_string()).await.status, 202);
    assert_eq!(bob.hear().await, other, "Bob hears no more than his own");
}
