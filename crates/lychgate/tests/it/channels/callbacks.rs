//! The application is asked about what clients do, and its word counts.

use serde_json::{Value, json};

use super::client::Client;
use super::{error, setup, told};
use crate::harness::application::SECRET;
use crate::harness::{Application, Server};

/// One rule for each question.
const CALLBACKS: &str = r#"
[endpoint.many]
on_rpc = "app"

[namespace.asked]
channel = "asked:{name:name}"
publish = "subscribers"
presence = "subscribers"
history_size = 10
on_subscribe = "app"
on_publish = "app"
policy = { rule = "any" }
"#;

async fn server(application: &Application) -> Server {
    let source = format!("[source.app]\nurl = \"{}\"\nsecret_env = \"APP_SECRET\"\n", application.url());
    setup().over(CALLBACKS).over(&source).variable("APP_SECRET", SECRET).start().await
}

/// Sends a command, has the application answer what it is asked about it, and gives that question and the reply.
async fn ask(
    client: &mut Client,
    application: &Application,
    method: &str,
    request: Value,
    answer: (u16, &str),
) -> (Value, Value) {
    let id = client.send(method, request).await;
    let call = application.call().await;
    let question = call.body.clone();
    call.answer(answer.0, answer.1).await;
    (question, client.reply(id).await)
}

