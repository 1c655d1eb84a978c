//! Every place where a credential may be, at the real door: each lets in, and a bad one is never passed over.

use serde_json::json;

use crate::harness::http::{self, Reply};
use crate::harness::wire::{self, FIN, PING, TEXT, ask, connect, frame, request};
use crate::harness::{Server, Setup, Wire, token};

/// One room with a door of each kind.
const CONFIG: &str = r#"
[ticket]
enabled = true
path = "/tickets"

[profile.codes]
missing = [4000, "missing"]
invalid = [4001, "invalid"]
expired = [4002, "expired"]
over_limit = [4003, "over limit"]
gone = [4010, "moved"]

[endpoint.all]
path = "/all"
credentials = ["query:token", "header", "subprotocol:jwt", "subprotocol-b64:b64", "cookie:access", "ticket:ticket"]
subprotocols = ["chat"]
origins = ["https://app.example"]
profile = "codes"

[endpoint.first]
path = "/first"
credentials = ["header", "message:auth"]
credential_timeout = "1s"
profile = "codes"

[endpoint.old]
path = "/old/{token}"
kind = "gone"
profile = "codes"
"#;

async fn server() -> Server {
    Setup::of(CONFIG).start().await
}

/// Asks for a WebSocket and says whether the door opened: what the first frame is.
async fn enters(server: &Server, target: &str, headers: &str) -> Result<(), (u16, String)> {
    let mut wire =
        Wire::over(connect(server.address).await, &request(target, headers), &frame(FIN | PING, b"in")).await;
    let first = wire.frame().await;
    match first.opcode {
        wire::PONG => Ok(()),
        wire::CLOSE => Err(first.close()),
        _ => panic!("a pong or a close was expected: {}", first.show()),
    }
}

fn invalid() -> Result<(), (u16, String)> {
    Err((4001, "invalid".to_owned()))
}

fn missing() -> Result<(), (u16, String)> {
    Err((4000, "missing".to_owned()))
}

const ORIGIN: &str = "origin: https://app.example\r\n";

#[tokio::test]
async fn each_place_lets_in() {
    let server = server().await;
    let good = token::own("ann");
    let b64 = token::part(good.as_bytes());
    for (target, headers, kind) in [
        (format!("/all?token={good}"), String::new(), "query"),
        ("/all".to_owned(), format!("authorization: Bearer {good}\r\n"), "header"),
        ("/all".to_owned(), format!("sec-websocket-protocol: jwt, {good}\r\n"), "subprotocol"),
        ("/all".to_owned(), format!("sec-websocket-protocol: chat, b64.{b64}\r\n"), "subprotocol"),
        ("/all".to_owned(), format!("cookie: a=b; access={good}\r\n{ORIGIN}"), "cookie"),
    ] {
        let before = server.metrics().await.value("lychgate_credentials_total", &[("kind", kind)]);
        assert_eq!(enters(&server, &target, &headers).await, Ok(()), "{kind}");
        let after = server.metrics().await.value("lychgate_credentials_total", &[("kind", kind)]);
        assert_eq!(after, before + 1, "{kind} is counted");
    }
    server.log().never_holds(&good);
    server.log().never_holds(&b64);
}

