//! What is asked, what comes of it, and that nobody works for somebody who left.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lychgate_service::ports::text_source::{Pieces, SourceFault, TextSource as _};
use lychgate_upstream::models::{ModelSource, SourceKind, SourceLimits, SourceSettings};
use serde_json::{Value, json};

use crate::peer::{Exchange, Peer, chunk, chunked, head, within};

pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const EVENTS: &str = "text/event-stream; charset=utf-8";

pub(crate) fn settings(url: String, kind: SourceKind) -> SourceSettings {
    SourceSettings { url, kind, bearer: None, headers: Vec::new(), limits: SourceLimits::default() }
}

/// All pieces, and the fault that ended them.
pub(crate) async fn read(mut pieces: Pieces) -> (Vec<String>, Option<SourceFault>) {
    let mut read = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => read.push(piece),
            Err(fault) => {
                assert!(pieces.next().await.is_none(), "nothing comes after a fault");
                return (read, Some(fault));
            }
        }
    }
    (read, None)
}

/// What becomes of exactly these bytes as an answer; `hold` keeps the connection open behind them.
pub(crate) async fn heard(
    kind: SourceKind,
    limits: SourceLimits,
    answer: &[u8],
    hold: bool,
) -> (Vec<String>, Option<SourceFault>) {
    let peer = Peer::bind().await;
    let source = ModelSource::new(&SourceSettings { limits, ..settings(peer.url(), kind) }).unwrap();
    let request = json!({});
    let asking = async {
        match source.open(&request).await {
            Ok(pieces) => read(pieces).await,
            Err(fault) => (Vec::new(), Some(fault)),
        }
    };
    let answering = async {
        let mut exchange = peer.accept().await;
        exchange.send(answer).await;
        hold.then_some(exchange)
    };
    within(async { tokio::join!(asking, answering) }).await.0
}

async fn opened(peer: &Peer, kind: SourceKind, answer: &[u8]) -> (Pieces, Exchange) {
    let source = ModelSource::new(&settings(peer.url(), kind)).unwrap();
    let request = json!({});
    let answering = async {
        let mut exchange = peer.accept().await;
        exchange.send(answer).await;
        exchange
    };
    let (pieces, exchange) = within(async { tokio::join!(source.open(&request), answering) }).await;
    (pieces.unwrap(), exchange)
}

#[tokio::test]
async fn a_text_comes_piece_by_piece_and_empty_ones_are_left_out() {
    let lines = [
        "{\"model\":\"m\",\"response\":\"Once\",\"done\":false}\n",
        "{\"response\":\"\",\"done\":false,\"thinking\":\"hm\"}\n",
        "{\"response\":\" upon\"}\r\n",
        "\n",
        "{\"response\":\" a time\",\"done\":true,\"eval_count\":3}\n",
    ];
    let answer = chunked(NDJSON, lines.map(str::as_bytes));
    let heard_of_ollama = heard(SourceKind::Ollama, SourceLimits::default(), &answer, false).await;
    assert_eq!(heard_of_ollama, (vec!["Once".into(), " upon".into(), " a time".into()], None));

    let events = [
        ": waiting\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Once\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"another\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":\"hm\"}}],\"error\":null}\n\n",
        "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\" upon\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n",
        "data: [DONE]\n\n",
    ];
    let answer = chunked(EVENTS, events.map(str::as_bytes));
    let heard_of_openai = heard(SourceKind::OpenAi, SourceLimits::default(), &answer, false).await;
    assert_eq!(heard_of_openai, (vec!["Once".into(), " upon".into()], None));
}

#[tokio::test]
async fn every_good_end_is_one_and_nothing_behind_it_is_read() {
    let said = "{\"response\":\"a\"}\n";
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
    let finished = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    for (name, kind, body, hold) in [
        ("done, and the connection stays", SourceKind::Ollama, format!("{said}{{\"done\":true}}\n"), true),
        ("done without an end of line", SourceKind::Ollama, format!("{said}{{\"done\":true}}"), false),
        ("done, then nonsense", SourceKind::Ollama, format!("{said}{{\"done\":true}}\n?\n"), false),
        ("[DONE], and the connection stays", SourceKind::OpenAi, format!("{event}data: [DONE]\n\n"), true),
        ("[DONE], then nonsense", SourceKind::OpenAi, format!("{event}data: [DONE]\n\ndata: ?\n\n"), false),
        ("finished, then the end", SourceKind::OpenAi, format!("{event}{finished}"), false),
    ] {
        let content_type = if kind == SourceKind::Ollama { NDJSON } else { EVENTS };
        let answer = if hold {
            [head(content_type, "Transfer-Encoding: chunked"), chunk(body.as_bytes())].concat()
        } else {
            chunked(content_type, [body.as_bytes()])
        };
        let heard = heard(kind, SourceLimits::default(), &answer, hold).await;
        assert_eq!(heard, (vec!["a".to_owned()], None), "{name}");
    }
}

