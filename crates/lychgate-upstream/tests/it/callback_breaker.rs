//! An application that fails is left alone for a while, as the number of its connections shows.

use std::time::Duration;

use lychgate_service::ports::application::{Application as _, CallFault};
use lychgate_upstream::callback::SignedApplication;
use serde_json::{Value, json};

use crate::peer::{Nobody, Peer, application, call_settings, within};

async fn answered(application: &SignedApplication, peer: &Peer, status: u16, body: &str) -> Result<Value, CallFault> {
    let question = json!({});
    within(async { tokio::join!(application.call(&question), peer.answer(status, body)) }).await.0
}

async fn refused(application: &SignedApplication, peer: &Peer) {
    assert_eq!(within(application.call(&json!({}))).await, Err(CallFault::Unavailable));
    assert!(peer.is_left_alone().await, "nobody was called");
}

/// Lets time pass between two exchanges; while bytes travel the clock is the real one.
async fn pass_time(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn opened() -> (SignedApplication, Peer) {
    let peer = Peer::bind().await;
    let application = application(&call_settings(peer.url()));
    for _ in 0..5 {
        assert_eq!(answered(&application, &peer, 500, "").await, Err(CallFault::Status(500)));
    }
    refused(&application, &peer).await;
    (application, peer)
}

#[tokio::test]
async fn it_is_called_again_on_trial_and_then_as_before() {
    let (application, peer) = opened().await;
    pass_time(Duration::from_millis(4_000)).await;
    refused(&application, &peer).await;
    pass_time(Duration::from_millis(1_001)).await;
    let question = json!({});
    let trial = async {
        let mut exchange = peer.accept().await;
        assert_eq!(application.call(&question).await, Err(CallFault::Unavailable), "one trial at a time");
        exchange.answer(200, "1").await;
    };
    let (heard, ()) = within(async { tokio::join!(application.call(&question), trial) }).await;
    assert_eq!(heard, Ok(json!(1)));
    assert_eq!(answered(&application, &peer, 200, "2").await, Ok(json!(2)));
}

#[tokio::test]
async fn a_failed_trial_ends_the_trials_for_now() {
    let (application, peer) = opened().await;
    pass_time(Duration::from_millis(5_001)).await;
    assert_eq!(answered(&application, &peer, 503, "").await, Err(CallFault::Status(503)));
    refused(&application, &peer).await;
    pass_time(Duration::from_millis(5_001)).await;
    assert_eq!(answered(&application, &peer, 200, "1").await, Ok(json!(1)));
}

#[tokio::test]
async fn a_dropped_trial_leaves_the_next_to_another() {
    let (application, peer) = opened().await;
    pass_time(Duration::from_millis(5_001)).await;
    let question = json!({});
    let dropped = within(async {
        tokio::select! {
            _ = application.call(&question) => unreachable!("there is no answer"),
            exchange = peer.accept() => exchange,
        }
    })
    .await;
    assert_eq!(answered(&application, &peer, 200, "1").await, Ok(json!(1)));
    assert_eq!(answered(&application, &peer, 200, "2").await, Ok(json!(2)));
    drop(dropped);
}

#[tokio::test]
async fn an_application_that_refuses_or_talks_nonsense_is_there() {
    let peer = Peer::bind().await;
    let application = application(&call_settings(peer.url()));
    for status in [302, 400, 403, 404, 429] {
        for _ in 0..6 {
            assert_eq!(answered(&application, &peer, status, "").await, Err(CallFault::Status(status)));
        }
    }
    for _ in 0..6 {
        assert_eq!(answered(&application, &peer, 200, "?").await, Err(CallFault::Malformed));
    }
    for _ in 0..4 {
        assert!(answered(&application, &peer, 500, "").await.is_err());
    }
    assert_eq!(answered(&application, &peer, 200, "1").await, Ok(json!(1)), "four failures are not five");
}

#[tokio::test]
async fn no_connection_and_no_answer_in_time_are_failures() {
    let nobody = Nobody::bind();
    let unreachable = application(&call_settings(nobody.url()));
    for _ in 0..5 {
        assert!(within(unreachable.call(&json!({}))).await.is_err());
    }
    refused(&unreachable, &nobody.listen()).await;

    let peer = Peer::bind().await;
    let mut settings = call_settings(peer.url());
    settings.limits.timeout = Duration::from_millis(50);
    let silent = application(&settings);
    let question = json!({});
    for _ in 0..5 {
        let (heard, _held) = within(async { tokio::join!(silent.call(&question), peer.accept()) }).await;
        assert_eq!(heard, Err(CallFault::Unavailable));
    }
    refused(&silent, &peer).await;
}
