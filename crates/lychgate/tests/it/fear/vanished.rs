//! No ghosts: whoever vanished without a word is gone from the board and the channels, soon.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{board, change, chat, example, hear, text, told};
use crate::harness::process::program;
use crate::harness::wire::{FIN, TEXT, frame};
use crate::harness::{Client, Server, Wire, token};

#[tokio::test]
async fn kill_9_of_a_client_leaves_nobody_on_the_board() {
    let server = example().start().await;
    let (mut bob, _) = board(&server, "2").await;
    let mut member = chat(&server, "2").await;
    let mut command: Command = program();
    let url = format!("ws://{}/ws/chat/5", server.address);
    command.args(["connect", &url, "--token", &token::own("1")]);
    let mut client = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program was built with the tests");
    assert_eq!(change(&mut bob).await, told(1, "online"));
    hear(&mut member, "user_joined").await;
    kill_process(Pid::from_child(&client), Signal::KILL).expect("it runs");
    client.wait().expect("it has ended");
    assert_eq!(change(&mut bob).await, told(1, "offline"));
    assert_eq!(hear(&mut member, "user_left").await["user_id"], 1);
}

/// A machine that lost its power, or a phone in a tunnel: the connection stays, and nobody is behind it.
#[tokio::test]
async fn silence_is_a_departure_within_thirty_seconds() {
    let server = example().over("[limits]\nping_interval = \"3s\"\npong_timeout = \"3s\"\n").start().await;
    // The only one who answers pings.
    let mut bob = Client::open(server.address, &Server::at("/ws/presence", "2")).await;
    bob.hear().await;
    bob.hear().await;
    let silent = Wire::open(server.address, &Server::at("/ws/presence", "1")).await;
    assert_eq!(bob.hear().await["status"], "online");
    let left = bob.hear().await;
    assert_eq!((&left["user_id"], &left["status"]), (&1.into(), &"offline".into()));
    drop(silent);

    // In the example itself the two times are thirty seconds at most.
    let text = text();
    let seconds = |key: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix("s\""));
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{key} in seconds"))
    };
    assert!(seconds("ping_interval") + seconds("pong_timeout") <= 30);
}

/// One frame that was no JSON kept a user online for ever once.
#[tokio::test]
async fn a_bad_frame_makes_no_ghost() {
    let server = example().start().await;
    let (mut bob, _) = board(&server, "2").await;
    let (mut ann, _) = board(&server, "1").await;
    assert_eq!(change(&mut bob).await, told(1, "online"));
    ann.say("no JSON").await;
    assert_eq!(hear(&mut ann, "error").await["code"], "bad_json");
    // Bytes that are no frame at all: a reserved bit is set.
    ann.write(&frame(FIN | TEXT | 0x40, b"{}")).await;
    assert_eq!(change(&mut bob).await, told(1, "offline"));
    let (_, people) = board(&server, "4").await;
    assert_eq!(people.len(), 2, "{people:?}");
}
