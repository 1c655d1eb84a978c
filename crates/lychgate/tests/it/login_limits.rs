//! How often somebody may fail to log in, and how many may try at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::http::{Reply, form, get, post_form};
use crate::harness::log::says;
use crate::harness::{Server, Setup};

const PASSWORD: &str = "seven green bottles";
const WRONG: &str = "eight green bottles";

async fn server(overlay: &str) -> Server {
    Setup::ship().over(overlay).user("alice", PASSWORD).start().await
}

async fn log_in(server: &Server, user: &str, password: &str, forwarded: &str) -> Reply {
    let header = if forwarded.is_empty() { String::new() } else { format!("x-forwarded-for: {forwarded}\r\n") };
    post_form(server.address, "/token", &form(&[("username", user), ("password", password)]), &header).await
}

/// The answer to one try too many.
fn is_throttled(reply: &Reply, seconds_max: u64) {
    assert_eq!((reply.status, reply.code().as_str()), (429, "throttled"), "{reply:?}");
    let wait: u64 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds to wait");
    assert!((1..=seconds_max).contains(&wait), "{wait}");
}

#[tokio::test]
async fn the_sixth_failure_for_one_name_is_not_heard() {
    let server = server("").await;
    for attempt in 1..=5 {
        assert_eq!(log_in(&server, "alice", WRONG, "").await.status, 401, "attempt {attempt}");
    }
    // Five a minute: the next one is due after twelve seconds.
    is_throttled(&log_in(&server, "alice", WRONG, "").await, 12);
    is_throttled(&log_in(&server, "alice", PASSWORD, "").await, 12);
    is_throttled(&log_in(&server, "ALICE", PASSWORD, "").await, 12);
    assert_eq!(log_in(&server, "bob", WRONG, "").await.status, 401, "another name is still heard");
    let line = server.log().wait_for("the throttle", |line| says(line, "login throttled")).await;
    assert_eq!(line["address"], "127.0.0.1");
    assert!(line["request_id"].is_string() && line["retry_after_ms"].is_u64(), "{line}");
    assert_eq!(server.metrics().await.value("lychgate_logins_total", &[("outcome", "throttled")]), 3);
}

#[tokio::test]
async fn the_eleventh_failure_of_one_address_is_not_heard_whatever_the_name() {
    // A low limit for one name would answer first; a password too long to be looked at makes the failures quick.
    let server = server("").await;
    let long = "p".repeat(1025);
    for attempt in 1..=10 {
        let name = format!("name-{attempt}");
        assert_eq!(log_in(&server, &name, &long, "").await.status, 401, "{name}");
    }
    is_throttled(&log_in(&server, "name-11", &long, "").await, 6);
    is_throttled(&log_in(&server, "alice", PASSWORD, "").await, 6);
}

#[tokio::test]
async fn success_does_not_count() {
    let server =
        server("[login]\nfailures_per_minute_per_address = 3\nfailures_per_minute_per_address_and_user = 2").await;
    for attempt in 1..=5 {
        assert_eq!(log_in(&server, "alice", PASSWORD, "").await.status, 200, "attempt {attempt}");
    }
    for _ in 0..2 {
        assert_eq!(log_in(&server, "alice", WRONG, "").await.status, 401);
    }
    is_throttled(&log_in(&server, "alice", WRONG, "").await, 30);
}

#[tokio::test]
async fn a_forwarding_header_of_a_stranger_changes_nothing() {
    let server = server("").await;
    for last in 1..=5 {
        let reply = log_in(&server, "alice", WRONG, &format!("203.0.113.{last}")).await;
        assert_eq!(reply.status, 401);
    }
    is_throttled(&log_in(&server, "alice", WRONG, "203.0.113.6").await, 12);
    let lines = server.log().lines(|line| says(line, "login failed"));
    assert!(lines.iter().all(|line| line["address"] == "127.0.0.1"), "{lines:?}");
}

#[tokio::test]
async fn a_listed_proxy_is_believed_from_right_to_left() {
    let server = server("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]").await;
    // What the client wrote itself stands on the left; the proxy appends what it saw on the right.
    let chains = [
        "203.0.113.1",
        "198.51.100.7, 203.0.113.1",
        "203.0.113.2, 203.0.113.1, 127.0.0.9",
        "nonsense, 203.0.113.1",
        "203.0.113.1:4711",
    ];
    for chain in chains {
        assert_eq!(log_in(&server, "alice", WRONG, chain).await.status, 401, "{chain}");
    }
    is_throttled(&log_in(&server, "alice", WRONG, "203.0.113.9, 203.0.113.1").await, 12);
    assert_eq!(log_in(&server, "alice", WRONG, "203.0.113.1, 203.0.113.2").await.status, 401, "another client");
    assert_eq!(log_in(&server, "alice", PASSWORD, "").await.status, 200, "the proxy itself is nobody who failed");
    let lines = server.log().lines(|line| says(line, "login failed") && line["address"] == "203.0.113.1");
    assert_eq!(lines.len(), chains.len());
}

#[tokio::test]
async fn sixty_logins_at_once_are_heard_or_told_to_come_back_and_the_server_stays_awake() {
    let server = server(
        "[accounts]\nhash_permits = 1\nhash_queue = 2\n\
         [login]\nfailures_per_minute_per_address = 1000\nfailures_per_minute_per_address_and_user = 1000",
    )
    .await;
    let logins = join_all((0..60).map(|_| log_in(&server, "alice", PASSWORD, "")));
    let health = async {
        for _ in 0..5 {
            let asked = Instant::now();
            assert_eq!(get(server.operations, "/health/live").await.status, 200);
            assert!(asked.elapsed() < Duration::from_secs(5), "health took {:?}", asked.elapsed());
        }
    };
    let (replies, ()) = tokio::join!(logins, health);
    let (heard, busy): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert!(heard.len() >= 2, "some were heard: {}", heard.len());
    assert!(!busy.is_empty(), "a queue of two does not hold sixty");
    for reply in &busy {
        assert_eq!((reply.status, reply.code().as_str()), (503, "busy"), "{reply:?}");
        assert_eq!(reply.header("retry-after"), Some("2"));
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_logins_total", &[("outcome", "ok")]), heard.len() as u64);
    assert_eq!(metrics.value("lychgate_logins_total", &[("outcome", "busy")]), busy.len() as u64);
    assert_eq!(log_in(&server, "alice", PASSWORD, "").await.status, 200, "afterwards all is as before");
}
