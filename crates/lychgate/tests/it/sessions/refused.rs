//! Requests that refresh nothing.

use serde_json::json;

use super::{CONFIG, PASSWORD, log_in, refresh, setup, show};
use crate::harness::Setup;
use crate::harness::http::{form, get, post, post_form};

#[tokio::test]
async fn whatever_is_no_good_token_gets_one_answer() {
    let server = setup().start().await;
    let session = log_in(&server, "alice").await;
    let mut near = session.refresh.clone();
    let last = near.pop().expect("it is long");
    near.push(if last == 'A' { 'E' } else { 'A' });
    let strange = [
        near.as_str(),
        &session.access,
        "",
        "lgr_",
        "lgr_%00",
        &session.refresh[4..],
        &session.refresh.to_uppercase(),
        &format!("{}A", session.refresh),
        &format!(" {}", session.refresh),
        &format!("lgr_{}", "A".repeat(5_000)),
    ];
    for token in strange {
        let reply = show(&server, token).await;
        let detail = "The refresh token is not good. Log in again.";
        assert_eq!(reply.status, 400, "{token}: {reply:?}");
        let answer = json!({ "detail": detail, "code": "invalid_grant", "error": "invalid_grant" });
        assert_eq!(reply.json(), answer, "{token}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{token}");
    }
    refresh(&server, &session).await;
    assert_eq!(server.metrics().await.value("lychgate_refreshes_total", &[("outcome", "unknown")]), 10);
    server.log().never_holds(&near);
}

#[tokio::test]
async fn a_request_that_is_no_refresh_is_refused_before_any_token_is_looked_at() {
    let server = setup().over("[login]\nbody = \"any\"").start().await;
    let session = log_in(&server, "alice").await;
    let right = form(&[("grant_type", "refresh_token"), ("refresh_token", &session.refresh)]);
    let cases = [
        ("no token", "grant_type=refresh_token".to_owned(), "invalid_request"),
        ("two tokens", format!("{right}&refresh_token=x"), "invalid_request"),
        ("two grants", format!("{right}&grant_type=refresh_token"), "invalid_request"),
        ("another grant", right.replace("=refresh_token", "=client_credentials"), "invalid_request"),
        ("the grant in capitals", right.replace("=refresh_token", "=REFRESH_TOKEN"), "invalid_request"),
    ];
    for (what, body, code) in &cases {
        let reply = post_form(server.address, "/token", body, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, *code), "{what}: {reply:?}");
    }
    for body in [
        json!({ "grant_type": "refresh_token" }).to_string(),
        json!({ "grant_type": "refresh_token", "refresh_token": 7 }).to_string(),
        format!(r#"{{"grant_type":"refresh_token","refresh_token":"{0}","refresh_token":"{0}"}}"#, session.refresh),
    ] {
        let reply = post(server.address, "/token", &body, "content-type: application/json\r\n").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_request"), "{body}: {reply:?}");
    }
    let reply = get(server.address, &format!("/token?{right}")).await;
    assert_eq!(reply.status, 405, "a token in a target ends up in logs");
    refresh(&server, &session).await;
}

#[tokio::test]
async fn bad_tokens_are_throttled_by_address() {
    let limits = "[login]\nfailures_per_minute_per_address = 3\n[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let server = setup().over(limits).start().await;
    let session = log_in(&server, "alice").await;
    let from = async |token: &str, address: &str| {
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
        post_form(server.address, "/token", &body, &format!("x-forwarded-for: {address}\r\n")).await
    };
    for _ in 0..3 {
        assert_eq!(from("lgr_x", "192.0.2.1").await.code(), "invalid_grant");
    }
    for token in ["lgr_x", &session.refresh] {
        let reply = from(token, "192.0.2.1").await;
        assert_eq!((reply.status, reply.code().as_str()), (429, "throttled"), "{reply:?}");
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
    }
    assert_eq!(from(&session.refresh, "192.0.2.2").await.status, 200, "another address is not touched");
}

#[tokio::test]
async fn without_the_setting_there_is_nothing_to_refresh() {
    let server = Setup::of(&CONFIG.replace("refresh_tokens = true", "refresh_tokens = false"))
        .user("alice", PASSWORD)
        .start()
        .await;
    let body = form(&[("username", "alice"), ("password", PASSWORD)]);
    let reply = post_form(server.address, "/token", &body, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!((reply.json().get("refresh_token"), reply.json().get("refresh_expires_in")), (None, None));
    let body = format!("{body}&grant_type=refresh_token&refresh_token=lgr_x");
    let reply = post_form(server.address, "/token", &body, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "unsupported_grant_type"), "{reply:?}");
    assert_eq!(post_form(server.address, "/revoke", "token=x", "").await.status, 404);
}
