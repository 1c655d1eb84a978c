//! What the application gets, what its answers mean, and what one call may cost.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lychgate_service::ports::application::{Application as _, CallFault};
use lychgate_upstream::callback::{CallLimits, CallSettings, SignedApplication};
use serde_json::{Value, json};

use crate::peer::{Exchange, Nobody, Peer, SECRET, Stopped, application, call_settings, chunk, chunked, head, within};

const JSON: &str = "application/json";

/// The answer to a call, and what was called.
async fn called(
    settings: CallSettings,
    peer: &Peer,
    answer: &[u8],
    body: &Value,
) -> (Result<Value, CallFault>, Exchange) {
    let application = SignedApplication::new(&settings, Arc::new(Stopped(1_800_000_000))).unwrap();
    let answering = async {
        let mut exchange = peer.accept().await;
        exchange.send(answer).await;
        exchange
    };
    within(async { tokio::join!(application.call(body), answering) }).await
}

/// What the specification says of the signature, computed by other code than the one under test.
fn expected_signature(key: &[u8], exchange: &Exchange) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    let (id, timestamp) = (exchange.header("webhook-id").unwrap(), exchange.header("webhook-timestamp").unwrap());
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&exchange.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_call_is_signed_so_that_others_can_check_it() {
    let peer = Peer::bind().await;
    let body = json!({"event": "greeting", "name": "Zoë"});
    let decoded = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let text = "a text of thirty-two letters, ok";
    let mut ids = Vec::new();
    for (secret, key) in [(SECRET, &decoded[..]), (text, text.as_bytes())] {
        let settings = CallSettings {
            secret: secret.into(),
            headers: vec![("X-Node".to_owned(), "one".into())],
            ..call_settings(peer.url())
        };
        let (answer, exchange) = called(settings, &peer, &chunked(JSON, [&b"{\"a\":1}"[..]]), &body).await;
        assert_eq!(answer, Ok(json!({"a": 1})));
        assert!(exchange.head.starts_with("POST /here?a=b HTTP/1.1\r\n"), "{}", exchange.head);
        assert_eq!(exchange.header("content-type"), Some(JSON));
        assert_eq!(exchange.header("x-node"), Some("one"));
        assert_eq!(exchange.header("webhook-timestamp"), Some("1800000000"));
        assert_eq!(exchange.header("webhook-signature"), Some(&*expected_signature(key, &exchange)));
        assert_ne!(exchange.header("webhook-signature"), Some(&*expected_signature(b"another key", &exchange)));
        assert_eq!(serde_json::from_slice::<Value>(&exchange.body).unwrap(), body);
        ids.push(exchange.header("webhook-id").unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1], "no two calls have one id");
}

#[tokio::test]
async fn an_answer_is_json_of_a_bounded_size() {
    let limit = 20;
    let counted = |body: &str| {
        let field = format!("Content-Length: {}", body.len());
        [head(JSON, &field), body.as_bytes().to_vec()].concat()
    };
    let cut = |field: &str, rest: &[u8]| [head(JSON, field), rest.to_vec()].concat();
    let twenty = "\"234567890123456789\"";
    for (name, answer, expected) in [
        ("an object", counted("{\"a\": [1]}"), Ok(json!({"a": [1]}))),
        ("nothing", counted(""), Ok(Value::Null)),
        ("no content", b"HTTP/1.1 204 X\r\n\r\n".to_vec(), Ok(Value::Null)),
        ("null", counted("null"), Ok(Value::Null)),
        ("the limit", counted(twenty), Ok(json!("234567890123456789"))),
        ("more than the limit", counted(&format!("{twenty} ")), Err(CallFault::Malformed)),
        ("in chunks", chunked(JSON, twenty.as_bytes().chunks(3)), Ok(json!("234567890123456789"))),
        ("more in chunks", chunked(JSON, format!(" {twenty}").as_bytes().chunks(3)), Err(CallFault::Malformed)),
        ("a claim far above", cut("Content-Length: 9000000000000000000", b"{}"), Err(CallFault::Unavailable)),
        ("no JSON", counted("<html>"), Err(CallFault::Malformed)),
        ("two answers", counted("{} {}"), Err(CallFault::Malformed)),
        ("half an answer", cut("Content-Length: 9", b"{}"), Err(CallFault::Unavailable)),
        ("half a chunk", cut("Transfer-Encoding: chunked", b"9\r\n{}"), Err(CallFault::Unavailable)),
        ("no HTTP", b"hello\r\n\r\n".to_vec(), Err(CallFault::Unavailable)),
        ("an empty one", Vec::new(), Err(CallFault::Unavailable)),
    ] {
        let peer = Peer::bind().await;
        let mut settings = call_settings(peer.url());
        settings.limits.answer_bytes_max = limit;
        let application = application(&settings);
        let answering = async { peer.accept().await.send(&answer).await };
        let body = json!({});
        let (heard, ()) = within(async { tokio::join!(application.call(&body), answering) }).await;
        assert_eq!(heard, expected, "{name}");
    }
}