#[tokio::test]
async fn the_body_of_a_question_and_its_headers_come_from_the_settings() {
    let peer = Peer::bind().await;
    let source = ModelSource::new(&SourceSettings {
        bearer: Some("token-of-the-model".into()),
        headers: vec![("X-Api-Key".to_owned(), "key".into())],
        ..settings(peer.url(), SourceKind::OpenAi)
    });
    let source = source.unwrap();
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "Hällo"}], "stream": true});
    let answering = async {
        let mut exchange = peer.accept().await;
        exchange.send(chunked(EVENTS, [&b"data: [DONE]\n\n"[..]])).await;
        exchange
    };
    let (pieces, exchange) = within(async { tokio::join!(source.open(&request), answering) }).await;
    assert_eq!(within(read(pieces.unwrap())).await, (Vec::new(), None));
    assert!(exchange.head.starts_with("POST /here?a=b HTTP/1.1\r\n"), "{}", exchange.head);
    assert_eq!(exchange.header("authorization"), Some("Bearer token-of-the-model"));
    assert_eq!(exchange.header("x-api-key"), Some("key"));
    assert_eq!(exchange.header("content-type"), Some("application/json"));
    assert_eq!(exchange.header("accept"), Some("text/event-stream"));
    assert_eq!(serde_json::from_slice::<Value>(&exchange.body).unwrap(), request);
}

#[tokio::test]
async fn whoever_drops_a_text_hangs_up_on_the_source() {
    let peer = Peer::bind().await;
    let beginning = [head(NDJSON, "Transfer-Encoding: chunked"), chunk(b"{\"response\":\"a\"}\n")].concat();
    let (mut pieces, mut dropped) = opened(&peer, SourceKind::Ollama, &beginning).await;
    let (other, mut kept) = opened(&peer, SourceKind::Ollama, &beginning).await;
    assert_eq!(within(pieces.next()).await, Some(Ok("a".to_owned())));
    drop(pieces);
    within(dropped.gone()).await;

    assert!(kept.gone().now_or_never().is_none(), "another text goes on");
    kept.send(chunk(b"{\"response\":\"b\",\"done\":true}\n")).await;
    assert_eq!(within(read(other)).await, (vec!["a".to_owned(), "b".to_owned()], None));
    within(kept.gone()).await;
}

#[tokio::test]
async fn the_connection_of_a_text_that_was_read_to_its_end_serves_no_other() {
    let peer = Peer::bind().await;
    // A source that is gone would close its connections anyway.
    let source = ModelSource::new(&settings(peer.url(), SourceKind::OpenAi)).unwrap();
    let request = json!({});
    let answering = async {
        let mut exchange = peer.accept().await;
        exchange.send(chunked(EVENTS, [&b"data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"[..]])).await;
        exchange
    };
    let (pieces, mut exchange) = within(async { tokio::join!(source.open(&request), answering) }).await;
    assert_eq!(within(read(pieces.unwrap())).await, (Vec::new(), None));
    within(exchange.gone()).await;
    drop(source);
}

#[tokio::test]
async fn whoever_stops_asking_hangs_up_on_the_source() {
    let peer = Peer::bind().await;
    let source = ModelSource::new(&settings(peer.url(), SourceKind::Ollama)).unwrap();
    let request = json!({});
    let mut exchange = within(async {
        tokio::select! {
            _ = source.open(&request) => unreachable!("there is no answer"),
            exchange = peer.accept() => exchange,
        }
    })
    .await;
    within(exchange.gone()).await;
}

#[tokio::test]
async fn a_claimed_length_allocates_nothing() {
    let whole = b"{\"response\":\"a\"}\n{\"done\":true}\n";
    for claim in ["Content-Length: 9000000000000000000", "Transfer-Encoding: chunked"] {
        let mut answer = head(NDJSON, claim);
        if claim.ends_with("chunked") {
            answer.extend(b"7ffffffffffffff\r\n");
        }
        answer.extend(whole);
        let limits = SourceLimits { idle_timeout: Duration::from_secs(15), ..SourceLimits::default() };
        assert_eq!(heard(SourceKind::Ollama, limits, &answer, true).await, (vec!["a".to_owned()], None), "{claim}");
    }
}
