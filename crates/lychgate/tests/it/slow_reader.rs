//! A client that does not read what it asked for costs its own connection and nobody else's messages.

use futures_util::future::join_all;
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::harness::wait::until;
use crate::harness::wire::{self, CLOSE, TEXT};
use crate::harness::{Client, Server, Setup, Wire};

const QUEUE_BYTES_MAX: u64 = 256 * 1024;

/// A little under the 64 KiB that a message may have, with room for its stamps.
const MESSAGE_BYTES: usize = 60 * 1024;

/// Far more than the kernel's buffers and a queue can hide for one socket.
const MESSAGES_MAX: usize = 2_000;

async fn server(overlay: &str) -> Server {
    let limits = format!(
        "[limits]\nqueue_bytes_max = {QUEUE_BYTES_MAX}\nmessages_per_second = 100000\nmessages_burst = 100000\n{overlay}\n\
         [profile.policy]\nslow = [4008, \"read faster\"]"
    );
    Setup::ship().over(&limits).start().await
}

/// A socket that takes as little as the kernel lets it, and is not read from.
async fn stuck(server: &Server, name: &str) -> Wire {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let tcp = socket.connect(server.address).await.expect("the server listens");
    let mut wire = Wire::over(tcp, &wire::request(&Server::at("/ws", name), ""), b"").await;
    wire.entered().await;
    wire
}

async fn publish(publisher: &mut Client, n: usize) {
    let fill = "x".repeat(MESSAGE_BYTES);
    publisher.say(&format!(r#"{{"n":{n},"fill":"{fill}"}}"#)).await;
    // Heard by itself before it goes on: a publisher that reads is never the slow one.
    assert_eq!(publisher.hear().await["n"], n);
}

async fn closed_as_slow(server: &Server) -> u64 {
    server.metrics().await.value("lychgate_closes_total", &[("endpoint", "ws"), ("event", "slow")])
}

#[tokio::test]
async fn stuck_readers_are_closed_and_the_others_miss_nothing() {
    const STUCK: usize = 3;
    let server = server("no_progress_timeout = \"10m\"\nclose_timeout = \"10m\"").await;
    let mut stuck = join_all((0..STUCK).map(async |n| stuck(&server, &format!("stuck-{n}")).await)).await;
    let mut publisher = Client::enter(&server, "publisher").await;
    let mut healthy = join_all((0..2).map(async |n| Client::enter(&server, &format!("healthy-{n}")).await)).await;

    let mut published = 0;
    while closed_as_slow(&server).await < STUCK as u64 {
        assert!(published < MESSAGES_MAX, "nobody was closed in {published} messages");
        for _ in 0..5 {
            let (_, heard) = tokio::join!(
                publish(&mut publisher, published),
                join_all(healthy.iter_mut().map(async |client| client.hear().await["n"].clone())),
            );
            assert!(heard.iter().all(|n| *n == published), "{heard:?} instead of {published}");
            published += 1;
        }
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_closes_total", &[("event", "slow")]), STUCK as u64);
    assert_eq!(metrics.value("lychgate_hub_overflows_total", &[]), STUCK as u64);
    let peak = metrics.value("lychgate_hub_queue_peak_bytes", &[]);
    let nearly = QUEUE_BYTES_MAX - 2 * MESSAGE_BYTES as u64;
    assert!((nearly..=QUEUE_BYTES_MAX).contains(&peak), "the longest queue had {peak} bytes");

    // Whoever begins to read again sees whole messages in order, and then why there are no more.
    for wire in &mut stuck {
        let mut next = 0;
        let close = loop {
            let frame = wire.frame().await;
            if frame.opcode == CLOSE {
                break frame.close();
            }
            assert_eq!(frame.opcode, TEXT, "{}", frame.show());
            let message: Value = serde_json::from_slice(&frame.payload).expect("a whole message");
            assert_eq!(message["n"], next);
            next += 1;
        };
        assert_eq!(close, (4008, "read faster".to_owned()));
        assert!(next < published, "it cannot have had everything");
        wire.write(&wire::close(4008, "")).await;
        wire.ended().await;
    }
    until("three sessions to be left", async || {
        let left = server.metrics().await.value("lychgate_hub_sessions", &[]);
        if left == 3 { Ok(()) } else { Err(format!("{left}")) }
    })
    .await;
}

#[tokio::test]
async fn nobody_who_reads_is_closed_when_many_speak_at_once() {
    // More than a queue holds in one instant, and each sender well within its own limits.
    const SPEAKERS: usize = 30;
    let server = Setup::ship().start().await;
    let names: Vec<String> = (0..SPEAKERS).map(|n| format!("speaker-{n}")).collect();
    let speakers = join_all(names.iter().map(|name| Client::enter(&server, name))).await;
    let fill = "x".repeat(MESSAGE_BYTES);
    let heard = join_all(speakers.into_iter().map(async |mut speaker| {
        speaker.say(&format!(r#"{{"fill":"{fill}"}}"#)).await;
        let mut authors = Vec::new();
        while authors.len() < SPEAKERS {
            authors.push(speaker.hear().await["user"].clone());
        }
        authors
    }))
    .await;
    for authors in &heard {
        assert_eq!(authors, &heard[0], "all hear the same in the same order");
    }
    assert_eq!(closed_as_slow(&server).await, 0);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_for_too_long_is_closed_even_if_its_queue_is_not_full() {
    let server = server("no_progress_timeout = \"500ms\"\nclose_timeout = \"500ms\"").await;
    let mut publisher = Client::enter(&server, "publisher").await;
    let reader = Wire::enter(&server, "/ws", "reader");
    let (mut reader, _stuck) = tokio::join!(reader, stuck(&server, "stuck"));
    publisher.entered().await;

    let mut published = 0;
    while server.metrics().await.value("lychgate_hub_blocked_sessions", &[]) == 0 {
        assert!(published < MESSAGES_MAX, "nobody was blocked in {published} messages");
        publish(&mut publisher, published).await;
        assert_eq!(reader.hear().await["n"], published);
        published += 1;
    }
    until("the stuck one to be closed", async || match closed_as_slow(&server).await {
        1 => Ok(()),
        other => Err(format!("{other} were closed")),
    })
    .await;
    assert_eq!(server.metrics().await.value("lychgate_hub_overflows_total", &[]), 0, "no queue was full");
    until("the stuck one to be cut", async || {
        match server.metrics().await.value("lychgate_connections", &[("endpoint", "ws")]) {
            2 => Ok(()),
            other => Err(format!("{other} connections")),
        }
    })
    .await;
    publish(&mut publisher, published).await;
    assert_eq!(reader.hear().await["n"], published, "the others go on");
}