#[tokio::test]
async fn a_bad_credential_is_refused_wherever_it_is_and_nothing_else_is_tried() {
    let server = server().await;
    let good = token::own("ann");
    let bad = format!("{}x", token::own("ann"));
    let b64 = token::part(bad.as_bytes());
    for (target, headers) in [
        (format!("/all?token={bad}"), String::new()),
        ("/all".to_owned(), format!("authorization: Bearer {bad}\r\n")),
        ("/all".to_owned(), format!("sec-websocket-protocol: jwt, {bad}\r\n")),
        ("/all".to_owned(), format!("sec-websocket-protocol: chat, b64.{b64}\r\n")),
        ("/all".to_owned(), format!("cookie: access={bad}\r\n{ORIGIN}")),
        ("/all?ticket=AAAA".to_owned(), String::new()),
        // A good cookie does not make up for it.
        (format!("/all?token={bad}"), format!("cookie: access={good}\r\n{ORIGIN}")),
        ("/all".to_owned(), format!("authorization: Bearer {bad}\r\ncookie: access={good}\r\n{ORIGIN}")),
        // Two explicit ones, good as they are.
        (format!("/all?token={good}"), format!("authorization: Bearer {good}\r\n")),
        (format!("/all?token={good}&token={good}"), String::new()),
        ("/all".to_owned(), format!("authorization: Bearer {good}\r\nsec-websocket-protocol: jwt, {good}\r\n")),
    ] {
        assert_eq!(enters(&server, &target, &headers).await, invalid(), "{target} {headers}");
    }
    assert_eq!(enters(&server, "/all", "").await, missing());
    let both = format!("cookie: access=rubbish\r\n{ORIGIN}");
    assert_eq!(enters(&server, &format!("/all?token={good}"), &both).await, Ok(()), "a cookie beside is ignored");
    server.log().never_holds(&bad);
}

#[tokio::test]
async fn a_place_that_is_not_listed_does_not_count() {
    let server = server().await;
    let good = token::own("ann");
    let mut wire = Wire::open(server.address, &format!("/first?token={good}")).await;
    assert_eq!(wire.closed().await, (4000, "missing".to_owned()));
    let header = format!("authorization: Bearer {good}\r\n");
    assert_eq!(enters(&server, "/first", &header).await, Ok(()));
}

