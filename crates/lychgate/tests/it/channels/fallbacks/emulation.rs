//! What clients say by requests: for whom they speak, how much they may say, and what nobody else can do.

use serde_json::json;

use super::listener::{Listener, Way};
use super::{are_in, begin, with_fallbacks};
use crate::harness::application::SECRET;
use crate::harness::http::post;
use crate::harness::{Application, Server};

fn body(session: &str, node: &str, data: &str) -> String {
    json!({ "session": session, "node": node, "data": data }).to_string()
}

async fn emulated(server: &Server, outcome: &str) -> u64 {
    server.metrics().await.value("lychgate_emulation_requests_total", &[("outcome", outcome)])
}

#[tokio::test]
async fn nobody_speaks_for_a_session_that_they_do_not_know() {
    let server = begin().await;
    for way in Way::BOTH {
        let mut ann = Listener::enter(&server, way, "/many", "ann").await;
        let said = r#"{"id":7,"rpc":{"method":"x"}}"#;
        let (session, node) = (ann.session.clone(), ann.node.clone());
        let mut other: Vec<u8> = session.clone().into_bytes();
        other[31] = if other[31] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).expect("text");
        for (case, session, node, status) in [
            ("another session", &*other, &*node, 204),
            ("no session", "", &node, 204),
            ("capital letters", &session.to_uppercase(), &node, 204),
            ("another node", &session, "00000000", 404),
            ("no node", &session, "", 404),
        ] {
            let reply = ann.post_with(&body(session, node, said), "").await;
            assert_eq!(reply.status, status, "{case}: {reply:?}");
            if session == ann.session.to_uppercase() && ann.session.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            ann.hears_nothing(case).await;
        }
        ann.say(said).await;
        assert_eq!(ann.line().await["id"], 7, "the control");
        server.log().never_holds(&session);
    }
    assert_eq!(emulated(&server, "node").await, 4);
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_and_costs_the_session_nothing() {
    let server = begin().await;
    let mut ann = Listener::enter(&server, Way::HttpStream, "/small", "ann").await;
    let (session, node) = (ann.session.clone(), ann.node.clone());
    let long = format!(r#"{{"id":7,"rpc":{{"method":"{}"}}}}"#, "x".repeat(1024));
    for (case, body, wanted) in [
        ("no JSON", "nonsense".to_owned(), (400, "body")),
        ("an array", "[]".to_owned(), (400, "body")),
        ("nothing", String::new(), (400, "body")),
        ("data that is no text", json!({ "session": session, "node": node, "data": {} }).to_string(), (400, "body")),
        ("nothing said", body(&session, &node, ""), (400, "data")),
        ("a message that is too long", body(&session, &node, &long), (413, "too_large")),
        ("a body that is too long", body(&session, &node, &"x".repeat(200_000)), (413, "too_large")),
    ] {
        let reply = ann.post_with(&body, "").await;
        assert_eq!((reply.status, &*reply.code()), wanted, "{case}: {reply:?}");
        ann.hears_nothing(case).await;
    }
    let request = "GET /emulation HTTP/1.1\r\nhost: gate\r\n\r\n";
    let reply = crate::harness::http::exchange(server.address, request.as_bytes()).await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    // What the session itself is told is told there.
    ann.say("nonsense").await;
    assert_eq!(ann.told().await, super::super::bad_request());
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_speak() {
    let server = with_fallbacks().over("[endpoint.many]\norigins = [\"https://other.example.com\"]\n").start().await;
    let headers = "origin: https://app.example.com\r\n";
    let tcp = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    let first = super::connect(&crate::harness::token::own("ann"));
    let mut ann = Listener::over(&server, tcp, Way::Sse, "/listed", &first, headers).await;
    ann.connected().await;
    let say = body(&ann.session, &ann.node, r#"{"id":7,"rpc":{"method":"x"}}"#);
    for origin in ["https://other.example.com", "https://evil.example.com"] {
        let reply = ann.post_with(&say, &format!("origin: {origin}\r\n")).await;
        assert_eq!((reply.status, &*reply.code()), (403, "origin"), "{origin}");
        ann.hears_nothing(origin).await;
    }
    let reply = ann.post_with(&say, headers).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(ann.line().await["id"], 7);
}

#[tokio::test]
async fn nothing_is_taken_for_a_session_that_is_over() {
    let server = begin().await;
    for way in Way::BOTH {
        let mut ann = Listener::enter(&server, way, "/many", "ann").await;
        ann.subscribe("square:b").await;
        are_in(&server, "square:b", &["ann"]).await;
        let (session, node) = (ann.session.clone(), ann.node.clone());
        drop(ann);
        are_in(&server, "square:b", &[]).await;
        let publish = r#"{"id":8,"publish":{"channel":"square:b","data":"from the dead"}}"#;
        let reply = post(server.address, "/emulation", &body(&session, &node, publish), "").await;
        assert_eq!(reply.status, 204);
        let mut bob = super::enter(&server, "bob").await;
        let history = bob.result("history", json!({ "channel": "square:b", "limit": 10 })).await;
        assert_eq!(history["publications"], json!([]), "{history}");
    }
}

#[tokio::test]
async fn protobuf_goes_both_ways() {
    let server = begin().await;
    // A connect without a token, for a visitor, with a reply that is read by its length alone.
    let connect = b"\x04\x08\x01\x22\x00";
    let head = format!(
        "POST /open/http_stream HTTP/1.1\r\nhost: gate\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        connect.len()
    );
    let mut tcp = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    let request = [head.as_bytes(), connect].concat();
    tokio::io::AsyncWriteExt::write_all(&mut tcp, &request).await.expect("it reads");
    let reply = crate::harness::http::reply(&mut tcp).await.expect("an answer");
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    let mut raw = [reply.body, reply.rest].concat();
    let mut message = async |raw: &mut Vec<u8>| loop {
        if let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).expect("a size"), 16).expect("a size");
            if raw.len() >= end + 4 + size {
                let message = raw[end + 2..end + 2 + size].to_vec();
                raw.drain(..end + 4 + size);
                return message;
            }
        }
        assert!(crate::harness::http::read_more(&mut tcp, raw).await > 0, "the answer was cut off");
    };
    let connected = message(&mut raw).await;
    assert_eq!(&connected[1..4], [0x08, 0x01, 0x2a], "a reply to 1 that is a connect: {connected:?}");
    let text = String::from_utf8_lossy(&connected).into_owned();
    // Fields 9 and 10 of the result: the session and the node.
    let at = connected.windows(2).position(|pair| pair == [0x4a, 32]).expect("a session") + 2;
    let session = std::str::from_utf8(&connected[at..at + 32]).unwrap_or_else(|_| panic!("no session: {text}"));
    assert_eq!(connected[at + 32], 0x52);
    let node = &connected[at + 34..at + 34 + usize::from(connected[at + 33])];
    let command = b"\x0f\x08\x02\x2a\x0b\x0a\x09news:test";
    let mut request = vec![0x0a, node.len() as u8];
    request.extend_from_slice(node);
    request.extend_from_slice(&[0x12, 32]);
    request.extend_from_slice(session.as_bytes());
    request.extend_from_slice(&[0x1a, command.len() as u8]);
    request.extend_from_slice(command);
    let head = format!(
        "POST /emulation HTTP/1.1\r\nhost: gate\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        request.len()
    );
    let reply = crate::harness::http::exchange(server.address, &[head.as_bytes(), &request].concat()).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(message(&mut raw).await, b"\x04\x08\x02\x32\x00", "a reply to 2 that is a subscribe");
}