#[tokio::test]
async fn a_call_is_answered_by_the_application() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let mut ann = super::enter(&server, "ann").await;
    let call = json!({ "method": "add", "data": { "a": 1.50 } });
    let (question, reply) = ask(&mut ann, &application, "rpc", call, (200, r#"{"result":{"data":{"sum":3}}}"#)).await;
    assert_eq!(reply, json!({ "rpc": { "data": { "sum": 3 } } }));
    let asked = question.as_object().expect("an object");
    assert_eq!((&asked["user"], &asked["method"]), (&json!("ann"), &json!("add")));
    assert_eq!((&asked["data"], &asked["event"]), (&json!({ "a": 1.50 }), &json!("rpc")));
    assert_eq!((&asked["transport"], &asked["protocol"]), (&json!("websocket"), &json!("json")));
    assert!(asked["client"].as_str().is_some_and(|client| client.len() == 36), "{question}");
    let nothing = ask(&mut ann, &application, "rpc", json!({ "method": "add" }), (200, "")).await;
    assert_eq!((&nothing.0["data"], nothing.1), (&Value::Null, json!({ "rpc": {} })));
}

#[tokio::test]
async fn what_the_application_refuses_is_refused_in_its_words() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let mut ann = super::enter(&server, "ann").await;
    let temporary = json!({ "error": { "code": 100, "message": "internal server error", "temporary": true } });
    for (status, answer, reply) in [
        (200, r#"{"error":{"code":1000,"message":"not yours"}}"#, error(1000, "not yours")),
        (200, r#"{"error":{"code":103,"message":"a code of the protocol"}}"#, temporary.clone()),
        (200, r#"{"result":{},"error":{"code":1000,"message":"both"}}"#, temporary.clone()),
        (200, "no json", temporary.clone()),
        (500, "{}", temporary.clone()),
        (200, r#"{"result":7}"#, temporary.clone()),
    ] {
        for (method, request) in [("rpc", json!({ "method": "x" })), ("subscribe", json!({ "channel": "asked:x" }))] {
            let (_, refused) = ask(&mut ann, &application, method, request, (status, answer)).await;
            assert_eq!(refused, reply, "{method}: {answer}");
        }
    }
    for said in [r#"{"expire_at":"soon"}"#, r#"{"b64info":"?"}"#, r#"{"override":1}"#] {
        let answer = format!("{{\"result\":{said}}}");
        let wish = json!({ "channel": "asked:x" });
        let (_, refused) = ask(&mut ann, &application, "subscribe", wish, (200, &answer)).await;
        assert_eq!(refused, temporary, "{said}");
    }
    let id = ann.send("subscribe", json!({ "channel": "asked:x" })).await;
    application.call().await.answer(200, r#"{"disconnect":{"code":4500,"reason":"go away"}}"#).await;
    assert!(id > 0);
    assert_eq!(ann.closed().await, told(4500, "go away"));
}

#[tokio::test]
async fn a_subscription_rests_on_the_word_of_the_application_as_well() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let mut ann = super::enter(&server, "ann").await;
    let wish = json!({ "channel": "asked:x", "data": { "why": "curious" } });
    let yes = (200, r#"{"result":{"info":{"rank":1}}}"#);
    let (question, reply) = ask(&mut ann, &application, "subscribe", wish, yes).await;
    assert!(reply.get("subscribe").is_some(), "{reply}");
    assert_eq!((&question["channel"], &question["data"]), (&json!("asked:x"), &json!({ "why": "curious" })));
    let there = ann.result("presence", json!({ "channel": "asked:x" })).await;
    let only = there["presence"].as_object().and_then(|all| all.values().next()).cloned();
    assert_eq!(only.expect("one")["chan_info"], json!({ "rank": 1 }));
    // Nobody is asked about a namespace that does not say so.
    ann.subscribe("chat:5").await;
    ann.publish("chat:5", json!(1)).await;
    assert_eq!(ann.data().await, json!(1));
}

#[tokio::test]
async fn a_publication_is_what_the_application_makes_of_it() {
    let application = Application::bind().await;
    let server = server(&application).await;
    let (mut ann, mut bob) = (super::enter(&server, "ann").await, super::enter(&server, "bob").await);
    for client in [&mut ann, &mut bob] {
        let (_, reply) = ask(client, &application, "subscribe", json!({ "channel": "asked:x" }), (200, "{}")).await;
        assert!(reply.get("subscribe").is_some(), "{reply}");
    }
    let said = |text: &str| json!({ "channel": "asked:x", "data": { "text": text } });
    let (question, reply) = ask(&mut ann, &application, "publish", said("as it is"), (200, "")).await;
    assert_eq!((&question["event"], reply), (&json!("publish"), json!({ "publish": {} })));
    assert_eq!(bob.data().await, json!({ "text": "as it is" }));
    let other = (200, r#"{"result":{"data":{"text":"***"},"skip_history":true}}"#);
    assert_eq!(ask(&mut ann, &application, "publish", said("rude"), other).await.1, json!({ "publish": {} }));
    assert_eq!(bob.data().await, json!({ "text": "***" }));
    let no = (200, r#"{"error":{"code":1001,"message":"too rude"}}"#);
    assert_eq!(ask(&mut ann, &application, "publish", said("ruder"), no).await.1, error(1001, "too rude"));
    let tagged = (200, r#"{"result":{"tags":{"checked":"yes"},"version":2,"version_epoch":"run"}}"#);
    assert_eq!(ask(&mut ann, &application, "publish", said("with tags"), tagged).await.1, json!({ "publish": {} }));
    let heard = bob.push().await["pub"].take();
    assert_eq!((&heard["tags"], &heard["data"]), (&json!({ "checked": "yes" }), &json!({ "text": "with tags" })));
    let late = (200, r#"{"result":{"version":1}}"#);
    assert_eq!(ask(&mut ann, &application, "publish", said("too late"), late).await.1, json!({ "publish": {} }));
    let temporary = json!({ "error": { "code": 100, "message": "internal server error", "temporary": true } });
    for unusable in [r#"{"tags":{"a":1}}"#, r#"{"tags":[]}"#, r#"{"version":-1}"#, r#"{"version":1,"version_epoch":2}"#]
    {
        let answer = format!("{{\"result\":{unusable}}}");
        let (_, reply) = ask(&mut ann, &application, "publish", said("unusable"), (200, &answer)).await;
        assert_eq!(reply, temporary, "{unusable}");
    }
    let history = bob.result("history", json!({ "channel": "asked:x", "limit": 10 })).await;
    let kept: Vec<_> = history["publications"].as_array().expect("a list").iter().map(|one| &one["data"]).collect();
    let expected = [&json!({ "text": "as it is" }), &json!({ "text": "with tags" })];
    assert_eq!(kept, expected, "neither what was not kept nor what was refused or came too late is there");
}
