//! Each way in which a text does not come, beside one that does.

use std::time::Duration;

use lychgate_service::ports::text_source::{SourceFault, TextSource as _};
use lychgate_upstream::models::{ModelSource, SourceKind, SourceLimits, SourceSettings};
use serde_json::json;

use crate::models::{EVENTS, NDJSON, heard, settings};
use crate::peer::{Nobody, Peer, chunk, chunked, head, within};

const KINDS: [SourceKind; 2] = [SourceKind::Ollama, SourceKind::OpenAi];

fn content_type(kind: SourceKind) -> &'static str {
    if kind == SourceKind::Ollama { NDJSON } else { EVENTS }
}

fn piece(kind: SourceKind, text: &str) -> String {
    match kind {
        SourceKind::Ollama => format!("{{\"response\":\"{text}\"}}\n"),
        SourceKind::OpenAi => format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"),
    }
}

fn end(kind: SourceKind) -> &'static str {
    if kind == SourceKind::Ollama { "{\"done\":true}\n" } else { "data: [DONE]\n\n" }
}

/// A piece, then `what`, then a good end.
async fn heard_amid(kind: SourceKind, what: &str) -> Option<SourceFault> {
    let body = [&piece(kind, "a"), what, end(kind)].concat();
    let (pieces, fault) =
        heard(kind, SourceLimits::default(), &chunked(content_type(kind), [body.as_bytes()]), false).await;
    assert_eq!(pieces.first().map(String::as_str), Some("a"), "what came before a fault is kept");
    fault
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    for kind in KINDS {
        let nobody = Nobody::bind();
        let source = ModelSource::new(&settings(nobody.url(), kind)).unwrap();
        assert_eq!(within(source.open(&json!({}))).await.err(), Some(SourceFault::Unreachable));
    }
}

#[tokio::test]
async fn a_status_that_is_no_success_is_told_and_no_redirect_is_followed() {
    for (status, expected) in [(200, None), (302, Some(302)), (307, Some(307)), (404, Some(404)), (503, Some(503))] {
        let peer = Peer::bind().await;
        let source = ModelSource::new(&settings(peer.url(), SourceKind::Ollama)).unwrap();
        let request = json!({});
        let answering = async {
            let mut exchange = peer.accept().await;
            let location = peer.url();
            let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 14\r\n\r\n");
            exchange.send(head + "{\"done\":true}\n").await;
        };
        let (opened, ()) = within(async { tokio::join!(source.open(&request), answering) }).await;
        assert_eq!(opened.err(), expected.map(SourceFault::Status), "{status}");
        assert!(peer.is_left_alone().await, "{status}");
    }
}

#[tokio::test]
async fn a_source_that_says_nothing_has_stalled() {
    let short = Duration::from_millis(50);
    let begun = |kind| head(content_type(kind), "Transfer-Encoding: chunked");
    for kind in KINDS {
        let first = SourceLimits { first_byte_timeout: short, ..SourceLimits::default() };
        assert_eq!(heard(kind, first, b"", true).await, (vec![], Some(SourceFault::Stalled)), "no head");
        assert_eq!(heard(kind, first, &begun(kind), true).await, (vec![], Some(SourceFault::Stalled)), "no body");

        let idle = SourceLimits { idle_timeout: short, ..SourceLimits::default() };
        let answer = [begun(kind), chunk(piece(kind, "a").as_bytes())].concat();
        assert_eq!(heard(kind, idle, &answer, true).await, (vec!["a".to_owned()], Some(SourceFault::Stalled)));
        let answer = [answer, chunk(end(kind).as_bytes())].concat();
        assert_eq!(heard(kind, idle, &answer, true).await, (vec!["a".to_owned()], None), "the control");
    }
}

#[tokio::test]
async fn more_than_the_limit_is_too_large() {
    for kind in KINDS {
        let bodies = |text: &str, count: usize| piece(kind, text).repeat(count) + end(kind);
        let body = bodies("0123456789", 10);
        let event = piece(kind, "0123456789").trim_end().len() + 1;
        let generous = SourceLimits::default();
        for (name, limits, is_too_large) in [
            ("as long as the limits", SourceLimits { text_bytes_max: 100, ..generous }, false),
            ("a longer text", SourceLimits { text_bytes_max: 99, ..generous }, true),
            ("an event of the limit", SourceLimits { event_bytes_max: event, ..generous }, false),
            ("a longer event", SourceLimits { event_bytes_max: event - 2, ..generous }, true),
            ("a body of the limit", SourceLimits { body_bytes_max: body.len(), ..generous }, false),
            ("a longer body", SourceLimits { body_bytes_max: body.len() - 1, ..generous }, true),
        ] {
            let answer = chunked(content_type(kind), [body.as_bytes()]);
            let (_, fault) = heard(kind, limits, &answer, false).await;
            assert_eq!(fault, is_too_large.then_some(SourceFault::TooLarge), "{kind:?}: {name}");
        }
        // A line that never ends is refused while it comes, in whatever portions.
        let mut answer = head(content_type(kind), "Transfer-Encoding: chunked");
        answer.extend(chunk(&[b' '; 300]).repeat(4));
        let limits = SourceLimits { event_bytes_max: 1000, ..generous };
        assert_eq!(heard(kind, limits, &answer, true).await.1, Some(SourceFault::TooLarge));
    }
}

