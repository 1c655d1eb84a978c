//! Who is let in without a WebSocket, and how the others are told.

use serde_json::json;

use super::listener::{Listener, Way, connect};
use super::{begin, with_fallbacks};
use crate::harness::Server;
use crate::harness::http::{Reply, exchange};
use crate::harness::token::{now, own, own_until};

const LISTED: &str = "origin: https://app.example.com\r\n";
const FOREIGN: &str = "origin: https://evil.example.com\r\n";

async fn refused(server: &Server, way: Way, path: &str, first: &str, headers: &str) -> Reply {
    exchange(server.address, way.request(path, first, headers).as_bytes()).await
}

async fn options(server: &Server, path: &str, headers: &str) -> Reply {
    let asks = "access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n";
    let request = format!("OPTIONS {path} HTTP/1.1\r\nhost: gate\r\n{asks}{headers}\r\n");
    exchange(server.address, request.as_bytes()).await
}

#[tokio::test]
async fn a_refusal_is_told_behind_the_answer_so_that_pages_can_read_it() {
    let server = begin().await;
    for way in Way::BOTH {
        for (path, first, told) in [
            ("/many", connect("x.y.z"), (3500, "invalid token")),
            ("/many", json!({ "id": 1, "connect": {} }).to_string(), (3500, "authentication required")),
            ("/many", "nonsense".to_owned(), (3501, "bad request")),
            ("/many", json!({ "id": 1, "subscribe": { "channel": "chat:1" } }).to_string(), (3501, "bad request")),
            ("/hasty", "{}".to_owned(), (3501, "bad request")),
        ] {
            let mut client = Listener::open(&server, way, path, &first).await;
            assert_eq!(client.told().await, super::super::told(told.0, told.1), "{way:?}: {first}");
        }
        // One whose token is over may come back, and is not waited for.
        let mut late = Listener::open(&server, way, "/hasty", &connect(&own_until("ann", now() - 60))).await;
        assert_eq!(late.line().await["error"]["code"], 109);
        assert_eq!(late.told().await, super::super::told(3502, "stale"));
        // The control.
        Listener::enter(&server, way, "/many", "ann").await;
    }
}

