//! What the application is asked about rights, and that nothing but a clear yes lets anybody in.

use std::sync::Arc;

use lychgate_service::ports::rights::{Answer, Parameter, Question, Relation, Rights as _, RightsError};
use lychgate_upstream::rights::ApplicationRights;
use serde_json::{Map, Value, json};

use crate::peer::{Nobody, Peer, application, call_settings, within};

pub(crate) fn question(resource: &str) -> Question {
    Question {
        relation: Relation::Owner,
        resource: resource.to_owned(),
        user: "7".to_owned(),
        parameters: vec![
            ("entry".to_owned(), Parameter::Integer(5)),
            ("query.room".to_owned(), Parameter::Text("héllo".to_owned())),
        ],
    }
}

fn granted(attributes: Value) -> Answer {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    Answer::Granted(attributes)
}

async fn asked(status: u16, body: &str) -> Result<Answer, RightsError> {
    let peer = Peer::bind().await;
    let rights = ApplicationRights::new(Arc::new(application(&call_settings(peer.url()))));
    let question = question("entry:5");
    within(async { tokio::join!(rights.ask(&question), peer.answer(status, body)) }).await.0
}

#[tokio::test]
async fn the_application_is_asked_in_words_of_its_own() {
    let peer = Peer::bind().await;
    let rights = ApplicationRights::new(Arc::new(application(&call_settings(peer.url()))));
    for (relation, word) in [(Relation::Owner, "owner"), (Relation::Member, "member")] {
        let question = Question { relation, ..question("entry:5") };
        let answer = r#"{"allowed": true, "attributes": {"content": "x"}}"#;
        let (heard, exchange) = within(async { tokio::join!(rights.ask(&question), peer.answer(200, answer)) }).await;
        assert_eq!(heard.unwrap(), granted(json!({"content": "x"})));
        let said: Value = serde_json::from_slice(&exchange.body).unwrap();
        let expected = json!({
            "event": "rights",
            "relation": word,
            "resource": "entry:5",
            "user": "7",
            "parameters": {"entry": 5, "query.room": "héllo"},
        });
        assert_eq!(said, expected);
        assert!(exchange.header("webhook-signature").is_some());
    }
}

#[tokio::test]
async fn clear_answers_are_understood() {
    for (status, body, expected) in [
        (200, r#"{"allowed": true}"#, Answer::Granted(Map::new())),
        (200, r#"{"allowed": true, "exists": true, "attributes": {"a": [1]}}"#, granted(json!({"a": [1]}))),
        (200, r#"{"allowed": true, "exists": null, "attributes": null, "more": 1}"#, Answer::Granted(Map::new())),
        (200, r#"{"allowed": false}"#, Answer::Foreign),
        (200, r#"{"allowed": false, "exists": true}"#, Answer::Foreign),
        (200, r#"{"allowed": false, "attributes": {"a": 1}}"#, Answer::Foreign),
        (200, r#"{"allowed": false, "exists": false}"#, Answer::Absent),
        (403, "no", Answer::Foreign),
        (403, r#"{"allowed": true}"#, Answer::Foreign),
        (404, "", Answer::Absent),
        (404, r#"{"allowed": true}"#, Answer::Absent),
    ] {
        assert_eq!(asked(status, body).await.unwrap(), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn an_unclear_answer_is_broken_and_no_answer_unavailable() {
    for (status, body) in [
        (200, ""),
        (200, "null"),
        (200, "true"),
        (200, "[true]"),
        (200, "{}"),
        (200, "<html>"),
        (200, r#"{"allowed": "true"}"#),
        (200, r#"{"allowed": 1}"#),
        (200, r#"{"allowed": null}"#),
        (200, r#"{"Allowed": true}"#),
        (200, r#"{"allowed": true"#),
        (200, r#"{"allowed": true} {}"#),
        (200, r#"{"allowed": true, "exists": false}"#),
        (200, r#"{"allowed": true, "exists": 1}"#),
        (200, r#"{"allowed": true, "attributes": []}"#),
        (200, r#"{"allowed": false, "exists": "no"}"#),
        (204, ""),
        (302, r#"{"allowed": true}"#),
        (400, r#"{"allowed": true}"#),
        (401, r#"{"allowed": true}"#),
    ] {
        let heard = asked(status, body).await;
        assert!(matches!(heard, Err(RightsError::Broken(_))), "{status} {body}: {heard:?}");
    }
    for status in [408, 429, 500, 502, 503] {
        let heard = asked(status, r#"{"allowed": true}"#).await;
        assert!(matches!(heard, Err(RightsError::Unavailable(_))), "{status}: {heard:?}");
    }
    let nobody = Nobody::bind();
    let rights = ApplicationRights::new(Arc::new(application(&call_settings(nobody.url()))));
    let heard = within(rights.ask(&question("entry:5"))).await;
    assert!(matches!(heard, Err(RightsError::Unavailable(_))), "{heard:?}");
}
