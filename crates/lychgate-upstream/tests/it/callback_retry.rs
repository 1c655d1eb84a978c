//! What is tried again, with which id, and how often.

use std::time::Duration;

use futures_util::FutureExt as _;
use lychgate_service::ports::application::{Application as _, CallFault, Header, Manner};
use lychgate_upstream::callback::{CallSettings, RetryRules, SignedApplication};
use serde_json::{Value, json};

use crate::peer::{Exchange, Nobody, Peer, application, call_settings, within};

/// As the configuration writes it by default, with so many further tries.
fn rules(retries_max: u32) -> RetryRules {
    RetryRules { retries_max, statuses: [502, 503, 504].into(), acts: false }
}

fn retrying(peer: &Peer, retries: RetryRules) -> SignedApplication {
    application(&CallSettings { retries, ..call_settings(peer.url()) })
}

/// How the application meets one try.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Status(u16),
    /// It takes the request and hangs up.
    HangsUp,
    /// It hangs up in the middle of its answer.
    Breaks,
    NoJson,
    Yes,
}

async fn meet(peer: &Peer, meets: Meets) -> Exchange {
    let mut exchange = peer.accept().await;
    match meets {
        Meets::Status(status) => exchange.answer(status, "").await,
        Meets::HangsUp => exchange.hang_up().await,
        Meets::Breaks => {
            exchange.send("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n{").await;
            exchange.hang_up().await;
        }
        Meets::NoJson => exchange.answer(200, "<html>").await,
        Meets::Yes => exchange.answer(200, "true").await,
    }
    exchange
}

const QUESTION: Manner<'static> = Manner::QUESTION;

fn act() -> Manner<'static> {
    Manner::default()
}

