//! Logging in by JSON, by name or e-mail address.

use serde_json::{Value, json};

use super::{PASSWORD, example, forbidden, legacy};
use crate::harness::http::{Reply, post};
use crate::harness::token::{now, unpart};
use crate::harness::{Server, Wire};

pub(super) async fn log_in(server: &Server, identifier: &str, password: &str) -> Reply {
    let body = json!({ "identifier": identifier, "password": password }).to_string();
    post(server.address, "/api/auth/login", &body, "content-type: application/json\r\n").await
}

#[tokio::test]
async fn login_by_name_or_by_email_gives_a_token_of_24_hours_and_the_user() {
    let server = example().set("ann", &["display_name=Ann L.", "is_system_admin=true"]).start().await;
    for identifier in ["ann", "ann@example.com", "ANN@example.com"] {
        let answer = log_in(&server, identifier, PASSWORD).await;
        assert_eq!(answer.status, 200, "{identifier}");
        let mut body = answer.json();
        let token = body["access_token"].as_str().expect("a token").to_owned();
        body["access_token"] = Value::Null;
        assert_eq!(
            body,
            json!({
                "access_token": null, "token_type": "bearer",
                "user": {
                    "id": 1, "username": "ann", "email": "ann@example.com", "display_name": "Ann L.",
                    "avatar_url": null, "is_system_admin": true,
                },
            })
        );
        let claims = unpart(token.split('.').nth(1).expect("a payload"));
        assert_eq!((&claims["sub"], &claims["username"]), (&json!("1"), &json!("ann")));
        let lifetime = claims["exp"].as_u64().expect("an end") - claims["iat"].as_u64().expect("a beginning");
        assert_eq!(lifetime, 86_400);
        Wire::open(server.address, &format!("/ws/chat/5?token={token}")).await.entered().await;
        server.log().never_holds(&token);
    }
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_account_are_told_as_the_contract_says() {
    let server = example().start().await;
    for (identifier, password) in [("ann", "wrong"), ("nobody", PASSWORD), ("nobody@example.com", PASSWORD)] {
        let answer = log_in(&server, identifier, password).await;
        assert_eq!((answer.status, &answer.json()["detail"]), (401, &json!("Incorrect username/email or password")));
    }
    let answer = log_in(&server, "cleo", PASSWORD).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (403, &json!("User account is disabled")));
    assert_eq!(log_in(&server, "bob", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn tokens_of_the_backend_before_still_work_and_end() {
    let server = example().start().await;
    let good = legacy(&json!({ "sub": "1", "username": "ann", "exp": now() + 600 }));
    let mut ann = Wire::open(server.address, &format!("/ws/chat/5?token={good}")).await;
    ann.entered().await;
    let short = legacy(&json!({ "sub": "1", "username": "ann", "exp": now() + 2 }));
    let mut again = Wire::open(server.address, &format!("/ws/chat/5?token={short}")).await;
    assert_eq!(again.closed_politely().await, forbidden(), "a socket ends with its token");
    let endless = legacy(&json!({ "sub": "1", "username": "ann" }));
    let mut never = Wire::open(server.address, &format!("/ws/chat/5?token={endless}")).await;
    assert_eq!(never.closed_politely().await, forbidden());
    assert_eq!(super::hear(&mut ann, "user_joined").await["user_id"], 1);
    assert_eq!(super::hear(&mut ann, "user_left").await["user_id"], 1);
    ann.entered().await;
}

#[tokio::test]
async fn the_published_secret_does_not_start_the_server() {
    for secret in ["your-secret-key-change-in-production", "short", " "] {
        let setup = example().variable("JWT_SECRET", secret);
        let mut process = setup.launch();
        assert!(!process.exited().await.success(), "{secret:?}");
        process.log.ended().await;
        let log = process.log.text();
        assert!(log.contains("tokens.secret_env") && log.contains("JWT_SECRET"), "{log}");
    }
}
