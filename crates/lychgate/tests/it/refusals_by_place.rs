//! Where a token may be, how a refusal is told, and from which page one may come.

use serde_json::json;

use crate::harness::http::get;
use crate::harness::token::{now, own, own_until};
use crate::harness::wire::{ask, connect, request};
use crate::harness::{Client, Server, Setup, Wire, token};

const MISSING: &str = "Missing authentication token";
const INVALID: &str = "Invalid or expired token";

/// `Ok` for who gets in, otherwise code and reason of the close.
type Entry = Result<(), (u16, String)>;

/// Connects with this target and these headers.
async fn knock(server: &Server, target: &str, headers: &str) -> Entry {
    let tcp = connect(server.address).await;
    let mut wire = Wire::over(tcp, &request(target, headers), b"").await;
    wire.say(r#"{"knock":1}"#).await;
    let frame = wire.frame().await;
    if frame.opcode == 8 { Err(frame.close()) } else { Ok(()) }
}

fn told(reason: &str) -> Entry {
    Err((1008, reason.to_owned()))
}

#[tokio::test]
async fn only_a_listed_place_counts_and_only_one_token() {
    let token = own("alice");
    let bearer = format!("authorization: Bearer {token}\r\n");
    let in_query = format!("/ws?token={token}");
    let twice = format!("{in_query}&token={token}");
    let twice_escaped = format!("{in_query}&t%6Fken=x");
    let bearer_twice = bearer.repeat(2);
    let basic = "authorization: Basic dTpw\r\n";
    let protocol = format!("sec-websocket-protocol: {token}\r\n");
    let cookie = format!("cookie: token={token}\r\n");

    let query_alone = Setup::ship().start().await;
    let both = Setup::ship().over("[endpoint.ws]\ncredentials = [\"query:token\", \"header\"]").start().await;
    let header_alone = Setup::ship().over("[endpoint.ws]\ncredentials = [\"header\"]").start().await;
    let nowhere = Setup::ship().over("[endpoint.ws]\ncredentials = []").start().await;
    let cases: [(&str, &Server, &str, &str, Entry); 22] = [
        ("the query", &query_alone, &in_query, "", Ok(())),
        ("nothing", &query_alone, "/ws", "", told(MISSING)),
        ("a name without a value", &query_alone, "/ws?token=", "", told(MISSING)),
        ("a name alone", &query_alone, "/ws?token", "", told(MISSING)),
        ("another name", &query_alone, &format!("/ws?Token={token}"), "", told(MISSING)),
        ("an unlisted header", &query_alone, "/ws", &bearer, told(MISSING)),
        ("an unlisted header beside the query", &query_alone, &in_query, &bearer, Ok(())),
        ("a subprotocol", &query_alone, "/ws", &protocol, told(MISSING)),
        ("a cookie", &query_alone, "/ws", &cookie, told(MISSING)),
        ("twice in the query", &query_alone, &twice, "", told(INVALID)),
        ("twice, one escaped", &query_alone, &twice_escaped, "", told(INVALID)),
        ("a listed query", &both, &in_query, "", Ok(())),
        ("a listed header", &both, "/ws", &bearer, Ok(())),
        ("the scheme in other letters", &both, "/ws", &bearer.replace("Bearer", "bEARER"), Ok(())),
        ("query and header", &both, &in_query, &bearer, told(INVALID)),
        ("two headers", &both, "/ws", &bearer_twice, told(INVALID)),
        ("somebody else's scheme", &both, &in_query, basic, Ok(())),
        ("a bad one does not fall through", &both, "/ws?token=x", basic, told(INVALID)),
        ("the header alone", &header_alone, "/ws", &bearer, Ok(())),
        ("an unlisted query", &header_alone, &in_query, "", told(MISSING)),
        ("no place at all, and a token", &nowhere, &in_query, &bearer, told(MISSING)),
        ("no place at all", &nowhere, "/ws", "", told(MISSING)),
    ];
    for (what, server, target, headers, expected) in cases {
        assert_eq!(knock(server, target, headers).await, expected, "{what}");
    }
    for server in [&query_alone, &both, &header_alone, &nowhere] {
        server.log().never_holds(&token);
    }
    let metrics = query_alone.metrics().await;
    for (reason, count) in [("missing", 7), ("malformed", 2)] {
        assert_eq!(metrics.value("lychgate_refusals_total", &[("reason", reason)]), count, "{reason}");
    }
}

#[tokio::test]
async fn a_profile_may_refuse_before_the_upgrade() {
    let server = Setup::ship().over("[profile.policy]\nrefusal = \"http\"").start().await;
    let nameless = token::sign(&token::header(&[]), &token::claims(&[("sub", "7")]));
    let old = own_until("alice", now() - 60);
    let cases = [
        ("/ws".to_owned(), "missing", MISSING),
        ("/ws?token=x".to_owned(), "invalid", INVALID),
        (format!("/ws?token={old}"), "expired", INVALID),
        (format!("/ws?token={nameless}"), "payload", "Invalid token payload"),
    ];
    for (target, code, detail) in cases {
        let reply = ask(server.address, &request(&target, "")).await;
        assert_eq!(reply.status, 401, "{target}: {reply:?}");
        assert_eq!(reply.json(), json!({ "detail": detail, "code": code }), "{target}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{target}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(reply.header("upgrade"), None, "{target}");
    }
    let mut alice = Client::enter(&server, "alice").await;
    alice.say("{}").await;
    assert_eq!(alice.hear().await["user"], "alice");
    for reason in ["missing", "malformed", "expired", "payload_claim_shape"] {
        let count = server.metrics().await.value("lychgate_refusals_total", &[("reason", reason)]);
        assert_eq!(count, 1, "{reason}");
    }
}

#[tokio::test]
async fn a_token_just_past_its_end_enters_for_the_rest_of_the_leeway_and_an_older_one_does_not() {
    let server = Setup::ship().start().await;
    let exp = now() - 1;
    let mut alice = Wire::open(server.address, &format!("/ws?token={}", own_until("alice", exp))).await;
    alice.say("{}").await;
    assert_eq!(alice.hear().await["user"], "alice", "a clock that is a second late is forgiven");
    assert_eq!(alice.closed().await, (1008, INVALID.to_owned()));
    let closed_at = token::now_exactly();
    assert!(closed_at <= (exp + 5) as f64, "closed {} s after the end", closed_at - exp as f64);

    for age in [5, 6, 3600] {
        let token = own_until("alice", now() - age);
        assert_eq!(knock(&server, &format!("/ws?token={token}"), "").await, told(INVALID), "{age} s old");
    }
    assert_eq!(server.metrics().await.value("lychgate_refusals_total", &[("reason", "expired")]), 3);
}

#[tokio::test]
async fn a_development_server_hands_out_a_token_of_its_own_and_no_other_server_does() {
    let dev = Setup::dev().start().await;
    let reply = get(dev.address, "/test-token").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    assert!(answer["note"].as_str().is_some_and(|note| note.contains("'user'")), "{answer}");
    let test_token = answer["test_token"].as_str().expect("a token").to_owned();
    let mut user = Client::open(dev.address, &format!("/ws?token={test_token}")).await;
    user.say("{}").await;
    assert_eq!(user.hear().await["user"], "user");

    // Its own signature, and without an end: nobody else's secret makes one.
    assert_eq!(knock(&dev, &format!("/ws?token={}", own("user")), "").await, told(INVALID));
    let login = crate::harness::http::form(&[("username", "user"), ("password", "password")]);
    let reply = crate::harness::http::post_form(dev.address, "/token", &login, "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let token = reply.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(knock(&dev, &format!("/ws?token={token}"), "").await, Ok(()));

    let server = Setup::ship().start().await;
    assert_eq!(get(server.address, "/test-token").await.status, 404);
    assert_eq!(knock(&server, &format!("/ws?token={test_token}"), "").await, told(INVALID));
    dev.log().never_holds(&test_token);
    server.log().never_holds(&test_token);
}

#[tokio::test]
async fn a_page_may_connect_from_a_listed_origin_alone_and_a_program_from_anywhere() {
    let server = Setup::ship().over("[server]\norigins = [\"https://app.example.com\"]").start().await;
    let target = Server::at("/ws", "alice");
    let origin = |origin: &str| request(&target, &format!("origin: {origin}\r\n"));
    for listed in [origin("https://app.example.com"), request(&target, "")] {
        assert_eq!(ask(server.address, &listed).await.status, 101, "{listed}");
    }
    let strangers = [
        "https://evil.test",
        "https://app.example.com.evil.test",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://APP.example.com",
        "https://sub.app.example.com",
        "null",
        "",
        "https://app.example.com/",
        "https://app.example.com\r\norigin: https://evil.test",
        "https://app.example.com\r\norigin: https://app.example.com",
    ];
    for stranger in strangers {
        let reply = ask(server.address, &origin(stranger)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "origin"), "{stranger:?}: {reply:?}");
    }
    let open = Setup::ship().start().await;
    assert_eq!(
        ask(open.address, &origin("https://anywhere.test")).await.status,
        101,
        "no list, no rule: tokens are explicit"
    );
}
