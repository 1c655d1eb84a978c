//! How a socket ends: by its token's end, by silence, by a close that nobody answers, or just so.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use socket2::SockRef;

use crate::harness::token::{now, now_exactly, own_until};
use crate::harness::wait::until;
use crate::harness::wire::{self, CLOSE, FIN, PING, PONG, TEXT, frame};
use crate::harness::{Client, Server, Setup, Wire};

#[tokio::test]
async fn a_socket_ends_with_its_token_and_not_before() {
    let server = Setup::ship().over("[profile.policy]\nexpired_live = [4001, \"token over\"]").start().await;
    let mut stays = Client::enter(&server, "stays").await;
    let ends = [1, 2, 2, 3].map(|seconds| now() + seconds);
    let sockets = ends.map(async |exp| {
        let mut wire = Wire::open(server.address, &format!("/ws?token={}", own_until("alice", exp))).await;
        let closed = wire.closed_politely().await;
        let at = now_exactly();
        assert_eq!(closed, (4001, "token over".to_owned()));
        assert!(at >= exp as f64, "closed {:.3} s too early", exp as f64 - at);
        assert!(at <= (exp + 5) as f64, "closed {:.3} s after its end", at - exp as f64);
    });
    join_all(sockets).await;
    stays.say(r#"{"n":1}"#).await;
    assert_eq!(stays.hear().await["n"], 1);
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_closes_total", &[("event", "expired_live")]), 4);
    assert_eq!(metrics.value("lychgate_connections", &[("endpoint", "ws")]), 1);
}

#[tokio::test]
async fn who_is_silent_is_asked_and_who_does_not_answer_is_closed() {
    let server = Setup::ship()
        .over(
            "[limits]\nping_interval = \"500ms\"\npong_timeout = \"500ms\"\n\
             [profile.policy]\nno_pong = [4012, \"are you there?\"]",
        )
        .start()
        .await;
    let answers = async {
        let mut wire = Wire::enter(&server, "/ws", "alice").await;
        for _ in 0..4 {
            let ping = wire.frame().await;
            assert_eq!(ping.opcode, PING, "{}", ping.show());
            wire.write(&frame(FIN | PONG, &ping.payload)).await;
        }
        wire.say(r#"{"n":1}"#).await;
        assert_eq!(wire.hear().await["n"], 1, "who answers may stay");
    };
    let says_something_else = async {
        let mut wire = Wire::enter(&server, "/ws", "bob").await;
        for n in 0..3 {
            let ping = wire.frame().await;
            assert_eq!(ping.opcode, PING, "{}", ping.show());
            // Any frame is a sign of life.
            wire.write(&frame(FIN | PING, b"me, too")).await;
            assert_eq!(wire.frame().await.opcode, PONG, "{n}");
        }
    };
    let says_nothing = async {
        let mut wire = Wire::enter(&server, "/ws", "mallory").await;
        assert_eq!(wire.frame().await.opcode, PING);
        assert_eq!(wire.closed().await, (4012, "are you there?".to_owned()));
    };
    tokio::join!(answers, says_something_else, says_nothing);
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "no_pong")]), 1);
}