#[tokio::test]
async fn a_cookie_needs_a_listed_origin() {
    let server = server().await;
    let cookie = format!("cookie: access={}\r\n", token::own("ann"));
    for (origin, why) in [
        ("", "without an origin"),
        ("origin: https://evil.example\r\n", "of another site"),
        ("origin: https://app.example.evil.example\r\n", "of a site that looks alike"),
        ("origin: null\r\n", "of nowhere"),
    ] {
        let reply = ask(server.address, &request("/all", &format!("{cookie}{origin}"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "origin"), "{why}");
    }
    assert_eq!(enters(&server, "/all", &format!("{cookie}{ORIGIN}")).await, Ok(()));
}

#[tokio::test]
async fn the_subprotocol_is_answered_by_name_and_never_with_the_token() {
    let server = server().await;
    let good = token::own("ann");
    let answered = async |offer: &str, target: &str| -> (u16, Option<String>) {
        let reply: Reply = ask(server.address, &request(target, &format!("sec-websocket-protocol: {offer}\r\n"))).await;
        (reply.status, reply.header("sec-websocket-protocol").map(str::to_owned))
    };
    let b64 = token::part(good.as_bytes());
    for (offer, name) in [
        (format!("jwt, {good}"), Some("jwt")),
        (format!("b64.{b64}, chat"), Some("chat")),
        ("jwt, rubbish".to_owned(), Some("jwt")),
        ("something".to_owned(), None),
    ] {
        let name = name.map(str::to_owned);
        assert_eq!(
            answered(&offer, "/all").await,
            (101, name),
            "a refusal is answered as well, so that a page sees it"
        );
    }
}

#[tokio::test]
async fn the_first_message_may_hold_the_token_and_nothing_behind_it_is_lost() {
    let server = server().await;
    let auth = json!({ "type": "auth", "token": token::own("ann") }).to_string();
    let behind =
        [frame(FIN | TEXT, auth.as_bytes()), frame(FIN | TEXT, br#"{"n":1}"#), frame(FIN | TEXT, br#"{"n":2}"#)];
    let mut wire = Wire::over(connect(server.address).await, &request("/first", ""), &behind.concat()).await;
    assert_eq!(wire.hear().await, json!({ "n": 1 }));
    assert_eq!(wire.hear().await, json!({ "n": 2 }));
    wire.leave().await;

    let expired = token::own_until("ann", token::now() - 100);
    for (first, told) in [
        (json!({ "type": "auth", "token": "a.b.c" }).to_string(), (4001, "invalid")),
        (json!({ "type": "auth", "token": expired }).to_string(), (4002, "expired")),
        (json!({ "type": "hello" }).to_string(), (4000, "missing")),
        (json!({ "type": "auth" }).to_string(), (4000, "missing")),
        (r#"{"type":"auth","token":"a","token":"b"}"#.to_owned(), (4000, "missing")),
        ("rubbish".to_owned(), (4000, "missing")),
    ] {
        let mut wire = Wire::open(server.address, "/first").await;
        wire.say(&first).await;
        assert_eq!(wire.closed().await, (told.0, told.1.to_owned()), "{first}");
        wire.leave().await;
    }
    server.log().never_holds(&expired);
}

#[tokio::test]
async fn whoever_shows_nothing_in_time_is_told_so() {
    let server = server().await;
    let mut silent = Wire::open(server.address, "/first").await;
    assert_eq!(silent.closed_politely().await, (4000, "missing".to_owned()));
    // What others say did not reach somebody who was nobody yet.
    let mut waiting = Wire::open(server.address, "/first").await;
    let header = format!("authorization: Bearer {}\r\n", token::own("ann"));
    let mut inside = Wire::over(connect(server.address).await, &request("/first", &header), b"").await;
    inside.say(r#"{"secret":1}"#).await;
    assert_eq!(inside.hear().await, json!({ "secret": 1 }));
    assert_eq!(waiting.closed().await, (4000, "missing".to_owned()));
}

async fn ticket(server: &Server, headers: &str) -> Reply {
    http::post(server.address, "/tickets", "", headers).await
}

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let server = server().await;
    let bearer = format!("authorization: Bearer {}\r\n", token::own("ann"));
    let reply = ticket(&server, &bearer).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    let text = answer["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(text.len(), 43, "256 bits in base64url");
    assert_eq!(answer["expires_in"], 30);

    let target = format!("/all?ticket={text}");
    let tries = (0..32).map(|_| enters(&server, &target, ""));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "one of 32 at once: {outcomes:?}");
    assert_eq!(outcomes.into_iter().find(Result::is_err), Some(invalid()));
    assert_eq!(enters(&server, &target, "").await, invalid(), "and none later");
    server.log().never_holds(&text);
    assert_eq!(server.metrics().await.value("lychgate_tickets_total", &[("outcome", "ok")]), 1);
}

#[tokio::test]
async fn a_ticket_is_given_for_a_good_token_alone() {
    let server = server().await;
    for (headers, code) in [
        (String::new(), "missing"),
        ("authorization: Bearer a.b.c\r\n".to_owned(), "invalid"),
        (format!("authorization: Bearer {}\r\n", token::own_until("ann", token::now() - 100)), "expired"),
        ("authorization: Basic dTpw\r\n".to_owned(), "missing"),
    ] {
        let reply = ticket(&server, &headers).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, code), "{headers}");
        assert!(reply.header("www-authenticate").is_some());
    }
    assert_eq!(http::get(server.address, "/tickets").await.status, 405, "it takes a POST");
    // A ticket ends with its token.
    let bearer = format!("authorization: Bearer {}\r\n", token::own_until("ann", token::now() + 9));
    let left = ticket(&server, &bearer).await.json()["expires_in"].as_u64().expect("seconds");
    assert!((1..=9).contains(&left), "{left}");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_says_so_and_looks_at_nothing() {
    let server = server().await;
    let good = token::own("ann");
    for target in [format!("/old/{good}"), "/old/rubbish".to_owned(), format!("/old/x?token={good}")] {
        let mut wire = Wire::open(server.address, &target).await;
        assert_eq!(wire.closed_politely().await, (4010, "moved".to_owned()));
    }
    server.log().never_holds(&good);
    assert_eq!(server.metrics().await.value("lychgate_refusals_total", &[("reason", "gone")]), 3);
}