#[tokio::test]
async fn a_token_may_stand_in_the_request_as_well() {
    let server = begin().await;
    let none = json!({ "id": 1, "connect": {} }).to_string();
    for way in Way::BOTH {
        let tcp = async || tokio::net::TcpStream::connect(server.address).await.expect("it listens");
        let header = format!("authorization: Bearer {}\r\n", own("ann"));
        let mut ann = Listener::over(&server, tcp().await, way, "/many", &none, &header).await;
        ann.connected().await;
        let bad = "authorization: Bearer x.y.z\r\n";
        let mut nobody = Listener::over(&server, tcp().await, way, "/many", &none, bad).await;
        assert_eq!(nobody.told().await, super::super::told(3500, "invalid token"));
        // Where the profile says so, the request is refused instead.
        let cookie = format!("{LISTED}cookie: token={}\r\n", own("ann"));
        let mut by_cookie = Listener::over(&server, tcp().await, way, "/listed", &none, &cookie).await;
        by_cookie.connected().await;
        let ambient = refused(&server, way, "/listed", &none, &format!("cookie: token={}\r\n", own("ann"))).await;
        assert_eq!((ambient.status, &*ambient.code()), (403, "origin"), "a cookie without an origin");
    }
    // In the query beside the commands, by the one way that has a query anyway.
    let request = |token: &str| {
        format!(
            "POST /strict/http_stream?token={token} HTTP/1.1\r\nhost: gate\r\ncontent-length: {}\r\n\r\n{none}",
            none.len()
        )
    };
    let reply = exchange(server.address, request("x.y.z").as_bytes()).await;
    assert_eq!((reply.status, &*reply.code()), (401, "invalid"), "{reply:?}");
    let reply = exchange(server.address, request(&own("ann")).as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_request_that_could_come_to_nothing_is_refused_before_anybody_is_asked() {
    let server = begin().await;
    let good = connect(&own("ann"));
    let long = json!({ "id": 1, "connect": { "token": own("ann"), "data": "x".repeat(1100) } }).to_string();
    for way in Way::BOTH {
        for (path, first, headers, wanted) in [
            ("/many", "", "", (400, "commands")),
            ("/small", &*long, "", (413, "too_large")),
            ("/listed", &*good, FOREIGN, (403, "origin")),
        ] {
            let reply = refused(&server, way, path, first, headers).await;
            assert_eq!((reply.status, &*reply.code()), wanted, "{way:?} {path}: {reply:?}");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            assert_eq!(reply.header("access-control-allow-origin"), None, "{reply:?}");
        }
    }
    for (request, allow) in [("PUT /many/sse", "GET"), ("POST /many/sse", "GET"), ("GET /many/http_stream", "POST")] {
        let request = format!("{request} HTTP/1.1\r\nhost: gate\r\ncontent-length: 0\r\n\r\n");
        let reply = exchange(server.address, request.as_bytes()).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{reply:?}");
    }
    let twice = "GET /many/sse?cf_connect=%7B%7D&cf_connect=%7B%7D HTTP/1.1\r\nhost: gate\r\n\r\n";
    let reply = exchange(server.address, twice.as_bytes()).await;
    assert_eq!((reply.status, &*reply.code()), (400, "commands"), "two readers could choose differently");
    // What stands in a target has the limit of targets, which comes first.
    let wide = json!({ "id": 1, "connect": { "token": own("ann"), "data": "x".repeat(9_000) } }).to_string();
    let reply = refused(&server, Way::Sse, "/many", &wide, "").await;
    assert_eq!((reply.status, &*reply.code()), (414, "target"), "{reply:?}");
    Listener::open(&server, Way::HttpStream, "/many", &wide).await.connected().await;
    for way in Way::BOTH {
        Listener::enter(&server, way, "/small", "ann").await;
        Listener::over(
            &server,
            tokio::net::TcpStream::connect(server.address).await.expect("it listens"),
            way,
            "/listed",
            &good,
            LISTED,
        )
        .await
        .connected()
        .await;
    }
    server.log().never_holds(&own("ann")[20..]);
}

#[tokio::test]
async fn browsers_are_told_which_pages_may_read() {
    let server = begin().await;
    let good = connect(&own("ann"));
    for (path, headers, status, origin, credentials) in [
        ("/listed/http_stream", LISTED, 204, Some("https://app.example.com"), Some("true")),
        ("/listed/sse", LISTED, 204, Some("https://app.example.com"), Some("true")),
        ("/listed/sse", FOREIGN, 403, None, None),
        // Without a list every page may come with a token of its own, and with nothing of its user's.
        ("/many/http_stream", FOREIGN, 204, Some("https://evil.example.com"), None),
        ("/emulation", LISTED, 204, Some("https://app.example.com"), Some("true")),
    ] {
        let reply = options(&server, path, headers).await;
        assert_eq!(reply.status, status, "{path} {headers}: {reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), origin, "{path} {headers}: {reply:?}");
        assert_eq!(reply.header("access-control-allow-credentials"), credentials, "{path} {headers}: {reply:?}");
        assert_eq!(reply.header("vary"), Some("origin"));
        if status == 204 {
            assert_eq!(reply.header("access-control-max-age"), Some("300"));
            let allowed = reply.header("access-control-allow-headers").unwrap_or_default();
            assert!(allowed.contains("content-type"), "{reply:?}");
            let methods = reply.header("access-control-allow-methods").unwrap_or_default();
            assert_eq!(methods, if path.ends_with("sse") { "GET, OPTIONS" } else { "POST, OPTIONS" });
        }
    }
    let tcp = tokio::net::TcpStream::connect(server.address).await.expect("it listens");
    let page = Listener::over(&server, tcp, Way::HttpStream, "/listed", &good, LISTED).await;
    assert_eq!(page.head.header("access-control-allow-origin"), Some("https://app.example.com"));
    let refusal = refused(&server, Way::HttpStream, "/listed", "", LISTED).await;
    assert_eq!(refusal.header("access-control-allow-origin"), Some("https://app.example.com"), "errors, too");
}

#[tokio::test]
async fn limits_of_connections_count_these_as_well() {
    let limits =
        "[limits]\nconnections_per_user = 2\nconnects_per_second_per_address = 1\nconnects_burst_per_address = 4\n";
    let server = with_fallbacks().over(limits).start().await;
    let _first = Listener::enter(&server, Way::Sse, "/many", "ann").await;
    let _second = super::enter(&server, "ann").await;
    let mut third = Listener::open(&server, Way::HttpStream, "/many", &connect(&own("ann"))).await;
    assert_eq!(third.told().await.0, 3504, "the third of one user");
    let mut other = Listener::open(&server, Way::HttpStream, "/many", &connect(&own("bob"))).await;
    other.connected().await;
    let reply = refused(&server, Way::Sse, "/many", &connect(&own("cleo")), "").await;
    assert_eq!((reply.status, &*reply.code()), (503, "connect_rate"), "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    other.hears_nothing("requests to say something do not count as connections").await;
}
