//! The login without a password, which only a development server has.

use serde_json::json;

use super::login_variants::{log_in, people, taken_apart};
use crate::harness::http::{exchange, get, post};
use crate::harness::server::SHIP;
use crate::harness::token::unpart;
use crate::harness::{Client, Setup};

/// A development server with a login that needs no password.
fn developing(config: &str) -> Setup {
    let example = std::fs::read_to_string(SHIP).expect("the example is in the repository");
    Setup::dev().over(&example).over(config)
}

#[tokio::test]
async fn in_development_an_address_can_be_enough() {
    let config = "[login]\nidentify_by = [\"email\"]\nsubject = \"id\"\ndev_path = \"/api/auth/dev_login\"\n\
                  return_user = [\"id\", \"username\"]\nreturn_expires_in = false\n";
    let server = developing(config).start().await;
    let path = "/api/auth/dev_login";
    let send = async |body: &str, headers: &str| post(server.address, path, body, headers).await;
    let json_type = "content-type: application/json\r\n";

    let reply = send(r#"{"email":"User@example.com"}"#, json_type).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("set-cookie"), None);
    let (answer, claims) = taken_apart(&reply);
    assert_eq!(answer, json!({ "token_type": "bearer", "user": { "id": 1, "username": "user" } }));
    assert_eq!(claims["sub"], "1");
    let token = reply.json()["access_token"].as_str().expect("a token").to_owned();
    Client::open(server.address, &format!("/ws?token={token}")).await.entered().await;

    let test_token = get(server.address, "/test-token").await.json()["test_token"].clone();
    let test_claims = unpart(test_token.as_str().expect("a token").split('.').nth(1).expect("three parts"));
    assert_eq!(test_claims["sub"], "1", "the token for trials is of the same shape");

    for _ in 0..2 {
        let reply = send(r#"{"email":"nobody@example.com"}"#, json_type).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "no_account"), "nobody is made: {reply:?}");
    }
    for (what, body, headers, status) in [
        ("a name", r#"{"email":"user"}"#, json_type, 404),
        ("no address", r#"{"username":"user"}"#, json_type, 400),
        ("two addresses", r#"{"email":"user@example.com","email":"user@example.com"}"#, json_type, 400),
        ("a number", r#"{"email":1}"#, json_type, 400),
        ("a form", "email=user@example.com", "content-type: application/x-www-form-urlencoded\r\n", 415),
        ("what a page may send unasked", r#"{"email":"user@example.com"}"#, "content-type: text/plain\r\n", 415),
    ] {
        let reply = send(body, headers).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
    }
    for (origin, status) in [
        ("http://localhost:3000", 200),
        ("https://evil.test", 403),
        ("http://localhost.evil.test:8000", 403),
        ("null", 403),
    ] {
        let headers = format!("{json_type}origin: {origin}\r\n");
        let reply = send(r#"{"email":"user@example.com"}"#, &headers).await;
        assert_eq!(reply.status, status, "{origin}: {reply:?}");
    }
    let preflight = format!(
        "OPTIONS {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\norigin: https://evil.test\r\n\
         access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n\r\n"
    );
    let reply = exchange(server.address, preflight.as_bytes()).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    // With a password, the other way in is as it was.
    let reply = log_in(&server, "/token", false, "username", "user@example.com", "password").await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn without_a_password_nobody_gets_in_where_it_is_not_asked_for() {
    let dev = developing("").start().await;
    let body = r#"{"email":"user@example.com"}"#;
    for path in ["/api/auth/dev_login", "/token", "/dev_login"] {
        let reply = post(dev.address, path, body, "content-type: application/json\r\n").await;
        assert!(matches!(reply.status, 404 | 415), "{path}: {reply:?}");
    }
    let setup = people("[login]\ndev_path = \"/in\"\n");
    let mut real = setup.launch();
    assert_eq!(real.exited().await.code(), Some(2), "outside development the server does not start");
    real.log.ended().await;
    let said = real.log.text();
    assert!(said.contains("login.dev_path") && said.contains("--dev"), "{said}");
}
