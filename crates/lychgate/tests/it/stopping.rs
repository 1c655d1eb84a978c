//! Starting that fails, and stopping: in good order, in a hurry, and with somebody who does not want to leave.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::harness::http::get;
use crate::harness::log::says;
use crate::harness::wait::until;
use crate::harness::{Client, Server, Setup, Wire};

const RESTART: &str = "[profile.policy]\nrestart = [1012, \"back in a moment\"]";

/// Waits until the server says that it wants no new clients.
async fn not_ready(server: &Server) {
    until("readiness to say no", async || {
        let reply = get(server.operations, "/health/ready").await;
        if reply.status != 503 {
            return Err(format!("{reply:?}"));
        }
        let answer = reply.json();
        assert_eq!((&answer["status"], &answer["checks"]["server"]), (&"unavailable".into(), &"stopping".into()));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_orderly_end_tells_everybody_and_exits_with_zero() {
    let mut server = Setup::ship()
        .over("[server]\ndrain_not_ready = \"2s\"\ndrain_spread = \"500ms\"\ndrain_total = \"20s\"")
        .over(RESTART)
        .start()
        .await;
    let ready = get(server.operations, "/health/ready").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"ok".into()));
    let names: Vec<String> = (0..20).map(|n| format!("client-{n}")).collect();
    let mut clients = join_all(names.iter().map(|name| Wire::enter(&server, "/ws", name))).await;

    server.process.terminate();
    not_ready(&server).await;
    assert_eq!(get(server.operations, "/health/live").await.status, 200, "it lives until it ends");
    let mut late = Client::enter(&server, "late").await;
    late.say(r#"{"n":1}"#).await;
    assert_eq!(late.hear().await["n"], 1, "who comes before balancers have noticed is served");

    let farewells = join_all(clients.iter_mut().map(async |wire| {
        assert_eq!(wire.hear().await["n"], 1);
        wire.closed_politely().await
    }));
    for close in farewells.await {
        assert_eq!(close, (1012, "back in a moment".to_owned()));
    }
    assert_eq!(late.closed().await, (1012, "back in a moment".to_owned()));
    late.gone().await;
    assert_eq!(server.process.exited().await.code(), Some(0));
    server.log().ended().await;
    server.log().wait_for("the end", |line| says(line, "stopped")).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_second_signal_cuts_at_once() {
    let mut server = Setup::ship()
        .over("[server]\ndrain_not_ready = \"10m\"\ndrain_spread = \"10m\"\ndrain_total = \"30m\"")
        .start()
        .await;
    let mut alice = Wire::enter(&server, "/ws", "alice").await;
    server.process.terminate();
    not_ready(&server).await;
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1, "one signal alone leaves the time it was given");

    let asked = Instant::now();
    server.process.terminate();
    alice.ended().await;
    assert_eq!(server.process.exited().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn nobody_can_hold_up_the_end() {
    let mut server = Setup::ship()
        .over("[server]\ndrain_total = \"2s\"\n[limits]\nclose_timeout = \"10m\"\nhandshake_timeout = \"10m\"")
        .over(RESTART)
        .start()
        .await;
    let mut stubborn = Wire::enter(&server, "/ws", "mallory").await;
    let idle = TcpStream::connect(server.address).await.expect("the server listens");
    let mut half = TcpStream::connect(server.address).await.expect("the server listens");
    tokio::io::AsyncWriteExt::write_all(&mut half, b"GET /ws HTTP/1.1\r\n").await.expect("the server listens");

    let asked = Instant::now();
    server.process.terminate();
    // Hears its close and does not answer.
    assert_eq!(stubborn.closed().await, (1012, "back in a moment".to_owned()));
    stubborn.ended().await;
    assert_eq!(server.process.exited().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(12), "it took {:?}", asked.elapsed());
    drop((idle, half));
}

#[tokio::test]
async fn everything_that_keeps_it_from_starting_is_told_at_once() {
    let others = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [taken, operations] = [0, 1].map(|n: usize| others[n].local_addr().expect("an address"));
    let overlay = format!(
        "[server]\nlisten = \"{taken}\"\noperations_listen = \"{operations}\"\n[database]\nurl = \"sqlite:/dev/null/lychgate.db\""
    );
    let setup = Setup::ship().over(&overlay);
    let mut process = setup.launch();
    assert_eq!(process.exited().await.code(), Some(2));
    process.log.ended().await;
    let text = process.log.text();
    for part in [
        format!("server.listen: cannot listen on {taken}"),
        format!("server.operations_listen: cannot listen on {operations}"),
        "Another program has this port".to_owned(),
        "database.url: ".to_owned(),
        "/dev/null".to_owned(),
    ] {
        assert!(text.contains(&part), "{part:?} is missing in:\n{text}");
    }
    drop(others);
}

#[tokio::test]
async fn accounts_and_tokens_survive_a_restart() {
    // The key that the server makes for itself lies in its database.
    let setup = Setup::ship().over("[tokens]\nsigning = \"eddsa\"").user("alice", "seven green bottles");
    let login = crate::harness::http::form(&[("username", "alice"), ("password", "seven green bottles")]);
    let (mut server, setup) = setup.start_and_keep().await;
    let reply = crate::harness::http::post_form(server.address, "/token", &login, "").await;
    let token = reply.json()["access_token"].as_str().expect("a token").to_owned();
    server.process.terminate();
    assert_eq!(server.process.exited().await.code(), Some(0));

    let (again, _setup) = setup.start_and_keep().await;
    let mut alice = Client::open(again.address, &format!("/ws?token={token}")).await;
    alice.say("{}").await;
    assert_eq!(alice.hear().await["user"], "alice");
    assert_eq!(crate::harness::http::post_form(again.address, "/token", &login, "").await.status, 200);
}
