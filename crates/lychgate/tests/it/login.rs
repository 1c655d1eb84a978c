//! `POST /token`: what is answered, and what is logged about it.

use serde_json::json;

use crate::harness::http::{Reply, exchange, form, get, post, post_form};
use crate::harness::token::unpart;
use crate::harness::{Client, Server, Setup};

const PASSWORD: &str = "seven green bottles";
const WRONG: &str = "eight green bottles";

/// A server with an account and a disabled one.
async fn server() -> Server {
    Setup::ship().user("alice", PASSWORD).disabled_user("bob", PASSWORD).start().await
}

async fn log_in(server: &Server, user: &str, password: &str) -> Reply {
    post_form(server.address, "/token", &form(&[("username", user), ("password", password)]), "").await
}

/// Everything that is the same in two answers to the same question.
fn without_ids(reply: &Reply) -> (u16, Vec<&(String, String)>, &str) {
    let ids = ["date", "x-request-id"];
    (reply.status, reply.headers.iter().filter(|(name, _)| !ids.contains(&name.as_str())).collect(), reply.text())
}

#[tokio::test]
async fn right_wrong_unknown_and_disabled_are_answered_as_documented() {
    let server = server().await;

    let right = log_in(&server, "alice", PASSWORD).await;
    assert_eq!(right.status, 200, "{right:?}");
    assert_eq!(right.header("cache-control"), Some("no-store"));
    assert_eq!(right.header("pragma"), Some("no-cache"));
    let answer = right.json();
    let mut members: Vec<_> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "token_type"]);
    assert_eq!(answer["token_type"], "bearer");
    let token = answer["access_token"].as_str().expect("a token").to_owned();

    let mut alice = Client::open(server.address, &format!("/ws?token={token}")).await;
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["user"], "alice", "the token is good, and says who this is");

    let refused = [
        ("a wrong password", "alice", WRONG, 401, "bad_credentials", "Incorrect username or password"),
        ("nobody of this name", "carol", PASSWORD, 401, "bad_credentials", "Incorrect username or password"),
        ("a disabled account", "bob", PASSWORD, 403, "disabled", "User account is disabled"),
        ("a disabled account, guessed at", "bob", WRONG, 401, "bad_credentials", "Incorrect username or password"),
    ];
    for (what, user, password, status, code, detail) in refused {
        let reply = log_in(&server, user, password).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        assert_eq!(reply.json(), json!({ "detail": detail, "code": code }), "{what}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
        let challenge = (status == 401).then_some("Bearer");
        assert_eq!(reply.header("www-authenticate"), challenge, "{what}");
    }
    let wrong = log_in(&server, "alice", WRONG).await;
    let unknown = log_in(&server, "dora", WRONG).await;
    assert_eq!(without_ids(&wrong), without_ids(&unknown), "nobody learns which accounts there are");

    let metrics = server.metrics().await;
    for (outcome, count) in [("ok", 1), ("bad_credentials", 5), ("disabled", 1)] {
        assert_eq!(metrics.value("lychgate_logins_total", &[("outcome", outcome)]), count, "{outcome}");
    }
    server.log().never_holds(&token);
}

