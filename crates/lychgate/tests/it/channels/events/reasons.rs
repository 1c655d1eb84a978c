//! Why a connection has ended, as the application is told.

use serde_json::{Value, json};

use super::application::Told;
use super::{client, plain, setup};
use crate::harness::http::post;
use crate::harness::process::program;
use crate::harness::token::{now, own_until};
use crate::harness::wire::{FIN, TEXT, close, frame};
use crate::harness::{Setup, Wire};

/// The last event of somebody.
async fn end(told: &Told, user: &str) -> (Value, Value) {
    let is_end = |event: &&Value| event["event"] == "disconnected" && event["user"] == user;
    let events = told.knows(user, |events| events.iter().any(|event| is_end(&event))).await;
    let event = events.iter().find(is_end).expect("it is there").clone();
    (event["reason"].clone(), event["code"].clone())
}

fn told_as(reason: &str, code: u16) -> (Value, Value) {
    (json!(reason), json!(code))
}

fn key(setup: &Setup) -> String {
    let mut command = program();
    command.args(["apikey", "create", "application", "--scope", "channels:manage"]);
    setup.name_files(&mut command);
    let output = command.output().expect("the program was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[tokio::test]
async fn each_end_is_told_with_its_reason() {
    let told = Told::begin().await;
    let setup = setup(&told).over("[endpoint.room]\nmessage_bytes_max = \"1KiB\"\n");
    let key = key(&setup);
    let server = setup.start().await;

    let mut wire = plain(&server, 1, "polite").await;
    wire.write(&close(4321, "enough")).await;
    assert_eq!(end(&told, "polite").await, told_as("client", 4321));

    drop(plain(&server, 1, "abrupt").await);
    assert_eq!(end(&told, "abrupt").await, told_as("broken", 1006));

    let mut wire = plain(&server, 1, "wordy").await;
    wire.write(&frame(FIN | TEXT, &[b'x'; 2_000])).await;
    assert_eq!(end(&told, "wordy").await, told_as("too_big", 1009));

    let mut wire = plain(&server, 1, "garbled").await;
    wire.write(&frame(FIN | 0x3, b"")).await;
    assert_eq!(end(&told, "garbled").await, told_as("protocol", 1002));

    let target = format!("/room/1?token={}", own_until("brief", now() + 2));
    let mut wire = Wire::open(server.address, &target).await;
    wire.entered().await;
    assert_eq!(end(&told, "brief").await.0, "expired_live");

    let (mut lost, _) = client(&server, "confused").await;
    lost.say("no command").await;
    assert_eq!(end(&told, "confused").await, told_as("protocol", 3501));

    let (_sent, name) = client(&server, "sent-away").await;
    let body = json!({ "user": "sent-away", "client": name, "disconnect": { "code": 4777, "reason": "go" } });
    let headers = format!("x-api-key: {key}\r\n");
    let reply = post(server.address, "/api/disconnect", &body.to_string(), &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(end(&told, "sent-away").await, told_as("application", 4777));
}

#[tokio::test]
async fn who_is_refused_has_never_come() {
    let told = Told::begin().await;
    let server = setup(&told).over("[endpoint.room]\nconnections_per_user = 1\n").start().await;
    let first = plain(&server, 1, "ann").await;
    let target = format!("/room/1?token={}", crate::harness::token::own("ann"));
    for refused in ["/room/1?token=nonsense", "/room/x", &target] {
        let mut wire = Wire::open(server.address, refused).await;
        assert!(wire.closed().await.0 > 1000, "{refused}");
    }
    // Connected, and refused before its session is open.
    let mut silent = super::Client::open(&server, "/many").await;
    silent.say(r#"{"id":1,"connect":{"token":"nonsense"}}"#).await;
    assert_eq!(silent.closed().await.0, 3500);
    first.leave().await;
    let events = told.count(4).await;
    assert!(events.iter().filter_map(|event| event.get("user")).all(|user| user == "ann"), "{events:#?}");
}
