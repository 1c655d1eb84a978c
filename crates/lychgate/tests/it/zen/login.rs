//! From a password to a socket, and how long that lasts.

use serde_json::json;

use super::{PASSWORD, example, greeted, strangers, text, told};
use crate::harness::http::{form, post, post_form};
use crate::harness::token::{now_exactly, unpart};
use crate::harness::{Setup, Wire};

const PATH: &str = "/api/auth/token";

#[tokio::test]
async fn the_form_has_the_address_in_its_field_username() {
    let server = example().start().await;
    let log_in = async |name: &str, password: &str| {
        post_form(server.address, PATH, &form(&[("username", name), ("password", password)]), "").await
    };
    let reply = log_in("ann@example.com", PASSWORD).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("bearer"), &json!(1800)));
    let token = answer["access_token"].as_str().expect("a token");
    let claims = unpart(token.split('.').nth(1).expect("three parts"));
    assert_eq!(claims["sub"], "1");
    assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), 1800);

    for (case, name, password) in [
        ("a wrong password", "ann@example.com", "eight green bottles"),
        ("nobody", "nobody@example.com", PASSWORD),
        ("a name", "ann", PASSWORD),
    ] {
        let refused = log_in(name, password).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{case}");
        assert_eq!(refused.json()["detail"], "Incorrect username or password", "{case}");
    }
    let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
    greeted(&mut wire).await;
    server.log().never_holds(token);
    server.log().never_holds(PASSWORD);
}

#[tokio::test]
async fn dev_login_is_there_in_development_alone() {
    let dev_path = "[login]\ndev_path = \"/api/auth/dev_login\"\n";
    let body = r#"{"email":"user@example.com"}"#;
    let headers = "content-type: application/json\r\n";
    let setup = Setup::dev().over(&text()).over(dev_path).variable("APPLICATION_SECRET", super::APPLICATION_SECRET);
    let server = setup.start().await;
    let welcome = format!("ws://{}/ws --user user@example.com --login-path /api/auth/token", server.address);
    server.log().wait_for_text(&welcome).await;
    let reply = post(server.address, "/api/auth/dev_login", body, headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let token = answer["access_token"].as_str().expect("a token");
    let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
    greeted(&mut wire).await;
    let nobody = post(server.address, "/api/auth/dev_login", r#"{"email":"nobody@example.com"}"#, headers).await;
    assert_eq!(nobody.status, 404, "{nobody:?}");

    let real = example().start().await;
    assert_eq!(post(real.address, "/api/auth/dev_login", body, headers).await.status, 404);
    let setup = strangers(&text()).over(dev_path);
    let mut refused = setup.launch();
    assert_eq!(refused.exited().await.code(), Some(2));
    refused.log.ended().await;
    assert!(refused.log.text().contains("login.dev_path"), "{}", refused.log.text());
}

#[tokio::test]
async fn expiry_is_respected_and_one_setting_rules_all_of_it() {
    let server = example().over("[tokens]\nlifetime = \"3s\"\n").start().await;
    let body = form(&[("username", "ann@example.com"), ("password", PASSWORD)]);
    let answer = post_form(server.address, PATH, &body, "").await.json();
    assert_eq!(answer["expires_in"], 3);
    let token = answer["access_token"].as_str().expect("a token");
    let claims = unpart(token.split('.').nth(1).expect("three parts"));
    let exp = claims["exp"].as_u64().expect("exp");
    assert_eq!(exp - claims["iat"].as_u64().expect("iat"), 3);
    let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
    greeted(&mut wire).await;
    assert_eq!(wire.closed_politely().await, told("Token expired"));
    let at = now_exactly();
    assert!(at >= exp as f64 && at <= exp as f64 + 5.0, "closed at {at}, exp is {exp}");
}
