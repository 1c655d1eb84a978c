//! Signs of life: the server asks, the client answers, and nobody answers what was not asked.

use serde_json::json;

use super::client::Client;
use super::{bad_request, enter, server, setup, told};
use crate::harness::Server;

async fn lively() -> Server {
    setup().over("[limits]\nping_interval = \"2s\"\npong_timeout = \"2s\"\n").start().await
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_ends_the_session() {
    let server = server().await;
    let mut ann = enter(&server, "ann").await;
    ann.say("{}").await;
    assert_eq!(ann.closed().await, bad_request());
}

#[tokio::test]
async fn whoever_answers_stays_and_whoever_does_not_goes() {
    let server = lively().await;
    let mut ann = Client::open(&server, "/many").await;
    let connected = ann.connect(&crate::harness::token::own("ann")).await;
    assert_eq!((&connected["ping"], &connected["pong"]), (&json!(2), &json!(true)));
    let mut silent = enter(&server, "ann").await;
    for _ in 0..2 {
        assert_eq!(ann.line().await, json!({}), "a ping");
        ann.say("{}").await;
    }
    assert_eq!(silent.line().await, json!({}));
    assert_eq!(silent.closed().await, told(3012, "no pong"));
}

#[tokio::test]
async fn one_ping_is_answered_once() {
    let server = lively().await;
    let mut ann = enter(&server, "ann").await;
    assert_eq!(ann.line().await, json!({}));
    ann.say("{}\n{}").await;
    assert_eq!(ann.closed().await, bad_request());
}

#[tokio::test]
async fn pings_that_were_sent_may_be_answered_late() {
    let server = lively().await;
    let mut ann = enter(&server, "ann").await;
    assert_eq!(ann.line().await, json!({}));
    // Something else is a sign of life, too.
    ann.hears_nothing("no pong, and a command").await;
    assert_eq!(ann.line().await, json!({}));
    ann.say("{}\n{}").await;
    ann.hears_nothing("both pings were answered").await;
}