#[tokio::test]
async fn a_close_that_nobody_answers_is_cut_and_one_that_is_answered_ends_at_once() {
    let overlay =
        |timeout: &str| format!("[limits]\nclose_timeout = \"{timeout}\"\n[endpoint.ws.codec]\nbad_frame = \"close\"");
    let hasty = Setup::ship().over(&overlay("300ms")).start().await;
    // One that was refused, one that was admitted, one whose bytes were no frames.
    let starts = [
        ("/ws".to_owned(), &b""[..]),
        (Server::at("/ws", "a"), &[0x82, 0x80, 1, 2, 3, 4]),
        (Server::at("/ws", "b"), b"?!"),
    ];
    for (target, bytes) in &starts {
        let mut wire = Wire::open(hasty.address, target).await;
        wire.write(bytes).await;
        wire.closed().await;
        wire.ended().await;
    }
    until("all of them to be gone", async || {
        let metrics = hasty.metrics().await;
        let left = metrics.value("lychgate_hub_sessions", &[]);
        if left == 0 { Ok(()) } else { Err(format!("{left} sessions")) }
    })
    .await;

    let patient = Setup::ship().over(&overlay("1m")).start().await;
    for (target, bytes) in &starts {
        let mut wire = Wire::open(patient.address, target).await;
        wire.write(bytes).await;
        let asked = Instant::now();
        let (code, _) = wire.closed().await;
        wire.write(&wire::close(code, "")).await;
        wire.leave().await;
        assert!(asked.elapsed() < Duration::from_secs(15), "an answered close does not wait for the timeout");
    }
}

#[tokio::test]
async fn whoever_came_and_went_leaves_nothing_behind() {
    const CLIENTS: usize = 200;
    let server = Setup::ship()
        .over("[limits]\nconnects_burst_per_address = 1000\nclose_timeout = \"500ms\"\nhandshake_timeout = \"2s\"")
        .start()
        .await;
    Wire::enter(&server, "/ws", "warm-up").await.leave().await;
    let base = until("a calm process", async || {
        let before = server.descriptors();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let after = server.descriptors();
        if before == after { Ok(after) } else { Err(format!("{before}, then {after} descriptors")) }
    })
    .await;

    // Without waiting until they are in, so that some leave on the way.
    let enter = async |name: &str| Wire::open(server.address, &Server::at("/ws", name)).await;
    let come_and_go = join_all((0..CLIENTS).map(async |n| {
        let name = format!("client-{n}");
        match n % 8 {
            0 => enter(&name).await.leave().await,
            1 => drop(enter(&name).await),
            2 => reset(enter(&name).await),
            3 => {
                let mut wire = enter(&name).await;
                wire.write(&frame(FIN | TEXT, br#"{"n":1}"#)[..9]).await;
                reset(wire);
            }
            4 => {
                let mut wire = enter(&name).await;
                for n in 0..5 {
                    wire.say(&format!(r#"{{"n":{n}}}"#)).await;
                }
                reset(wire);
            }
            5 => {
                let mut tcp = wire::connect(server.address).await;
                let half = &wire::request(&Server::at("/ws", &name), "").into_bytes()[..50];
                tokio::io::AsyncWriteExt::write_all(&mut tcp, half).await.expect("the server listens");
            }
            6 => drop(Wire::open(server.address, "/ws?token=x").await),
            _ => {
                let mut wire = enter(&name).await;
                wire.write(&frame(FIN | CLOSE, b"")).await;
                reset(wire);
            }
        }
    }));
    come_and_go.await;

    until("every trace to be gone", async || {
        let metrics = server.metrics().await;
        let gauges = [
            "lychgate_connections",
            "lychgate_hub_sessions",
            "lychgate_hub_channels",
            "lychgate_hub_subscriptions",
            "lychgate_hub_blocked_sessions",
        ];
        let left: Vec<_> = gauges.iter().map(|gauge| metrics.value(gauge, &[])).collect();
        let descriptors = server.descriptors();
        if left.iter().all(|value| *value == 0) && descriptors <= base {
            Ok(())
        } else {
            Err(format!("{gauges:?} are {left:?}; {descriptors} descriptors, {base} before"))
        }
    })
    .await;
    let admitted = server.metrics().await.value("lychgate_connects_total", &[("endpoint", "ws")]);
    assert_eq!(admitted, 1 + (CLIENTS - 2 * CLIENTS / 8) as u64);

    let mut alice = Client::enter(&server, "alice").await;
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1);
}

/// Hangs up so that the server gets a reset instead of an end.
fn reset(wire: Wire) {
    SockRef::from(&wire.tcp).set_linger(Some(Duration::ZERO)).expect("a socket that is open");
}
