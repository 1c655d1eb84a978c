//! Accepted, then closed with 1008 and a reason that tells one case from another; each beside somebody who gets in.

use serde_json::json;

use super::{enter, example, greeted, legacy, told};
use crate::harness::log::says;
use crate::harness::token::{self, Signer, claims, forge, header, now, own, own_until, sign};
use crate::harness::wire::{connect, request};
use crate::harness::{Server, Wire};

/// What the server says to whoever comes so: nothing if it lets them in.
async fn answer(server: &Server, target: &str, headers: &str) -> Option<(u16, String)> {
    let mut wire = Wire::over(connect(server.address).await, &request(target, headers), b"").await;
    let first = wire.frame().await;
    (first.opcode == crate::harness::wire::CLOSE).then(|| first.close())
}

fn subprotocols(token: &str) -> String {
    format!("sec-websocket-protocol: jwt-auth, jwt.{}\r\n", token::part(token.as_bytes()))
}

#[tokio::test]
async fn missing_invalid_expired_unknown_and_inactive_are_told_apart() {
    let server = example().start().await;
    let good = own("1");
    let changed = format!("{}x", own("1"));
    let foreign = forge(Signer::Hmac(b"the secret of another server altogether"), &header(&[]), &claims(&[]));
    let unsigned = forge(Signer::Nobody, &header(&[("alg", r#""none""#)]), &claims(&[]));
    let without_exp = legacy(&json!({ "sub": "1" }));
    let in_ten = now() + 600;
    let (before, long_ago) = (own_until("1", now() - 100), legacy(&json!({ "sub": "1", "exp": now() - 100 })));
    for (case, token, reason) in [
        ("missing", "", "No token provided"),
        ("invalid: rubbish", "rubbish", "Invalid token"),
        ("invalid: three parts", "a.b.c", "Invalid token"),
        ("invalid: changed", &changed, "Invalid token"),
        ("invalid: of somebody else", &foreign, "Invalid token"),
        ("invalid: unsigned", &unsigned, "Invalid token"),
        ("invalid: without an end", &without_exp, "Invalid token"),
        ("payload: without sub", &sign(&header(&[]), &claims(&[("sub", "")])), "Invalid token"),
        ("payload: without sub, legacy", &legacy(&json!({ "exp": in_ten })), "Invalid token"),
        ("expired", &before, "Token expired"),
        ("expired, legacy", &long_ago, "Token expired"),
        ("not found", &own("99"), "User not found"),
        ("not found: a name is no id", &own("ann"), "User not found"),
        ("not found: an address", &legacy(&json!({ "sub": "nobody@example.com", "exp": in_ten })), "User not found"),
        ("inactive", &own("3"), "User not active"),
        ("inactive: by address", &legacy(&json!({ "sub": "cleo@example.com", "exp": in_ten })), "User not active"),
    ] {
        let query = answer(&server, &format!("/ws?token={token}"), "").await;
        assert_eq!(query, Some(told(reason)), "{case}");
        if !token.is_empty() {
            let offered = answer(&server, "/ws", &subprotocols(token)).await;
            assert_eq!(offered, Some(told(reason)), "{case}, as a subprotocol");
            server.log().never_holds(token);
        }
    }
    assert_eq!(answer(&server, "/ws", "").await, Some(told("No token provided")));
    assert_eq!(answer(&server, &format!("/ws?token={good}&token={good}"), "").await, Some(told("Invalid token")));
    assert_eq!(
        answer(&server, &format!("/ws?token={good}"), &subprotocols(&good)).await,
        Some(told("Invalid token")),
        "two places"
    );
    // The control: the same ways, with what is good.
    for token in [good, own("2"), legacy(&json!({ "sub": "1", "exp": in_ten }))] {
        assert_eq!(answer(&server, &format!("/ws?token={token}"), "").await, None);
        assert_eq!(answer(&server, "/ws", &subprotocols(&token)).await, None);
    }
    // The log says more than the client hears.
    for reason in ["missing", "malformed", "bad_signature", "expired", "user", "inactive"] {
        let lines = server.log().lines(|line| line["reason"] == reason);
        assert!(!lines.is_empty(), "no refusal in the log with the reason {reason}:\n{}", server.log().text());
    }
}

#[tokio::test]
async fn sub_is_an_id_or_in_legacy_tokens_an_address_and_both_are_one_user() {
    let server = example().start().await;
    let mut by_id = enter(&server, "1").await;
    for sub in ["ann@example.com", "ANN@Example.com"] {
        let token = legacy(&json!({ "sub": sub, "exp": now() + 600 }));
        let mut by_address = Wire::open(server.address, &format!("/ws?token={token}")).await;
        greeted(&mut by_address).await;
        let bearer = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let body = json!({ "type": "note", "payload": sub }).to_string();
        let reply = crate::harness::http::post(server.address, "/api/ws/publish", &body, &bearer).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!(by_address.hear().await["payload"], sub);
        assert_eq!(by_id.hear().await["payload"], sub, "one channel, whichever way the token names its user");
    }
}

#[tokio::test]
async fn the_subprotocol_is_answered_by_its_name_and_the_token_stays_where_it_is() {
    let server = example().start().await;
    let good = own("1");
    for (offer, why) in [(subprotocols(&good), "good"), (subprotocols("rubbish"), "bad, so that a page sees the close")]
    {
        let reply = crate::harness::wire::ask(server.address, &request("/ws", &offer)).await;
        assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, Some("jwt-auth")), "{why}");
    }
    server.log().never_holds(&good);
    server.log().never_holds(&token::part(good.as_bytes()));
}

#[tokio::test]
async fn a_token_in_the_path_is_told_to_be_deprecated_and_never_logged() {
    let server = example().start().await;
    let good = own("1");
    for target in [format!("/ws/{good}"), format!("/ws/{good}?token={good}"), "/ws/rubbish".to_owned()] {
        let said = answer(&server, &target, "").await;
        assert_eq!(said, Some(told("Deprecated: the token goes into the query, /ws?token=...")), "{target}");
    }
    assert_eq!(answer(&server, &format!("/ws?token={good}"), "").await, None, "the query takes it");
    server.log().wait_for("the refusal", |line| line["reason"] == "gone").await;
    server.log().never_holds(&good);
    let metrics = crate::harness::http::get(server.operations, "/metrics").await;
    assert!(!metrics.text().contains(&good), "no counter has it either");
}

#[tokio::test]
async fn who_is_disabled_is_put_out_and_the_others_stay() {
    let again = "[endpoint.ws.policy]\nask_again = \"1s\"\n";
    let (server, setup) = example().over(again).start_and_keep().await;
    let mut ann = enter(&server, "1").await;
    let mut bob = enter(&server, "2").await;
    let mut command = crate::harness::process::program();
    command.args(["user", "disable", "ann"]);
    setup.name_files(&mut command);
    let output = command.output().expect("the program was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ann.closed_politely().await, told("User not active"));
    bob.entered().await;
    assert!(!server.log().lines(|line| says(line, "connected")).is_empty());
}
