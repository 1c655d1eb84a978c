//! The opening handshake (RFC 6455 section 4.2.1), the limits of a request, and how long one may take.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::time::{interval, sleep, timeout};

use crate::harness::http::{exchange, read_more, reply};
use crate::harness::wait::{until, within};
use crate::harness::wire::{ask, connect, request};
use crate::harness::{Client, Server, Setup};

/// The handshake of a good client, with some of its text replaced.
fn changed(target: &str, from: &str, to: &str) -> String {
    let request = request(target, "");
    assert_eq!(request.matches(from).count(), 1, "{from:?} stands in the request once");
    request.replace(from, to)
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_what_is_missing() {
    let server = Setup::ship().start().await;
    let target = Server::at("/ws", "alice");
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    let (upgrade, connection) = ("upgrade: websocket\r\n", "connection: Upgrade\r\n");
    let good = [
        request(&target, ""),
        changed(&target, upgrade, "UPGRADE: WebSocket\r\n"),
        changed(&target, connection, "connection: keep-alive, Upgrade\r\n"),
        changed(&target, connection, "connection: keep-alive\r\nconnection: upgrade\r\n"),
        request(&format!("http://gate{target}"), ""),
        request(&target, "sec-websocket-protocol: chat\r\nsec-websocket-extensions: permessage-deflate\r\n"),
    ];
    for request in good {
        let reply = ask(server.address, &request).await;
        assert_eq!(reply.status, 101, "{request}{reply:?}");
        assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for echoed in ["sec-websocket-protocol", "sec-websocket-extensions"] {
            assert_eq!(reply.header(echoed), None, "nothing was agreed on");
        }
    }
    let bad = [
        ("version 8", changed(&target, "13\r\n", "8\r\n"), 426, "version"),
        ("no version", changed(&target, version, ""), 426, "version"),
        ("two versions", changed(&target, version, &version.repeat(2)), 426, "version"),
        ("a list of versions", changed(&target, "13\r\n", "13, 8\r\n"), 426, "version"),
        ("no key", changed(&target, key, ""), 400, "key"),
        ("two keys", changed(&target, key, &key.repeat(2)), 400, "key"),
        ("a short key", changed(&target, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400, "key"),
        ("a long key", changed(&target, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSEh"), 400, "key"),
        (
            "a key that is no base64",
            changed(&target, "dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!=="),
            400,
            "key",
        ),
        ("no upgrade", changed(&target, upgrade, ""), 426, "upgrade"),
        ("another upgrade", changed(&target, "upgrade: websocket", "upgrade: h2c"), 426, "upgrade"),
        ("no connection header", changed(&target, connection, ""), 426, "upgrade"),
        ("the connection kept alive", changed(&target, connection, "connection: keep-alive\r\n"), 426, "upgrade"),
        ("POST", changed(&target, "GET ", "POST "), 405, "method"),
        ("PUT", changed(&target, "GET ", "PUT "), 405, "method"),
        ("HTTP/1.0", changed(&target, "HTTP/1.1", "HTTP/1.0"), 426, "upgrade"),
        ("a body", format!("{}hello", request(&target, "content-length: 5\r\n")), 400, "body"),
        ("an empty body", request(&target, "content-length: 0\r\n"), 400, "body"),
        ("chunks", format!("{}0\r\n\r\n", request(&target, "transfer-encoding: chunked\r\n")), 400, "body"),
        ("another path", request("/nowhere", ""), 404, "not_found"),
        ("a path below", request("/ws/alice", ""), 404, "not_found"),
    ];
    for (what, request, status, code) in bad {
        let reply = ask(server.address, &request).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{what}: {reply:?}");
        let told = [
            ("version", "sec-websocket-version", "13"),
            ("upgrade", "upgrade", "websocket"),
            ("method", "allow", "GET"),
        ];
        for (_, header, value) in told.into_iter().filter(|(of, ..)| *of == code) {
            assert_eq!(reply.header(header), Some(value), "{what}: {reply:?}");
        }
    }
    assert_eq!(server.metrics().await.value("lychgate_refusals_total", &[]), 0, "no token was looked at");
}

#[tokio::test]
async fn a_request_has_a_largest_size_in_each_direction() {
    let server = Setup::ship().start().await;
    let target = Server::at("/ws", "alice");
    let headers = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = |bytes: usize| format!("x-long: {}\r\n", "y".repeat(bytes));
    let padded = |bytes: usize| format!("{target}&pad={}", "y".repeat(bytes - target.len() - 5));
    let cases = [
        ("90 headers", request(&target, &headers(90)), 101),
        ("120 headers", request(&target, &headers(120)), 431),
        ("10,000 headers", request(&target, &headers(10_000)), 431),
        ("a head of 14 KiB", request(&target, &long(13 * 1024)), 101),
        ("a head of 20 KiB", request(&target, &long(20 * 1024)), 431),
        ("a target of 8 KiB", request(&padded(8 * 1024), ""), 101),
        ("a target of 8 KiB and a byte", request(&padded(8 * 1024 + 1), ""), 414),
        ("a target of 9 KiB", request(&padded(9 * 1024), ""), 414),
    ];
    for (what, request, status) in cases {
        let reply = ask(server.address, &request).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
    }
    Client::enter(&server, "alice").await;
}

#[tokio::test]
async fn a_request_that_two_readers_could_read_differently_is_refused() {
    let server = Setup::ship().start().await;
    let post = |headers: &str, body: &str| {
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        format!("POST /token HTTP/1.1\r\nhost: gate\r\n{form}{headers}\r\n{body}")
    };
    let smuggled = "0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: gate\r\n\r\n";
    let bad = [
        ("two lengths", post("content-length: 4\r\ncontent-length: 5\r\n", "a=bcd")),
        ("a length that is none", post("content-length: +4\r\n", "a=bc")),
        ("a negative length", post("content-length: -1\r\n", "a=bc")),
        ("an unknown encoding", post("transfer-encoding: chunked, x\r\n", smuggled)),
        ("a name with a space", post("content-length : 4\r\n", "a=bc")),
        ("a folded line", post("x: a\r\n b\r\ncontent-length: 4\r\n", "a=bc")),
        ("a null byte", post("x: a\0b\r\ncontent-length: 4\r\n", "a=bc")),
        ("no request", "hello\r\n\r\n".to_owned()),
        ("a future version", "GET /ws HTTP/3.0\r\n\r\n".to_owned()),
        ("another protocol", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".to_owned()),
    ];
    for (what, request) in bad {
        let mut tcp = connect(server.address).await;
        tcp.write_all(request.as_bytes()).await.expect("the server listens");
        if let Some(reply) = reply(&mut tcp).await {
            assert!((400..500).contains(&reply.status), "{what}: {reply:?}");
            let mut rest = reply.rest;
            while read_more(&mut tcp, &mut rest).await > 0 {}
            assert_eq!(rest, b"", "{what}: one answer, and the connection is over");
        }
    }
    // With both, the chunks count and the connection ends, so nothing behind them is a request (RFC 9112 section 6.1).
    let both = post("content-length: 4\r\ntransfer-encoding: chunked\r\n", smuggled);
    let mut tcp = connect(server.address).await;
    tcp.write_all(both.as_bytes()).await.expect("the server listens");
    let first = reply(&mut tcp).await.expect("an answer");
    assert_eq!(first.status, 400, "{first:?}");
    let mut rest = first.rest;
    while read_more(&mut tcp, &mut rest).await > 0 {}
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 200"), "a second request was taken out of a body");

    let good = exchange(server.address, post("content-length: 21\r\n", "username=a&password=b").as_bytes()).await;
    assert_eq!(good.status, 401, "{good:?}");
}

#[tokio::test]
async fn who_does_not_come_to_the_point_is_cut() {
    let server = Setup::ship().over("[limits]\nhandshake_timeout = \"1s\"").start().await;
    let good = request(&Server::at("/ws", "alice"), "");
    let mut alice = Client::enter(&server, "alice").await;

    let silent = async {
        let mut tcp = connect(server.address).await;
        until_cut("a silent one", &mut tcp).await;
    };
    let half = async {
        let mut tcp = connect(server.address).await;
        tcp.write_all(&good.as_bytes()[..60]).await.expect("the server listens");
        until_cut("half a request", &mut tcp).await;
    };
    let dripping = async {
        let (mut read, mut write) = connect(server.address).await.into_split();
        let mut drops = interval(Duration::from_millis(40));
        let drip = async {
            for byte in good.as_bytes().iter().cycle() {
                drops.tick().await;
                if write.write_all(std::slice::from_ref(byte)).await.is_err() {
                    break;
                }
            }
        };
        // At this pace the head would take ten times as long as it may.
        tokio::select! {
            () = until_cut("a byte now and then", &mut read) => {}
            () = drip => {}
        }
    };
    let idle = async {
        let mut tcp = connect(server.address).await;
        tcp.write_all(b"GET /nowhere HTTP/1.1\r\nhost: gate\r\n\r\n").await.expect("the server listens");
        assert_eq!(reply(&mut tcp).await.map(|reply| reply.status), Some(404));
        until_cut("a kept connection without a next request", &mut tcp).await;
    };
    let half_a_body = async {
        let head = "POST /token HTTP/1.1\r\nhost: gate\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        let request = format!("{head}connection: close\r\ncontent-length: 100\r\n\r\nusername=");
        let reply = exchange(server.address, request.as_bytes()).await;
        assert_eq!(reply.status, 408, "{reply:?}");
    };
    let in_time = async {
        let mut tcp = connect(server.address).await;
        let (first, second) = good.as_bytes().split_at(60);
        tcp.write_all(first).await.expect("the server listens");
        sleep(Duration::from_millis(100)).await;
        tcp.write_all(second).await.expect("the server listens");
        assert_eq!(reply(&mut tcp).await.map(|reply| reply.status), Some(101), "slow is not too slow");
    };
    tokio::join!(silent, half, dripping, idle, half_a_body, in_time);

    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1, "a WebSocket outlives the time for the handshake");
}

#[tokio::test]
async fn who_does_not_read_the_answers_is_cut() {
    let server = Setup::ship().over("[limits]\nhandshake_timeout = \"1s\"").start().await;
    let mut alice = Client::enter(&server, "alice").await;
    let base = server.descriptors();

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut tcp = socket.connect(server.address).await.expect("the server listens");
    let requests = "GET /nowhere HTTP/1.1\r\nhost: gate\r\n\r\n".repeat(1000);
    // Until nothing more is taken: then the server waits for a reader.
    while timeout(Duration::from_millis(500), tcp.write_all(requests.as_bytes())).await.is_ok_and(|sent| sent.is_ok()) {
    }

    until("the connection to be cut", async || match server.descriptors() {
        descriptors if descriptors <= base => Ok(()),
        descriptors => Err(format!("{descriptors} descriptors, {base} before")),
    })
    .await;
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1);
}

/// Reads until the server hangs up; it may say why before that.
async fn until_cut(what: &str, tcp: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut said = Vec::new();
    within(what, async { while read_more(tcp, &mut said).await > 0 {} }).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{what}: {said}");
}