#[tokio::test]
async fn one_setting_rules_the_answer_and_the_token() {
    for (overlay, lifetime_s) in [("", 1800), ("[tokens]\nlifetime = \"95s\"", 95)] {
        let server = Setup::ship().over(overlay).user("alice", PASSWORD).start().await;
        let answer = log_in(&server, "alice", PASSWORD).await.json();
        assert_eq!(answer["expires_in"], lifetime_s);
        let parts: Vec<_> = answer["access_token"].as_str().expect("a token").split('.').collect();
        let (header, claims) = (unpart(parts[0]), unpart(parts[1]));
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
        let time = |claim: &str| claims[claim].as_u64().expect("whole seconds");
        assert_eq!(time("exp") - time("iat"), lifetime_s);
        assert_eq!(
            (&claims["sub"], &claims["iss"], &claims["aud"]),
            (&json!("alice"), &json!("lychgate"), &json!("lychgate"))
        );
        for id in ["jti", "sid"] {
            assert!(claims[id].as_str().is_some_and(|id| id.len() >= 32), "{id}: {claims}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_no_login_is_refused_before_any_password_is_looked_at() {
    let server = server().await;
    let right = form(&[("username", "alice"), ("password", PASSWORD)]);
    let cases = [
        ("no password", "username=alice".to_owned(), 400, "invalid_request"),
        ("no username", form(&[("password", PASSWORD)]), 400, "invalid_request"),
        ("nothing", String::new(), 400, "invalid_request"),
        ("two usernames", format!("{right}&username=bob"), 400, "invalid_request"),
        ("two passwords", format!("{right}&password=x"), 400, "invalid_request"),
        ("two usernames, one escaped", format!("{right}&user%6Eame=bob"), 400, "invalid_request"),
        ("two grant types", format!("{right}&grant_type=password&grant_type=password"), 400, "invalid_request"),
        ("another grant", format!("{right}&grant_type=client_credentials"), 400, "unsupported_grant_type"),
        ("the grant in capitals", format!("{right}&grant_type=PASSWORD"), 400, "unsupported_grant_type"),
    ];
    for (what, body, status, code) in &cases {
        let reply = post_form(server.address, "/token", body, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (*status, *code), "{what}: {reply:?}");
        assert!(!reply.text().contains("bottles"), "{what}: the answer repeats the password");
    }
    let json = json!({ "username": "alice", "password": PASSWORD }).to_string();
    for (what, content_type) in [("JSON", "content-type: application/json\r\n"), ("no type at all", "")] {
        let reply = post(server.address, "/token", &json, content_type).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "content_type"), "{what}: {reply:?}");
    }
    // Blank fields are a form, and nobody's password.
    for (user, password) in [("", PASSWORD), ("alice", ""), ("alice", "   "), ("  ", PASSWORD)] {
        let reply = log_in(&server, user, password).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "bad_credentials"), "{user:?} {password:?}");
    }
    let reply = get(server.address, &format!("/token?{right}")).await;
    assert_eq!(reply.status, 405, "a password in a target ends up in logs");

    for grant in ["", "&grant_type=", "&grant_type=password", "&scope=&client_id=web"] {
        let reply = post_form(server.address, "/token", &format!("{right}{grant}"), "").await;
        assert_eq!(reply.status, 200, "{grant}: {reply:?}");
    }
    server.log().never_holds("bottles");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit_and_a_password_up_to_its_own() {
    let server = server().await;
    let right = form(&[("username", "alice"), ("password", PASSWORD), ("pad", "")]);
    let padded = |bytes: usize| format!("{right}{}", "x".repeat(bytes - right.len()));

    let reply = post_form(server.address, "/token", &padded(16 * 1024), "").await;
    assert_eq!(reply.status, 200, "the limit itself is no fault: {reply:?}");
    for bytes in [16 * 1024 + 1, 1024 * 1024] {
        let reply = post_form(server.address, "/token", &padded(bytes), "").await;
        assert_eq!((reply.status, reply.code().as_str()), (413, "too_large"), "{bytes} bytes: {reply:?}");
    }
    let body = padded(20 * 1024);
    let head = "POST /token HTTP/1.1\r\nhost: gate\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let reply = exchange(server.address, chunked.as_bytes()).await;
    assert_eq!(reply.status, 413, "without a length, too: {reply:?}");

    let long = "p".repeat(1025);
    let reply = log_in(&server, "alice", &long).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "bad_credentials"));
    let huge = "p".repeat(1024 * 1024);
    assert_eq!(log_in(&server, "alice", &huge).await.status, 413);
    assert_eq!(log_in(&server, "alice", PASSWORD).await.status, 200, "the server goes on");
}

#[tokio::test]
async fn a_password_is_taken_as_the_bytes_it_was_set_to() {
    let odd = "p+ß %26=&\u{1f511} \"quoted\"";
    let server = Setup::ship().user("alice", odd).start().await;
    assert_eq!(log_in(&server, "alice", odd).await.status, 200);
    assert_eq!(log_in(&server, "alice", &odd.replace('+', " ")).await.status, 401);
    assert_eq!(log_in(&server, "Alice", odd).await.status, 401, "a name is compared byte for byte");
    server.log().never_holds("quoted");
}

