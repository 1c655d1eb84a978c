//! How a connection without a WebSocket ends: always with a word to who still listens, and never with a ghost.

use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpSocket;

use super::listener::{Listener, Way, connect};
use super::{are_in, begin, with_fallbacks};
use crate::harness::process::program;
use crate::harness::token::{now, own, own_until};
use crate::harness::wait::until;
use crate::harness::{Server, http};

const MESSAGE_BYTES: usize = 60 * 1024;

/// Far more than the kernel's buffers and a queue can hide for one connection.
const MESSAGES_MAX: usize = 2_000;

async fn closed_as(server: &Server, event: &str) -> u64 {
    server.metrics().await.value("lychgate_closes_total", &[("endpoint", "many"), ("event", event)])
}

#[tokio::test]
async fn whoever_hangs_up_has_left() {
    let server = begin().await;
    let mut bob = super::enter(&server, "bob").await;
    bob.subscribe("square:a").await;
    bob.push().await;
    for way in Way::BOTH {
        let mut ann = Listener::enter(&server, way, "/many", "ann").await;
        ann.subscribe("square:a").await;
        assert_eq!(bob.push().await["join"]["info"]["user"], "ann");
        drop(ann);
        assert_eq!(bob.push().await["leave"]["info"]["user"], "ann", "{way:?}");
    }
    are_in(&server, "square:a", &["bob"]).await;
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_says_so() {
    let server = begin().await;
    for way in Way::BOTH {
        let exp = now() + 2;
        let mut left = Listener::open(&server, way, "/many", &connect(&own_until("ann", exp))).await;
        left.connected().await;
        let mut renewed = Listener::open(&server, way, "/many", &connect(&own_until("ann", exp))).await;
        renewed.connected().await;
        renewed.result("refresh", json!({ "token": own("ann") })).await;
        assert_eq!(left.told().await, super::super::told(3005, "connection expired"));
        renewed.hears_nothing("it goes on").await;
        // The connection below is as good as any, once the answer has come to its end.
        let next = left.goes_on_with("GET /nothing HTTP/1.1\r\nhost: gate\r\n\r\n").await;
        assert_eq!(next.status, 404);
    }
}

#[tokio::test]
async fn the_application_ends_a_session_in_its_own_words() {
    let (server, setup) = with_fallbacks().start_and_keep().await;
    let mut command = program();
    command.args(["apikey", "create", "app", "--scope", "channels:manage"]);
    setup.name_files(&mut command);
    let output = command.output().expect("the command ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = String::from_utf8(output.stdout).expect("text").trim().to_owned();
    for way in Way::BOTH {
        let mut ann = Listener::enter(&server, way, "/many", "ann").await;
        ann.subscribe("square:a").await;
        ann.push().await;
        let headers = format!("x-api-key: {key}\r\n");
        let put = json!({ "user": "ann", "channel": "chat:9" }).to_string();
        assert_eq!(http::post(server.address, "/api/subscribe", &put, &headers).await.status, 200);
        assert_eq!(ann.push().await["channel"], "chat:9");
        let body = json!({ "user": "ann", "disconnect": { "code": 4501, "reason": "go home" } }).to_string();
        let reply = http::post(server.address, "/api/disconnect", &body, &headers).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(ann.told().await, super::super::told(4501, "go home"));
        are_in(&server, "square:a", &[]).await;
    }
}

#[tokio::test]
async fn the_servers_stop_is_told_and_waits_for_nobody() {
    let stop = "[server]\ndrain_not_ready = \"0s\"\ndrain_spread = \"500ms\"\ndrain_total = \"20s\"\n";
    let mut server = with_fallbacks().over(stop).start().await;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(Listener::enter(&server, Way::BOTH[n % 2], "/many", &format!("client-{n}")).await);
    }
    server.process.terminate();
    for client in &mut clients {
        assert_eq!(client.told().await.0, 1012);
    }
    // Their connections are still open, and nobody hangs up.
    assert_eq!(server.process.exited().await.code(), Some(0));
    server.log().ended().await;
    assert!(!server.log().text().contains("cutting what is left"), "nobody had to be cut");
}

#[tokio::test]
async fn a_second_signal_cuts_at_once() {
    let stop = "[server]\ndrain_not_ready = \"10m\"\ndrain_spread = \"10m\"\ndrain_total = \"30m\"\n";
    let mut server = with_fallbacks().over(stop).start().await;
    let mut ann = Listener::enter(&server, Way::Sse, "/many", "ann").await;
    server.process.terminate();
    until("readiness to say no", async || match http::get(server.operations, "/health/ready").await.status {
        503 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    ann.hears_nothing("one signal alone leaves the time it was given").await;
    server.process.terminate();
    ann.is_cut().await;
    assert_eq!(server.process.exited().await.code(), Some(0));
}

/// One that takes as little as the kernel lets it, and is not read from.
async fn stuck(server: &Server, way: Way, sub: &str) -> Listener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let tcp = socket.connect(server.address).await.expect("the server listens");
    let mut listener = Listener::over(server, tcp, way, "/many", &connect(&own(sub)), "").await;
    listener.connected().await;
    listener.subscribe("log:a").await;
    listener
}

const LIMITS: &str = "[limits]\nqueue_bytes_max = \"256KiB\"\nmessages_per_second = 100000\nmessages_burst = 100000\n";

#[tokio::test]
async fn stuck_readers_are_closed_and_the_others_miss_nothing() {
    let more = "no_progress_timeout = \"10m\"\nclose_timeout = \"10m\"\nping_interval = \"1h\"\n";
    let server = with_fallbacks().over(&format!("{LIMITS}{more}")).start().await;
    let mut stuck = [stuck(&server, Way::Sse, "stuck").await, stuck(&server, Way::HttpStream, "stuck").await];
    let mut healthy = Listener::enter(&server, Way::HttpStream, "/many", "healthy").await;
    healthy.subscribe("log:a").await;
    let mut publisher = super::enter(&server, "publisher").await;
    let fill = "x".repeat(MESSAGE_BYTES);
    let mut published = 0;
    while closed_as(&server, "slow").await < 2 {
        assert!(published < MESSAGES_MAX, "nobody was closed in {published} messages");
        publisher.result("publish", json!({ "channel": "log:a", "data": { "n": published, "fill": fill } })).await;
        assert_eq!(healthy.data().await["n"], published);
        published += 1;
    }
    // Whoever begins to read again sees whole messages in order, and then why there are no more.
    for listener in &mut stuck {
        let mut next = 0;
        loop {
            let push = listener.push().await;
            if push.get("disconnect").is_some() {
                assert_eq!(push["disconnect"]["code"], 3008, "{push}");
                break;
            }
            assert_eq!(push["pub"]["data"]["n"], next);
            next += 1;
        }
        assert_eq!(listener.line_or_end().await, None);
        assert!(next < published, "it cannot have had everything");
    }
    healthy.hears_nothing("the others go on").await;
    until("nobody to be waited for who has nothing to close with", async || {
        match server.metrics().await.value("lychgate_fallback_connections", &[]) {
            1 => Ok(()),
            other => Err(format!("{other} are open")),
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_never_reads_again_is_cut_and_leaves_nothing_open() {
    let more = "no_progress_timeout = \"500ms\"\nclose_timeout = \"500ms\"\nping_interval = \"1h\"\n";
    let server = with_fallbacks().over(&format!("{LIMITS}{more}")).start().await;
    let mut publisher = super::enter(&server, "publisher").await;
    let before = server.sockets();
    let mut ends = Vec::new();
    for way in Way::BOTH {
        ends.push(stuck(&server, way, "stuck").await);
    }
    let fill = "x".repeat(MESSAGE_BYTES);
    let mut published = 0;
    while closed_as(&server, "slow").await < 2 {
        assert!(published < MESSAGES_MAX, "nobody was closed in {published} messages");
        publisher.result("publish", json!({ "channel": "log:a", "data": { "n": published, "fill": fill } })).await;
        published += 1;
    }
    until("their sockets to be closed", async || {
        let open = server.metrics().await.value("lychgate_fallback_connections", &[]);
        let sockets = server.sockets();
        if open == 0 && sockets <= before { Ok(()) } else { Err(format!("{open} open, {sockets} of {before} sockets")) }
    })
    .await;
    for end in &mut ends {
        end.is_cut().await;
    }
    publisher.hears_nothing("the others go on").await;
}

#[tokio::test]
async fn an_answer_outlives_every_deadline_of_a_request() {
    // Much shorter than the test waits for the ping that comes through it.
    let limits = "[limits]\nhandshake_timeout = \"500ms\"\nping_interval = \"4s\"\npong_timeout = \"4s\"\n";
    let server = with_fallbacks().over(limits).start().await;
    join_all(Way::BOTH.map(async |way| {
        let mut listener = Listener::enter(&server, way, "/many", "ann").await;
        for _ in 0..2 {
            assert_eq!(listener.line().await, json!({}), "a ping");
            listener.say("{}").await;
        }
        listener.hears_nothing("it is still there").await;
    }))
    .await;
}
