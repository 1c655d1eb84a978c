//! An application that is down, slow, or answers rubbish: the one who spoke is told, and nobody else suffers.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;

use super::application::say;
use super::{behind, enter, error, example};
use crate::harness::wait::until;
use crate::harness::{Application, Server, Wire};

const NOT_NOW: &str = "The application cannot be reached now. Try again.";
const NOT_THIS: &str = "The application could not take the message.";

/// Bob is served as ever, and Ann's other socket has heard of nothing.
async fn nobody_suffers(application: &Application, bob: &mut Wire, ann_too: &mut Wire, case: &str) {
    say(bob, case).await;
    let call = application.call().await;
    assert_eq!(call.body["payload"]["text"], case);
    call.answer(200, &json!({ "type": "done", "payload": case }).to_string()).await;
    assert_eq!(bob.hear().await, json!({ "type": "done", "payload": case }), "{case}");
    ann_too.say(r#"{"type":"no_such_type"}"#).await;
    assert_eq!(ann_too.hear().await, error("Unsupported message type: no_such_type"), "{case}");
}

#[tokio::test]
async fn one_that_fails_gives_the_error_frame_to_the_speaker_alone() {
    let application = Application::bind().await;
    let slow = "[source.application]\ntimeout = \"700ms\"\n";
    let server = behind(&application, example()).over(slow).start().await;
    let mut ann = enter(&server, "1").await;
    let mut ann_too = enter(&server, "1").await;
    let mut bob = enter(&server, "2").await;
    let huge = json!({ "type": "done", "payload": "x".repeat(1_000_000) }).to_string();
    for (case, status, answer, said) in [
        ("answers 500", 500, "", NOT_THIS),
        ("answers 500 with a frame", 500, r#"{"type":"done"}"#, NOT_THIS),
        ("answers 404", 404, "{}", NOT_THIS),
        ("sends elsewhere", 302, "", NOT_THIS),
        ("answers a page", 200, "<html>Traceback: secret</html>", NOT_THIS),
        ("answers half of it", 200, r#"{"type":"#, NOT_THIS),
        ("answers an object without a type", 200, r#"{"payload":{}}"#, NOT_THIS),
        ("answers a type of null", 200, r#"{"type":null}"#, NOT_THIS),
        ("answers a number", 200, "7", NOT_THIS),
        ("answers a list", 200, "[]", NOT_THIS),
        ("answers too much", 200, &huge, NOT_THIS),
    ] {
        say(&mut ann, case).await;
        application.call().await.answer(status, answer).await;
        assert_eq!(ann.hear().await, error(said), "{case}");
        nobody_suffers(&application, &mut bob, &mut ann_too, case).await;
    }
    say(&mut ann, "is silent").await;
    let silent = application.call().await;
    nobody_suffers(&application, &mut bob, &mut ann_too, "while another call hangs").await;
    assert_eq!(ann.hear().await, error(NOT_NOW), "in time, whatever the application does");
    drop(silent);
    say(&mut ann, "hangs up").await;
    drop(application.call().await);
    assert_eq!(ann.hear().await, error(NOT_NOW));
    nobody_suffers(&application, &mut bob, &mut ann_too, "afterwards").await;
    assert!(!server.log().text().contains("Traceback"), "what it answers is not logged");
}

#[tokio::test]
async fn one_that_is_down_is_found_again_when_it_is_back() {
    let place = TcpSocket::new_v4().expect("a socket");
    place.set_reuseaddr(true).expect("an option");
    place.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = place.local_addr().expect("it is bound");
    let server =
        example().over(&format!("[source.application]\nurl = \"http://{address}/ws/messages\"\n")).start().await;
    let mut ann = enter(&server, "1").await;
    for n in 0..8 {
        say(&mut ann, &n.to_string()).await;
        assert_eq!(ann.hear().await, error(NOT_NOW), "{n}");
    }
    let application = Application::from(place.listen(16).expect("it listens"));
    let back = async {
        until("the application to be called again", async || {
            say(&mut ann, "again").await;
            match ann.hear().await {
                heard if heard == error(NOT_NOW) => Err(heard.to_string()),
                heard => Ok(heard),
            }
        })
        .await
    };
    let answering = async { application.call().await.answer(200, r#"{"type":"back"}"#).await };
    let (heard, ()) = tokio::join!(back, answering);
    assert_eq!(heard["type"], "back");
}

#[tokio::test]
async fn who_waits_for_a_slow_one_is_not_taken_for_lost() {
    let application = Application::bind().await;
    let quick = "[limits]\nping_interval = \"300ms\"\npong_timeout = \"300ms\"\n";
    let server: Server = behind(&application, example()).over(quick).start().await;
    let mut ann = enter(&server, "1").await;
    let mut witness = Wire::open(server.address, &Server::at("/ws", "2")).await;
    say(&mut ann, "take your time").await;
    let call = application.call().await;
    // Whoever is listened to and gives no sign of life is closed meanwhile, twice over.
    for _ in 0..2 {
        while witness.next().await.is_some() {}
        witness = Wire::open(server.address, &Server::at("/ws", "2")).await;
    }
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "no_pong")]), 2);
    call.answer(200, r#"{"type":"done"}"#).await;
    let heard = tokio::time::timeout(Duration::from_secs(10), ann.hear()).await.expect("the answer");
    assert_eq!(heard, json!({ "type": "done", "payload": null }));
}