#[tokio::test]
async fn a_page_may_log_in_from_a_listed_origin_alone() {
    let server =
        Setup::ship().over("[server]\norigins = [\"https://app.example.com\"]").user("alice", PASSWORD).start().await;
    let preflight = async |origin: &str| {
        let headers = "access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n";
        let request =
            format!("OPTIONS /token HTTP/1.1\r\nhost: gate\r\nconnection: close\r\norigin: {origin}\r\n{headers}\r\n");
        exchange(server.address, request.as_bytes()).await
    };
    let listed = preflight("https://app.example.com").await;
    assert_eq!(listed.status, 200, "{listed:?}");
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(listed.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert!(listed.header("access-control-allow-headers").is_some_and(|headers| headers.contains("content-type")));
    assert_eq!(listed.header("access-control-allow-credentials"), None, "tokens are explicit: no cookie goes along");

    let strangers =
        ["https://app.example.com.evil.test", "http://app.example.com", "https://app.example.com:444", "null"];
    for origin in strangers {
        let reply = preflight(origin).await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}: {reply:?}");
    }
    let body = form(&[("username", "alice"), ("password", PASSWORD)]);
    let reply = post_form(server.address, "/token", &body, "origin: https://app.example.com\r\n").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"));
    let exposed = reply.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn a_page_of_this_machine_may_log_in_to_a_development_server_alone() {
    let (dev, server) = (Setup::dev().start().await, server().await);
    for (origin, of_this_machine) in [
        ("http://localhost:3000", true),
        ("http://127.0.0.1:5173", true),
        ("http://localhost.evil.test", false),
        ("https://app.example.com", false),
    ] {
        let login = form(&[("username", "user"), ("password", "password")]);
        let header = format!("origin: {origin}\r\n");
        let reply = post_form(dev.address, "/token", &login, &header).await;
        assert_eq!(reply.header("access-control-allow-origin"), of_this_machine.then_some(origin), "{origin}");
        let reply = post_form(server.address, "/token", &login, &header).await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn the_log_has_each_attempt_with_its_id_and_address_and_no_password() {
    let server = server().await;
    let attempts = [
        ("alice", PASSWORD, "login", None),
        ("alice", WRONG, "login failed", Some("bad_credentials")),
        ("bob", PASSWORD, "login failed", Some("disabled")),
    ];
    for (user, password, message, reason) in attempts {
        let reply = log_in(&server, user, password).await;
        let id = reply.header("x-request-id").expect("an id").to_owned();
        assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let line = server.log().wait_for(&format!("request {id}"), |line| line["request_id"] == *id).await;
        assert_eq!(line["message"], message, "{line}");
        assert_eq!(line["address"], "127.0.0.1", "{line}");
        assert_eq!(line.get("reason").and_then(|reason| reason.as_str()), reason, "{line}");
    }
    server.log().never_holds("bottles");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = Setup::ship().over("[login]\nenabled = false").start().await;
    for path in ["/token", "/", "/ws/alice", "/metrics", "/health/live", "/test-token"] {
        let reply = get(server.address, path).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "{path}: {reply:?}");
    }
    assert_eq!(post_form(server.address, "/token", "username=a&password=b", "").await.status, 404);
    for path in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(get(server.operations, path).await.status, 200, "{path} is on the other port");
    }
    let same = Setup::of("[server]\noperations_listen = \"127.0.0.1:0\"").start().await;
    assert_eq!(get(same.address, "/ws").await.status, 404, "no endpoint was configured");
}

#[tokio::test]
async fn what_a_stranger_writes_makes_no_line_of_its_own_in_the_log() {
    let server = Setup::ship().over("[server]\ntrusted_proxies = [\"127.0.0.1/32\"]").start().await;
    let forged = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\",\"user\":\"root\"}\n\u{1b}[2J";
    let body = form(&[("username", forged), ("password", forged)]);
    let reply = post_form(server.address, "/token", &body, "x-forwarded-for: 203.0.113.7\r\n").await;
    let id = reply.header("x-request-id").expect("an id").to_owned();
    let line = server.log().wait_for("the attempt itself", |line| line["request_id"] == *id).await;
    assert_eq!(line["address"], "203.0.113.7", "what is logged comes from checked values: {line}");
    assert!(server.log().lines(|line| line["message"] == "forged").is_empty());
    server.log().never_holds("forged");
}

#[tokio::test]
async fn a_form_on_a_foreign_page_gains_nothing() {
    let server = server().await;
    let body = form(&[("username", "alice"), ("password", PASSWORD)]);
    let reply = post_form(server.address, "/token", &body, "origin: https://evil.test\r\n").await;
    assert_eq!(reply.status, 200, "the password was right: {reply:?}");
    assert_eq!(reply.header("set-cookie"), None, "so no later request of that browser carries anything");
    assert_eq!(reply.header("access-control-allow-origin"), None, "and the page cannot read the answer");
}