#[tokio::test]
async fn a_call_is_tried_again_as_the_rules_have_it() {
    let unavailable = Err(CallFault::Unavailable);
    let status = |status| Err(CallFault::Status(status));
    let acts = RetryRules { acts: true, ..rules(2) };
    for (case, rules, manner, meetings, heard) in [
        ("off", RetryRules::default(), QUESTION, &[Meets::Status(503)][..], status(503)),
        ("a status of the list", rules(2), QUESTION, &[Meets::Status(503), Meets::Yes], Ok(json!(true))),
        ("three tries", rules(2), QUESTION, &[Meets::Status(502), Meets::Status(504), Meets::Yes], Ok(json!(true))),
        ("no fourth", rules(2), QUESTION, &[Meets::Status(502), Meets::Status(502), Meets::Status(503)], status(503)),
        ("another status", rules(2), QUESTION, &[Meets::Status(500)], status(500)),
        ("a no", rules(2), QUESTION, &[Meets::Status(403)], status(403)),
        ("nonsense", rules(2), QUESTION, &[Meets::NoJson], Err(CallFault::Malformed)),
        ("hung up", rules(1), QUESTION, &[Meets::HangsUp, Meets::Yes], Ok(json!(true))),
        ("half an answer", rules(1), QUESTION, &[Meets::Breaks, Meets::Yes], Ok(json!(true))),
        ("an act with a status", rules(2), act(), &[Meets::Status(503)], status(503)),
        ("an act, hung up", rules(2), act(), &[Meets::HangsUp], unavailable.clone()),
        ("an act that may", acts.clone(), act(), &[Meets::HangsUp, Meets::Status(503), Meets::Yes], Ok(json!(true))),
    ] {
        let peer = Peer::bind().await;
        let application = retrying(&peer, rules);
        let meeting = async {
            let mut exchanges = Vec::new();
            for meets in meetings {
                exchanges.push(meet(&peer, *meets).await);
            }
            exchanges
        };
        let body = json!({ "event": "x" });
        let (answer, exchanges) = within(async { tokio::join!(application.call_as(&body, manner), meeting) }).await;
        assert_eq!(answer, heard, "{case}");
        assert!(peer.is_left_alone().await, "{case}");
        let ids: Vec<_> = exchanges.iter().map(|exchange| exchange.header("webhook-id").unwrap()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{case}: one call has one id: {ids:?}");
        assert!(exchanges.iter().all(|exchange| serde_json::from_slice::<Value>(&exchange.body).unwrap() == body));
    }
}

#[tokio::test]
async fn what_was_never_sent_is_sent_again_whatever_it_is() {
    for (retries_max, manner, heard) in
        [(0, QUESTION, Err(CallFault::Unavailable)), (3, QUESTION, Ok(json!(1))), (3, act(), Ok(json!(1)))]
    {
        let nobody = Nobody::bind();
        let application = application(&CallSettings { retries: rules(retries_max), ..call_settings(nobody.url()) });
        let body = json!({});
        let mut call = application.call_as(&body, manner);
        // The first try has met nobody; a second one comes behind a pause.
        let first = call.as_mut().now_or_never();
        let serving = async {
            nobody.listen().answer(200, "1").await;
            std::future::pending::<()>().await;
        };
        let answer = match first {
            Some(answer) => answer,
            None => {
                within(async {
                    tokio::select! {
                        answer = call => answer,
                        () = serving => unreachable!("it waits for ever"),
                    }
                })
                .await
            }
        };
        assert_eq!(answer, heard, "{retries_max} {manner:?}");
    }
    let nobody = Nobody::bind();
    let settings = CallSettings { retries: rules(3), ..call_settings(nobody.url()) };
    assert_eq!(within(application(&settings).call(&json!({}))).await, Err(CallFault::Unavailable));
}

#[tokio::test]
async fn all_tries_share_the_time_of_one() {
    let peer = Peer::bind().await;
    let mut settings = CallSettings { retries: rules(3), ..call_settings(peer.url()) };
    settings.limits.timeout = Duration::from_millis(200);
    let application = application(&settings);
    let silence = async {
        meet(&peer, Meets::Status(503)).await;
        peer.accept().await
    };
    let body = json!({});
    let (heard, _open) = within(async { tokio::join!(application.call_as(&body, QUESTION), silence) }).await;
    assert_eq!(heard, Err(CallFault::Unavailable));
    assert!(peer.is_left_alone().await, "silence is not asked again: the time is up");
}

#[tokio::test]
async fn many_tries_are_one_call_to_the_breaker() {
    let peer = Peer::bind().await;
    let application = retrying(&peer, rules(1));
    let body = json!({});
    let call = async |first, second| {
        let meeting = async { (meet(&peer, first).await, meet(&peer, second).await) };
        within(async { tokio::join!(application.call_as(&body, QUESTION), meeting) }).await.0
    };
    for _ in 0..4 {
        assert_eq!(call(Meets::Status(503), Meets::Status(503)).await, Err(CallFault::Status(503)));
    }
    // Eight failed tries were four failed calls, and a call that a second try saves is no failure.
    assert_eq!(call(Meets::Status(503), Meets::Yes).await, Ok(json!(true)));
    for _ in 0..5 {
        assert_eq!(call(Meets::Status(503), Meets::Status(503)).await, Err(CallFault::Status(503)));
    }
    assert_eq!(within(application.call_as(&body, QUESTION)).await, Err(CallFault::Unavailable));
    assert!(peer.is_left_alone().await, "now it is open");
}

#[tokio::test]
async fn headers_of_a_client_go_along_and_change_nothing_of_the_call() {
    let peer = Peer::bind().await;
    let settings = CallSettings { headers: vec![("X-Node".to_owned(), "one".into())], ..call_settings(peer.url()) };
    let application = application(&settings);
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.as_bytes().into() };
    let headers = [
        header("cookie", "session=1"),
        header("x-node", "two"),
        header("webhook-id", "mine"),
        header("host", "elsewhere"),
        header("x-bad", "two\r\nlines"),
    ];
    let manner = Manner { is_question: true, headers: &headers };
    let body = json!({});
    let (heard, exchange) =
        within(async { tokio::join!(application.call_as(&body, manner), meet(&peer, Meets::Yes)) }).await;
    assert_eq!(heard, Ok(json!(true)));
    assert_eq!(exchange.header("cookie"), Some("session=1"));
    assert_eq!(exchange.header("x-node"), Some("one"), "the settings say so");
    assert!(exchange.header("webhook-id").is_some_and(|id| id.starts_with("msg_")), "{}", exchange.head);
    assert!(exchange.header("host").is_some_and(|host| host.starts_with("127.0.0.1:")), "{}", exchange.head);
    assert_eq!(exchange.header("x-bad"), None);
    assert!(!format!("{headers:?}").contains("session"), "what they hold is not printed");
}
