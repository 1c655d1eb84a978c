//! A reflection on its way: raw text, one run for all who watch, and no work for nobody.

use serde_json::json;

use super::{ENTRY, Echo, at, echo, echo_over, piece, rest, text, told, whole};
use crate::harness::Wire;
use crate::harness::token::{now, own_until};
use crate::harness::wait::until;

/// Waits until as many runs are there.
async fn runs(echo: &Echo, wanted: u64) {
    until("the runs", async || match echo.counted("lychgate_stream_runs", &[]).await {
        runs if runs == wanted => Ok(()),
        runs => Err(runs.to_string()),
    })
    .await;
}

#[tokio::test]
async fn each_token_of_the_model_is_a_text_frame_and_1000_ends_it() {
    let echo = echo().await;
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    let prompt = "Read this entry of a journal, and reflect on it kindly and in a few sentences.\n\nI saw the sea.";
    assert_eq!(asked.path, "/api/generate");
    assert_eq!(asked.body, json!({ "model": "llama3.1:8b", "prompt": prompt, "stream": true }));
    // Braces, quotes and what looks like JSON is text; each arrives before the next is said.
    asked.says(&[]).await;
    for token in ["You", " saw", "\n{user.id}", "{\"type\":\"x\"}", " 海", "🌊", "\u{200d}", "\0", "."] {
        asked.goes_on(&[token]).await;
        assert_eq!(piece(&mut ann).await, token, "a frame of its own, as it was said");
    }
    asked.ends().await;
    assert_eq!(ann.closed_politely().await, whole());
    let end = |end| [("endpoint", "reflections"), ("end", end)];
    assert_eq!(echo.counted("lychgate_streams_total", &end("completed")).await, 1);
    assert_eq!(echo.server.log().lines(|line| line.to_string().contains("I saw")).len(), 0, "no entry is in the log");
}

#[tokio::test]
async fn all_who_watch_share_one_run_and_who_comes_late_misses_nothing() {
    let echo = echo().await;
    let mut first = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["one ", "two "]).await;
    assert_eq!((piece(&mut first).await, piece(&mut first).await), ("one ".to_owned(), "two ".to_owned()));
    let mut late = echo.open(ENTRY, "1").await;
    assert_eq!(piece(&mut late).await, "one two ", "the text so far");
    // Another entry is another run.
    let mut other = echo.open("/ws/reflections/11", "1").await;
    let mut about_rain = echo.model.asked().await;
    assert!(about_rain.body["prompt"].as_str().is_some_and(|prompt| prompt.ends_with("It rained.")));
    about_rain.says(&["rain"]).await;
    assert_eq!(piece(&mut other).await, "rain");
    asked.goes_on(&["three"]).await;
    asked.ends().await;
    for watcher in [&mut first, &mut late] {
        assert_eq!(rest(watcher).await, ("three".to_owned(), whole()));
    }
    about_rain.ends().await;
    assert_eq!(rest(&mut other).await, (String::new(), whole()));
    runs(&echo, 0).await;
    assert_eq!(echo.counted("lychgate_streams_total", &[("end", "completed")]).await, 2);
}

#[tokio::test]
async fn who_returns_within_the_grace_gets_the_text_so_far_and_then_the_rest() {
    let echo = echo_over("[endpoint.reflections.stream]\ngrace = \"1h\"\n").await;
    let mut gone = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["before "]).await;
    assert_eq!(piece(&mut gone).await, "before ");
    drop(gone);
    until("nobody to watch", async || match echo.counted("lychgate_connections", &[]).await {
        0 => Ok(()),
        open => Err(open.to_string()),
    })
    .await;
    asked.goes_on(&["meanwhile "]).await;
    let mut back = echo.open(ENTRY, "1").await;
    // What was said meanwhile is in the text so far, or comes right behind it.
    let mut text = String::new();
    while text != "before meanwhile " {
        text.push_str(&piece(&mut back).await);
        assert!("before meanwhile ".starts_with(&text), "{text}");
    }
    asked.goes_on(&["after"]).await;
    asked.ends().await;
    assert_eq!(rest(&mut back).await, ("after".to_owned(), whole()));
    assert_eq!(echo.counted("lychgate_streams_total", &[]).await, 1, "the model was asked once");
}

#[tokio::test]
async fn when_nobody_comes_back_the_model_is_told_to_stop() {
    let echo = echo_over("[endpoint.reflections.stream]\ngrace = \"300ms\"\n").await;
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["in vain"]).await;
    assert_eq!(piece(&mut ann).await, "in vain");
    drop(ann);
    asked.hung_up().await;
    runs(&echo, 0).await;
    assert_eq!(echo.counted("lychgate_streams_total", &[("end", "cancelled")]).await, 1);
    // The next one who comes begins anew; so does somebody who leaves before the model has said anything.
    let ann = echo.open(ENTRY, "1").await;
    let silent = echo.model.asked().await;
    drop(ann);
    silent.hung_up().await;
    runs(&echo, 0).await;
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    asked.says(&["anew"]).await;
    asked.ends().await;
    assert_eq!(rest(&mut ann).await, ("anew".to_owned(), whole()));
}

#[tokio::test]
async fn a_token_that_runs_out_ends_the_socket_of_a_reflection() {
    let echo = echo().await;
    let exp = now() + 2;
    let mut ann = Wire::open(echo.server.address, &super::with_token(ENTRY, &own_until("1", exp))).await;
    let mut stays = Wire::open(echo.server.address, &at(ENTRY, "1")).await;
    let mut asked = echo.model.asked().await;
    asked.says(&["slow"]).await;
    assert_eq!(rest(&mut ann).await, ("slow".to_owned(), told(4001, "Invalid or expired token")));
    assert!(now() >= exp);
    asked.goes_on(&["ly"]).await;
    asked.ends().await;
    assert_eq!(rest(&mut stays).await, ("slowly".to_owned(), whole()), "the other one's is good");
}

#[tokio::test]
async fn a_server_that_speaks_like_openai_needs_three_other_lines() {
    let openai = "/v1/chat/completions";
    let mut text = text();
    for (from, to) in [
        (
            "format = \"ollama\"\nrequest = { model = \"llama3.1:8b\", prompt = \"Read",
            "format = \"openai\"\nrequest = { model = \"gpt\", messages = [{ role = \"user\", content = \"Read",
        ),
        ("{resource.content}\", stream = true }\ngrace", "{resource.content}\" }], stream = true }\ngrace"),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let (journal, model) = (super::Journal::start().await, crate::harness::Model::bind().await);
    let url = format!("[source.model]\nurl = \"http://{}{openai}\"\nbearer = \"a key of theirs\"\n", model.address());
    let server = super::behind(&text, &journal, &model).over(&url).start().await;
    let echo = Echo { server, model, journal };
    let mut ann = echo.open(ENTRY, "1").await;
    let mut asked = echo.model.asked().await;
    assert_eq!(asked.path, openai);
    assert!(asked.body["messages"][0]["content"].as_str().is_some_and(|text| text.ends_with("I saw the sea.")));
    asked.begins(200, "text/event-stream").await;
    for token in ["You ", "saw ", "it."] {
        let event = json!({ "choices": [{ "index": 0, "delta": { "content": token } }] });
        asked.write(&format!("data: {event}\n\n")).await;
        assert_eq!(piece(&mut ann).await, token);
    }
    asked.write("data: [DONE]\n\n").await;
    assert_eq!(ann.closed_politely().await, whole());
}
