//! Who comes in, by which way, and what the others are told.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{FAILED, MISMATCH, REQUIRED, chat, closed, example, hear, setup, song, song_over, theirs, theirs_with};
use crate::harness::token::{self, Signer};
use crate::harness::wire::{ask, request};

#[tokio::test]
async fn valid_token_with_matching_user_id_by_each_of_three_transports() {
    let song = song().await;
    let good = theirs("123");
    for (target, headers) in [
        (format!("/ws/123?token={good}"), String::new()),
        ("/ws/123".to_owned(), format!("sec-websocket-protocol: jwt, {good}\r\n")),
        ("/ws/123".to_owned(), format!("authorization: Bearer {good}\r\n")),
    ] {
        let (wire, welcome) = song.welcomed(&target, &headers).await;
        let id = welcome["connection_id"].as_str().expect("an id").to_owned();
        assert!(!id.is_empty());
        assert_eq!(
            welcome,
            json!({
                "user_id": "123", "room_id": "general", "connection_id": id,
                "authenticated": true, "user_email": "ann@example.com",
            })
        );
        wire.leave().await;
    }
    song.server.log().never_holds(&good);
}

#[tokio::test]
async fn a_chosen_subprotocol_is_answered_and_a_refusal_as_well() {
    let song = song().await;
    for (offer, answer) in [
        (format!("jwt, {}", theirs("123")), Some("jwt")),
        ("jwt, rubbish".to_owned(), Some("jwt")),
        ("graph".to_owned(), None),
    ] {
        let headers = format!("sec-websocket-protocol: {offer}\r\n");
        let reply = ask(song.server.address, &request("/ws/123", &headers)).await;
        assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, answer), "{offer}");
    }
}