#[tokio::test]
async fn a_status_that_is_no_success_is_told_and_no_redirect_is_followed() {
    for status in [301, 307, 400, 401, 403, 404, 500, 503] {
        let peer = Peer::bind().await;
        let answer = format!("HTTP/1.1 {status} X\r\nLocation: {}\r\nContent-Length: 2\r\n\r\n{{}}", peer.url());
        let (heard, _open) = called(call_settings(peer.url()), &peer, answer.as_bytes(), &json!({})).await;
        assert_eq!(heard, Err(CallFault::Status(status)));
        assert!(peer.is_left_alone().await, "{status}");
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers_in_time_is_unavailable() {
    let peer = Peer::bind().await;
    let mut settings = call_settings(peer.url());
    settings.limits.timeout = Duration::from_millis(50);
    for beginning in [Vec::new(), [head(JSON, "Transfer-Encoding: chunked"), chunk(b"{")].concat()] {
        let settings = CallSettings { limits: settings.limits, ..call_settings(peer.url()) };
        let (heard, mut exchange) = called(settings, &peer, &beginning, &json!({})).await;
        assert_eq!(heard, Err(CallFault::Unavailable));
        within(exchange.gone()).await;
    }
    let nobody = Nobody::bind();
    assert_eq!(within(application(&call_settings(nobody.url())).call(&json!({}))).await, Err(CallFault::Unavailable));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::bind().await;
    let application = application(&call_settings(peer.url()));
    let answer = b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}";
    let body = json!({});
    let mut exchange = within(async {
        let answering = async {
            let mut exchange = peer.accept().await;
            exchange.send(answer).await;
            exchange
        };
        let (heard, exchange) = tokio::join!(application.call(&body), answering);
        assert_eq!(heard, Ok(json!({})));
        exchange
    })
    .await;
    let first = exchange.header("webhook-id").unwrap().to_owned();
    let again = async {
        exchange.read_request().await;
        exchange.send(answer).await;
    };
    let (heard, ()) = within(async { tokio::join!(application.call(&body), again) }).await;
    assert_eq!(heard, Ok(json!({})));
    assert_ne!(exchange.header("webhook-id"), Some(&*first));
}

#[tokio::test]
async fn a_call_waits_for_its_turn_and_no_more_wait_than_may() {
    let peer = Peer::bind().await;
    let mut settings = call_settings(peer.url());
    settings.limits = CallLimits { calls_max: 2, waiting_max: 1, ..settings.limits };
    let application = application(&settings);
    let body = json!({});
    let serving = async {
        let (mut one, mut two) = (peer.accept().await, peer.accept().await);
        assert!(peer.is_left_alone().await, "the third waits");
        assert_eq!(application.call(&body).await, Err(CallFault::Unavailable), "the fourth is refused at once");
        one.answer(200, "1").await;
        let mut three = peer.accept().await;
        two.answer(200, "1").await;
        three.answer(200, "1").await;
    };
    let calls = join_all((0..3).map(|_| application.call(&body)));
    let (heard, ()) = within(async { tokio::join!(calls, serving) }).await;
    assert_eq!(heard, [Ok(json!(1)), Ok(json!(1)), Ok(json!(1))]);
    let (heard, _) = within(async { tokio::join!(application.call(&body), peer.answer(200, "2")) }).await;
    assert_eq!(heard, Ok(json!(2)), "the control: all places are free again");
}

#[tokio::test]
async fn a_call_does_not_wait_for_ever() {
    let peer = Peer::bind().await;
    let mut settings = call_settings(peer.url());
    settings.limits = CallLimits { calls_max: 1, timeout: Duration::from_millis(100), ..settings.limits };
    let application = application(&settings);
    let body = json!({});
    // The first two are made and time out one after the other; the third gives up before its turn.
    let serving = async { (peer.accept().await, peer.accept().await) };
    let calls = join_all((0..3).map(|_| application.call(&body)));
    let (heard, _held) = within(async { tokio::join!(calls, serving) }).await;
    assert!(heard.iter().all(|answer| *answer == Err(CallFault::Unavailable)));
    assert!(peer.is_left_alone().await);
}

#[tokio::test]
async fn a_dropped_call_hangs_up_and_gives_its_place_back() {
    let peer = Peer::bind().await;
    let mut settings = call_settings(peer.url());
    settings.limits = CallLimits { calls_max: 1, waiting_max: 0, ..settings.limits };
    let application = application(&settings);
    let body = json!({});
    let mut exchange = within(async {
        tokio::select! {
            _ = application.call(&body) => unreachable!("there is no answer"),
            exchange = peer.accept() => exchange,
        }
    })
    .await;
    within(exchange.gone()).await;
    let mut waiting = application.call(&body);
    assert!(waiting.as_mut().now_or_never().is_none(), "it is under way");
    let (heard, _) = within(async { tokio::join!(waiting, peer.answer(200, "1")) }).await;
    assert_eq!(heard, Ok(json!(1)));
}