#[tokio::test]
async fn as_much_may_wait_for_a_session_as_may_and_then_it_is_told() {
    let application = Application::bind().await;
    let source = format!("[source.app]\nurl = \"{}\"\nsecret_env = \"APP_SECRET\"\n", application.url());
    let asks = "[endpoint.many]\non_rpc = \"app\"\nmessages_per_second = 1000\nmessages_burst = 1000\n";
    let server = with_fallbacks().over(&source).over(asks).variable("APP_SECRET", SECRET).start().await;
    let mut ann = Listener::enter(&server, Way::HttpStream, "/many", "ann").await;
    let mut bob = Listener::enter(&server, Way::HttpStream, "/many", "bob").await;
    ann.say(r#"{"id":2,"rpc":{"method":"slow"}}"#).await;
    let call = application.call().await;
    // It waits for the application, and so does what it says meanwhile.
    let mut taken = 0;
    let refusal = loop {
        let reply = ann.post(&json!({ "id": 3 + taken, "presence": { "channel": "square:a" } }).to_string()).await;
        if reply.status != 204 {
            break reply;
        }
        taken += 1;
        assert!(taken <= 64, "without end");
    };
    assert_eq!((taken, refusal.status, &*refusal.code()), (64, 429, "inbox"), "{refusal:?}");
    assert_eq!(refusal.header("retry-after"), Some("1"));
    assert_eq!(emulated(&server, "inbox").await, 1);
    bob.hears_nothing("another one feels nothing of it").await;
    call.answer(200, "{}").await;
    for id in 2..3 + taken {
        assert_eq!(ann.line().await["id"], id, "in their order");
    }
    ann.hears_nothing("and then it goes on").await;
}

#[tokio::test]
async fn requests_are_counted_beside_the_commands_in_them() {
    // A command a second, and as many at once as there are channels, and one.
    let server = with_fallbacks().over("[limits]\nping_interval = \"1h\"\n").start().await;
    let mut ann = Listener::enter(&server, Way::Sse, "/slow", "ann").await;
    let (mut answered, mut too_many) = (0, 0);
    let refusal = loop {
        let id = 2 + answered + too_many;
        let reply = ann.post(&json!({ "id": id, "presence": { "channel": "square:a" } }).to_string()).await;
        if reply.status != 204 {
            break reply;
        }
        let line = ann.line().await;
        match line["error"]["code"].as_u64() {
            None => answered += 1,
            Some(code) => {
                assert_eq!((code, &line["id"]), (111, &json!(id)), "too many commands: {line}");
                too_many += 1;
            }
        }
        assert!(answered + too_many < 100, "without end");
    };
    assert!(answered > 0 && too_many > 0, "the client itself is told first: {answered}, {too_many}");
    assert_eq!((refusal.status, &*refusal.code()), (429, "rate"), "{refusal:?}");
    assert!(refusal.header("retry-after").is_some());
}
