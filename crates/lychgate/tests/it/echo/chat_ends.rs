//! How an answer of the chat ends when it does not end well: the model fails, the asker leaves, the server is full.

use serde_json::Value;
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;

use super::chat::{complete, error, question, word};
use super::{Echo, echo, echo_over, told, with_token};
use crate::harness::Wire;
use crate::harness::token::{now, own_until};
use crate::harness::wait::until;
use crate::harness::wire::{FIN, PING, PONG, TEXT, close, frame};

const CUT: &str = "The answer could not be completed.";

/// Waits until as many answers are under way, and sockets open.
async fn left(echo: &Echo, answers: u64, sockets: u64) {
    until("what is left", async || {
        let metrics = echo.server.metrics().await;
        let found = (metrics.value("lychgate_answer_runs", &[]), metrics.value("lychgate_connections", &[]));
        if found == (answers, sockets) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_model_that_fails_gives_the_error_frame_and_the_socket_stays() {
    let limits = "[source.model]\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"\n";
    let text = super::text()
        .replace("done = { type = \"complete\" }", "done = { type = \"complete\" }\ntext_bytes_max = 1024");
    let echo = super::echo_of(&text, limits).await;
    let mut ann = echo.talk("1").await;
    let long = "x".repeat(600);
    for (case, said, cause) in [
        ("answers 500", 0, "the source answered with status 500"),
        ("says nothing", 0, "the source fell silent"),
        ("falls silent", 1, "the source fell silent"),
        ("hangs up", 1, "the source hung up before the end"),
        ("reports an error", 1, "the source failed"),
        ("says too much", 1, "the source sent more than the limit"),
    ] {
        ann.say(&question(case)).await;
        let mut asked = echo.model.asked().await;
        let mut silent = None;
        match case {
            "answers 500" => asked.begins(500, "text/plain").await,
            "says nothing" => silent = Some(asked),
            "falls silent" => {
                asked.says(&["begun"]).await;
                silent = Some(asked);
            }
            "hangs up" => {
                asked.says(&["begun"]).await;
                drop(asked);
            }
            "reports an error" => {
                asked.says(&["begun"]).await;
                asked.write("{\"error\":\"out of memory\"}\n").await;
            }
            _ => asked.says(&[&*long, &*long]).await,
        }
        for _ in 0..said {
            assert_eq!(ann.hear().await["type"], "token", "{case}");
        }
        assert_eq!(ann.hear().await, error(CUT), "{case}");
        let log = echo.server.log();
        log.wait_for(case, |line| line["cause"].as_str() == Some(cause)).await;
        drop(silent);
        // A new socket, since ten questions a minute are soon asked.
        ann.leave().await;
        ann = echo.talk("1").await;
        ann.say(&question("and now?")).await;
        let mut asked = echo.model.asked().await;
        asked.says(&["fine"]).await;
        asked.ends().await;
        assert_eq!((ann.hear().await, ann.hear().await), (word("fine"), complete()), "after: {case}");
    }
    assert_eq!(echo.counted("lychgate_answers_total", &[("end", "failed")]).await, 6);
    assert_eq!(echo.counted("lychgate_answers_total", &[("end", "completed")]).await, 6);
}

#[tokio::test]
async fn an_asker_who_is_gone_stops_the_model() {
    let echo = echo().await;
    let mut cancelled = 0;
    for how in ["reset", "end", "half-closed", "close frame", "close frame behind more"] {
        for has_spoken in [false, true] {
            let mut ann = echo.talk("1").await;
            ann.say(&question(how)).await;
            let mut asked = echo.model.asked().await;
            if has_spoken {
                asked.says(&["on "]).await;
                assert_eq!(ann.hear().await, word("on "));
            }
            let mut kept = None;
            match how {
                "reset" => {
                    SockRef::from(&ann.tcp).set_linger(Some(std::time::Duration::ZERO)).expect("an option");
                    drop(ann);
                }
                "end" => drop(ann),
                "half-closed" => {
                    ann.tcp.shutdown().await.expect("half an end");
                    kept = Some(ann);
                }
                "close frame" => {
                    ann.write(&close(1000, "")).await;
                    kept = Some(ann);
                }
                _ => {
                    // A question that would be next, in two writes, and then the goodbye.
                    let next = frame(FIN | TEXT, question(&"x".repeat(1_000)).as_bytes());
                    ann.write(&next[..100]).await;
                    ann.write(&[&next[100..], &close(1000, "")].concat()).await;
                    kept = Some(ann);
                }
            }
            asked.hung_up().await;
            cancelled += if how == "close frame behind more" { 2 } else { 1 };
            if let Some(mut ann) = kept
                && how.starts_with("close")
            {
                assert_eq!(ann.closed_politely().await, told(1000, ""), "{how}");
            }
            left(&echo, 0, 0).await;
            let counted = echo.counted("lychgate_answers_total", &[("end", "cancelled")]).await;
            assert_eq!(counted, cancelled, "{how}, {has_spoken}");
        }
    }
    // The control: somebody who stays is answered, and the model was asked for nobody else.
    let mut ann = echo.talk("1").await;
    ann.say(&question("still there?")).await;
    let mut asked = echo.model.asked().await;
    assert!(asked.body["prompt"].as_str().is_some_and(|prompt| prompt.ends_with("still there?")));
    asked.says(&["yes"]).await;
    assert_eq!(ann.hear().await, word("yes"));
}

#[tokio::test]
async fn a_token_that_runs_out_stops_the_model_and_ends_the_socket() {
    let echo = echo().await;
    let target = with_token(super::chat::CHAT, &own_until("1", now() + 2));
    let mut ann = Wire::open(echo.server.address, &target).await;
    assert_eq!(ann.hear().await["type"], "context");
    ann.say(&question("take your time")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["hm"]).await;
    assert_eq!(ann.hear().await, word("hm"));
    assert_eq!(ann.closed_politely().await, told(4001, "Invalid or expired token"));
    asked.hung_up().await;
    left(&echo, 0, 0).await;
}

#[tokio::test]
async fn answers_have_a_limit_and_give_their_places_back() {
    let echo = echo_over("[limits]\nstreams_max = 1\n").await;
    let mut ann = echo.talk("1").await;
    let mut bob = echo.talk("2").await;
    ann.say(&question("first")).await;
    let first = echo.model.asked().await;
    bob.say(&question("second")).await;
    assert_eq!(bob.hear().await, error("Too many questions are being answered. Try again."));
    drop(ann);
    first.hung_up().await;
    left(&echo, 0, 1).await;
    bob.say(&question("second, again")).await;
    let mut second = echo.model.asked().await;
    second.says(&["yes"]).await;
    assert_eq!(bob.hear().await, word("yes"));
}

#[tokio::test]
async fn what_is_said_during_an_answer_is_bounded_and_nobody_is_closed_for_it() {
    let echo = echo_over("[limits]\nmessages_per_second = 100000\nmessages_burst = 100000\n").await;
    let mut ann = echo.talk("1").await;
    ann.say(&question("first")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["1"]).await;
    assert_eq!(ann.hear().await, word("1"));
    // More than is read ahead; it waits in the network and comes in its turn.
    let unknown = frame(FIN | TEXT, format!(r#"{{"type":"sing","fill":"{}"}}"#, "x".repeat(10_000)).as_bytes());
    const MORE: usize = 12;
    ann.write(&unknown.repeat(MORE)).await;
    asked.goes_on(&["2"]).await;
    assert_eq!(ann.hear().await, word("2"));
    asked.ends().await;
    assert_eq!(ann.hear().await, complete());
    for n in 0..MORE {
        assert_eq!(ann.hear().await, error("Unsupported message type: sing"), "{n}");
    }
    ann.entered().await;
}

#[tokio::test]
async fn a_peer_is_pinged_and_answered_by_pongs_while_it_is_told_an_answer() {
    let quick = "[limits]\nping_interval = \"300ms\"\npong_timeout = \"300ms\"\n";
    let echo = echo_over(quick).await;
    // One that asks, and is silent ever after, has gone as far as anybody can tell.
    let mut silent = echo.talk("1").await;
    silent.say(&question("first")).await;
    echo.model.asked().await.hung_up().await;
    left(&echo, 0, 0).await;
    assert_eq!(echo.counted("lychgate_closes_total", &[("event", "no_pong")]).await, 1);
    // One that shows life stays, and hears that the server lives.
    let mut ann = echo.talk("1").await;
    ann.say(&question("second")).await;
    let mut asked = echo.model.asked().await;
    let mut pongs = 0;
    while pongs < 20 {
        ann.write(&frame(FIN | PING, b"there?")).await;
        loop {
            let heard = ann.frame().await;
            match heard.opcode {
                PING => ann.write(&frame(FIN | PONG, &heard.payload)).await,
                PONG => {
                    assert_eq!(heard.payload, b"there?");
                    pongs += 1;
                    break;
                }
                _ => panic!("neither a ping nor a pong: {}", heard.show()),
            }
        }
    }
    asked.says(&["yes"]).await;
    asked.ends().await;
    let mut said = Vec::new();
    while said.len() < 2 {
        let heard = ann.frame().await;
        if heard.opcode == TEXT {
            said.push(serde_json::from_slice::<Value>(&heard.payload).expect("JSON"));
        }
    }
    assert_eq!(said, [word("yes"), complete()]);
}