#[tokio::test]
async fn what_no_such_source_says_is_malformed() {
    let ollama = [
        "?\n",
        "[]\n",
        "{}\n",
        "{\"response\":7}\n",
        "{\"response\":null}\n",
        "{\"response\":\"b\",\"done\":\"yes\"}\n",
        "{\"response\":\"b\"\n",
        "{\"response\":\"\\ud83d\"}\n",
        "data: {\"response\":\"b\"}\n",
    ];
    let openai = [
        "data: ?\n\n",
        "data\n\n",
        "data: []\n\n",
        "data: {}\n\n",
        "data: {\"choices\":{}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":[\"b\"]}}]}\n\n",
        "data: {\"choices\":[\n\n",
    ];
    for (kind, bad) in [(KINDS[0], &ollama[..]), (KINDS[1], &openai[..])] {
        assert_eq!(heard_amid(kind, &piece(kind, "b")).await, None, "the control");
        for what in bad {
            assert_eq!(heard_amid(kind, what).await, Some(SourceFault::Malformed), "{what}");
        }
        let no_utf8 = [piece(kind, "a").as_bytes(), piece(kind, "b").replace('b', "\x01").as_bytes()].concat();
        let no_utf8: Vec<u8> = no_utf8.into_iter().map(|byte| if byte == 1 { 0xFF } else { byte }).collect();
        let (pieces, fault) =
            heard(kind, SourceLimits::default(), &chunked(content_type(kind), [&no_utf8[..]]), false).await;
        assert_eq!((pieces.len(), fault), (1, Some(SourceFault::Malformed)));
    }
}

#[tokio::test]
async fn an_answer_that_was_not_streamed_is_malformed() {
    let body = br#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    let answer = chunked("application/json", [&body[..]]);
    let (_, fault) = heard(SourceKind::OpenAi, SourceLimits::default(), &answer, false).await;
    assert_eq!(fault, Some(SourceFault::Malformed));
}

#[tokio::test]
async fn an_end_that_was_not_said_is_a_cut() {
    for kind in KINDS {
        let (a, done) = (piece(kind, "a"), end(kind));
        let chunks = |parts: &[&str]| -> Vec<u8> {
            let head = head(content_type(kind), "Transfer-Encoding: chunked");
            std::iter::once(head).chain(parts.iter().map(|part| chunk(part.as_bytes()))).flatten().collect()
        };
        let counted = |missing: usize| {
            let field = format!("Content-Length: {}", a.len() + done.len() + missing);
            [head(content_type(kind), &field), a.clone().into_bytes(), done.as_bytes().to_vec()].concat()
        };
        let half = &done[..done.len() / 2];
        let unended = [chunks(&[&a, piece(kind, "b").trim_end()]), b"0\r\n\r\n".to_vec()].concat();
        // The same with its framing is a good end, as another test shows.
        let unframed = match kind {
            SourceKind::Ollama => chunks(&[&a, done.trim_end()]),
            SourceKind::OpenAi => chunks(&[&a, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"]),
        };
        for (name, answer, is_cut) in [
            ("hung up behind the end", chunks(&[&a, done]), false),
            ("the framing ends", [chunks(&[&a]), b"0\r\n\r\n".to_vec()].concat(), true),
            ("the framing ends in half an end", [chunks(&[&a, half]), b"0\r\n\r\n".to_vec()].concat(), true),
            ("the framing ends behind a line without its end", unended, true),
            ("hung up behind an end that only the framing would say", unframed, true),
            ("hung up between chunks", chunks(&[&a]), true),
            ("hung up in a chunk", [chunks(&[&a]), b"ff\r\n{".to_vec()].concat(), true),
            ("hung up behind the end of a longer body", counted(9), false),
            ("a counted body", counted(0), false),
        ] {
            let heard = heard(kind, SourceLimits::default(), &answer, false).await;
            assert_eq!(heard, (vec!["a".to_owned()], is_cut.then_some(SourceFault::Cut)), "{kind:?}: {name}");
        }
        for beginning in ["", "HTTP/1.1 200 OK\r\nContent-"] {
            let heard = heard(kind, SourceLimits::default(), beginning.as_bytes(), false).await;
            assert_eq!(heard, (vec![], Some(SourceFault::Cut)), "hung up in the head");
        }
    }
}

#[tokio::test]
async fn a_source_that_says_that_it_failed_has_failed() {
    for (kind, what) in [
        (KINDS[0], "{\"error\":\"out of memory\"}\n"),
        (KINDS[0], "{\"error\":\"out of memory\",\"response\":\"\",\"done\":true}\n"),
        (KINDS[1], "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
        (KINDS[1], "data: {\"error\":\"overloaded\",\"choices\":[]}\n\n"),
        (KINDS[1], "event: error\ndata: overloaded\n\n"),
    ] {
        assert_eq!(heard_amid(kind, what).await, Some(SourceFault::Failed), "{what}");
        let harmless = what.replace("error", "notice").replace("\"response\":\"\",\"done\":true", "\"response\":\"\"");
        if harmless.contains("choices") {
            assert_eq!(heard_amid(kind, &harmless).await, None, "the control: {harmless}");
        }
    }
    let answer = chunked(NDJSON, [&b"{\"error\":\"no end of line\"}"[..]]);
    let heard = heard(SourceKind::Ollama, SourceLimits::default(), &answer, false).await;
    assert_eq!(heard.1, Some(SourceFault::Failed));
}

#[tokio::test]
async fn a_token_never_shows_in_what_is_printed() {
    let settings = SourceSettings {
        bearer: Some("very\nsecret".into()),
        ..settings("http://127.0.0.1:1/".to_owned(), SourceKind::Ollama)
    };
    let fault = ModelSource::new(&settings).err().unwrap();
    assert!(!format!("{fault} {fault:?}").contains("secret"), "{fault:?}");
}
