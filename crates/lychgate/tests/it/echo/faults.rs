//! A model that fails in each way it can: every watcher is told the same, and the next one gets in.

use super::{ENTRY, echo_over, piece, rest, told, whole};
use crate::harness::wait::until;

fn failed() -> (u16, String) {
    told(1011, "The reflection could not be completed")
}

#[tokio::test]
async fn a_reflection_that_does_not_come_to_its_end_is_told_by_its_code() {
    let echo = echo_over(
        "[source.model]\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"\npiece_bytes_max = 2048\n\
         [endpoint.reflections.stream]\ntext_bytes_max = 4096\n",
    )
    .await;
    let long = "x".repeat(1_000);
    let mut failures = 0;
    for (case, cause) in [
        ("answers 500", "the source answered with status 500"),
        ("says nothing", "the source fell silent"),
        ("falls silent", "the source fell silent"),
        ("hangs up", "the source hung up before the end"),
        ("sends a page", "the source sent what it should not"),
        ("reports an error", "the source failed"),
        ("says too much", "the source sent more than the limit"),
        ("says too much at once", "the source sent more than the limit"),
    ] {
        let mut ann = echo.open(ENTRY, "1").await;
        let mut ann_too = echo.open(ENTRY, "1").await;
        ann_too.entered().await;
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
            "sends a page" => {
                asked.begins(200, "text/html").await;
                asked.write("<html>Traceback: secret</html>\n").await;
            }
            "reports an error" => {
                asked.says(&["begun"]).await;
                asked.write("{\"error\":\"out of memory at 0xsecret\"}\n").await;
            }
            "says too much" => asked.says(&[&*long; 5]).await,
            _ => asked.says(&[&*long.repeat(3)]).await,
        }
        for watcher in [&mut ann, &mut ann_too] {
            let (text, end) = rest(watcher).await;
            assert_eq!(end, failed(), "{case}");
            assert!(text.is_empty() || text.starts_with("begun") || text.len() <= 4096, "{case}: {text}");
        }
        drop(silent);
        failures += 1;
        let counted = echo.counted("lychgate_streams_total", &[("end", "failed")]).await;
        assert_eq!(counted, failures, "{case}");
        let log = echo.server.log();
        log.wait_for(case, |line| line["cause"].as_str() == Some(cause)).await;
        assert!(!log.text().contains("secret</html>") && !log.text().contains("0xsecret"), "its words are not logged");
        // The control: the next one begins anew.
        let mut next = echo.open(ENTRY, "1").await;
        let mut asked = echo.model.asked().await;
        asked.says(&["fine"]).await;
        asked.ends().await;
        assert_eq!(rest(&mut next).await, ("fine".to_owned(), whole()), "after: {case}");
    }
    assert_eq!(echo.counted("lychgate_stream_runs", &[]).await, 0);
}

#[tokio::test]
async fn a_model_that_nobody_reaches_and_one_that_takes_too_long() {
    let echo = echo_over("[source.model]\nurl = \"http://127.0.0.1:9/api/generate\"\n").await;
    let mut ann = echo.open(ENTRY, "1").await;
    assert_eq!(rest(&mut ann).await, (String::new(), failed()));
    echo.server.log().wait_for("the cause", |line| line["cause"] == "the source cannot be reached").await;

    let echo = echo_over("[endpoint.reflections.stream]\ntotal_timeout = \"1s\"\n").await;
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["on "]).await;
    assert_eq!(piece(&mut ann).await, "on ");
    // It goes on and on, and never falls silent.
    let (end, ()) = tokio::join!(
        rest(&mut ann),
        until("the end of the run", async || {
            asked.goes_on(&["and on "]).await;
            match echo.counted("lychgate_streams_total", &[("end", "failed")]).await {
                1 => Ok(()),
                failed => Err(failed.to_string()),
            }
        })
    );
    assert_eq!(end.1, failed());
    asked.hung_up().await;
}
