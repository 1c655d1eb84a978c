//! However a body is cut, the text is the same.

use lychgate_upstream::models::{SourceKind, SourceLimits};
use proptest::prelude::*;

use crate::models::{EVENTS, NDJSON, heard};
use crate::peer::chunked;

/// Letters of one to four bytes, escaped and plain.
const PIECES: [&str; 4] = ["a", "é€", "😀 b", "\n\"c\" 😀"];

fn bodies() -> Vec<(SourceKind, &'static str, String)> {
    let json = |piece: &str| serde_json::to_string(piece).unwrap();
    let mut lines: String = PIECES.map(|piece| format!("{{\"response\": {}}}\n", json(piece))).concat();
    lines += "{\"response\": \"\\ud83d\\ude00\", \"done\": true}\n";
    let mut events = "\u{feff}: hello\n\n".to_owned();
    for piece in PIECES {
        events += &format!("data: {{\"choices\":\ndata: [{{\"delta\": {{\"content\": {}}}}}]}}\n\n", json(piece));
    }
    events += "data:{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\\ude00\"}}]}\n\ndata: [DONE]\n\n";
    vec![
        (SourceKind::Ollama, NDJSON, lines.clone()),
        (SourceKind::Ollama, NDJSON, lines.replace('\n', "\r\n")),
        (SourceKind::OpenAi, EVENTS, events.clone()),
        (SourceKind::OpenAi, EVENTS, events.replace('\n', "\r\n")),
        (SourceKind::OpenAi, EVENTS, events.replace('\n', "\r")),
    ]
}

async fn assert_same_text(kind: SourceKind, content_type: &str, parts: Vec<&[u8]>, how: &str) {
    let (pieces, fault) = heard(kind, SourceLimits::default(), &chunked(content_type, parts), false).await;
    assert_eq!(fault, None, "{how}");
    assert_eq!(pieces, [&PIECES[..], &["😀"]].concat(), "{how}");
}

#[tokio::test]
async fn cut_at_every_byte() {
    for (kind, content_type, body) in bodies() {
        let body = body.as_bytes();
        for at in 1..body.len() {
            let parts = vec![&body[..at], &body[at..]];
            assert_same_text(kind, content_type, parts, &format!("{kind:?} cut at {at}")).await;
        }
        assert_same_text(kind, content_type, body.chunks(1).collect(), "byte by byte").await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cut_anywhere_as_often_as_you_like(
        which in 0..5_usize,
        mut cuts in proptest::collection::btree_set(1..300_usize, 0..20),
    ) {
        let (kind, content_type, body) = &bodies()[which];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        cuts.retain(|cut| *cut < body.len());
        let ends: Vec<_> = cuts.iter().copied().chain([body.len()]).collect();
        let begins = std::iter::once(0).chain(cuts.iter().copied());
        let parts: Vec<_> = begins.zip(&ends).map(|(begin, end)| &body.as_bytes()[begin..*end]).collect();
        runtime.block_on(assert_same_text(*kind, content_type, parts, &format!("{kind:?} cut at {cuts:?}")));
    }
}