#[tokio::test]
async fn every_refusal_is_one_of_the_table() {
    let song = song().await;
    let (past, far) = ((token::now() - 60).to_string(), (token::now() + 86_400 * 30).to_string());
    let good = theirs("123");
    let changed = format!("{}x", &good[..good.len() - 1]);
    let claims = format!(r#"{{"sub":"123","exp":{}}}"#, token::now() + 600);
    let foreign = token::forge(Signer::Hmac(b"a secret that nobody has told us, 3b1"), r#"{"alg":"HS256"}"#, &claims);
    let unsigned = token::forge(Signer::Nobody, r#"{"alg":"none"}"#, &claims);
    for (what, token, reason) in [
        ("mismatch", theirs("124"), MISMATCH),
        ("malformed", "a.b.c".to_owned(), FAILED),
        ("invalid: changed", changed, FAILED),
        ("invalid: of another secret", foreign, FAILED),
        ("invalid: unsigned", unsigned, FAILED),
        ("expired", theirs_with(&[("exp", &past)]), FAILED),
        ("without an end", theirs_with(&[("exp", "")]), FAILED),
        ("good for longer than allowed", theirs_with(&[("exp", &far)]), FAILED),
        ("payload: no sub", theirs_with(&[("sub", "")]), FAILED),
        ("payload: a number", theirs_with(&[("sub", "123")]), FAILED),
        ("not found", theirs("999"), FAILED),
        ("not found: another spelling", theirs("0123"), FAILED),
        ("inactive", theirs("125"), FAILED),
    ] {
        for (target, headers) in [
            (format!("/ws/123?token={token}"), String::new()),
            ("/ws/123".to_owned(), format!("sec-websocket-protocol: jwt, {token}\r\n")),
            ("/ws/123".to_owned(), format!("authorization: Bearer {token}\r\n")),
        ] {
            assert_eq!(song.refused(&target, &headers).await, closed(reason), "{what} {headers}");
        }
        song.server.log().never_holds(&token);
    }
    for target in ["/ws/123", "/ws/123?token=", "/ws/123?user_id=123", "/ws/Anonymous", "/ws/123?room_id=a:b"] {
        assert_eq!(song.refused(target, "").await, closed(REQUIRED), "missing: {target}");
    }
    let twice = format!("/ws/123?token={good}");
    let header = format!("authorization: Bearer {good}\r\n");
    assert_eq!(song.refused(&twice, &header).await, closed(FAILED), "two answers to one question");
    // The control, and one whose address is not known.
    song.welcomed(&twice, "").await;
    let (_, welcome) = song.welcomed(&format!("/ws/126?token={}", theirs("126")), "").await;
    assert_eq!((&welcome["authenticated"], &welcome["user_email"]), (&json!(true), &Value::Null));
    let reasons: Vec<String> = song
        .server
        .log()
        .lines(|line| line["endpoint"] == "user" && line["message"].as_str().is_some_and(|m| m.starts_with("refused")))
        .iter()
        .map(|line| line["reason"].as_str().unwrap_or_default().to_owned())
        .collect();
    for reason in ["mismatch", "malformed", "bad_signature", "expired", "user", "inactive", "required"] {
        assert!(reasons.iter().any(|logged| logged == reason), "the log tells {reason} apart: {reasons:?}");
    }
}

#[tokio::test]
async fn anonymous_comes_in_without_a_token_and_never_with_a_bad_one() {
    let song = song().await;
    for target in ["/ws/anonymous", "/ws/anonymous?token="] {
        let (_, welcome) = song.welcomed(target, "").await;
        assert_eq!(welcome["authenticated"], false);
        assert_eq!((&welcome["user_id"], &welcome["user_email"]), (&json!("anonymous"), &Value::Null));
    }
    let past = (token::now() - 60).to_string();
    for (token, reason) in [
        ("rubbish".to_owned(), FAILED),
        (theirs_with(&[("exp", &past)]), FAILED),
        (theirs("999"), FAILED),
        (theirs("anonymous"), FAILED),
        (theirs("123"), MISMATCH),
    ] {
        let header = format!("authorization: Bearer {token}\r\n");
        assert_eq!(song.refused(&format!("/ws/anonymous?token={token}"), "").await, closed(reason));
        assert_eq!(song.refused("/ws/anonymous", &header).await, closed(reason));
    }
}

#[tokio::test]
async fn visitors_are_many_people_and_a_user_is_one() {
    let song = song_over(&example(), "[limits]\nconnections_per_user = 1\n").await;
    let mut first = song.visit("general").await;
    let mut second = song.visit("general").await;
    hear(&mut first, "user_joined").await;
    second.say(&chat("hello")).await;
    hear(&mut first, "chat").await;
    let _ann = song.enter("123", "gen").await;
    let again = format!("/ws/123?token={}", theirs("123"));
    assert_eq!(song.refused(&again, "").await, closed("Too many connections"));
}

#[tokio::test]
async fn a_public_address_names_nobody_and_only_listens() {
    let song = song().await;
    let mut public = song.open("/ws/public", "").await;
    let welcome = hear(&mut public, "welcome").await;
    assert_eq!((&welcome["data"]["authenticated"], &welcome["data"]["room_id"]), (&json!(false), &json!("general")));
    let mut ann = song.enter("123", "general").await;
    hear(&mut public, "user_joined").await;
    for frame in [&chat("hello"), r#"{"type":"scraper_control","data":{}}"#] {
        public.say(frame).await;
        hear(&mut public, "error").await;
    }
    ann.say(&chat("mine")).await;
    assert_eq!(hear(&mut ann, "chat").await["data"]["message"], "mine", "nothing was said before it");
    hear(&mut public, "chat").await;
    assert_eq!(song.refused("/ws/public?token=rubbish", "").await, closed(FAILED));
    let mut known = song.open(&format!("/ws/public?token={}", theirs("124")), "").await;
    assert_eq!(hear(&mut known, "welcome").await["data"]["user_email"], "bob@example.com");
}

#[tokio::test]
async fn expiry_is_respected_while_connected() {
    let song = song().await;
    let exp = token::now() + 2;
    let short = theirs_with(&[("exp", &exp.to_string())]);
    let (mut ann, _) = song.welcomed(&format!("/ws/123?token={short}"), "").await;
    assert_eq!(ann.closed_politely().await, closed(FAILED));
    let now = token::now_exactly();
    assert!((exp as f64..exp as f64 + 6.0).contains(&now), "between exp and five seconds later: {now} for {exp}");
}

#[tokio::test]
async fn the_secret_is_validated_and_variables_of_the_other_programs_work() {
    for (secret, said) in [("short", "32 are the least"), (" ", "blank"), (&"ab".repeat(32), "repeated pattern")] {
        let setup = setup(&example()).variable("JWT_SECRET_KEY", secret);
        let mut process = setup.launch();
        assert!(!process.exited().await.success());
        process.log.ended().await;
        let log = process.log.text();
        assert!(log.contains("issuer.workflow") && log.contains(said), "{secret:?}: {log}");
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let people = super::People::of_the_example().await;
    let server = setup(&example())
        .over(&people.source())
        .over("[log]\nlevel = \"error\"\n")
        .variable("WS_PORT", &port.to_string())
        .variable("LOG_LEVEL", "INFO")
        .start()
        .await;
    // That it was heard to listen is the proof of LOG_LEVEL.
    assert_eq!(server.address.port(), port);
}
