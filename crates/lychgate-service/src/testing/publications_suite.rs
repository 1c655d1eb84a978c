//! What keeping the contract of [`Publications`] means.

use std::sync::Arc;

use futures_util::future::join_all;
use lychgate_protocol::channel::ChannelName;

use crate::ports::broker::{Author, Epoch, Kept, KeptAuthor, KeptVersion, Position, Tags};
use crate::ports::clock::UnixMicros;
use crate::ports::publications::{Addition, Publications, ReadLimit, StoredPosition, StoredPublication};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);
const LATER: UnixMicros = UnixMicros(NOW.0 + 1);
const ALL: ReadLimit = ReadLimit { publications: usize::MAX, bytes: usize::MAX };

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn publications_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Publications>>,
{
    what_is_added_is_read_as_it_was(&*make().await).await;
    a_channel_keeps_its_newest(&*make().await).await;
    reading_is_limited(&*make().await).await;
    another_epoch_begins_anew(&*make().await).await;
    a_number_that_is_there_is_replaced(&*make().await).await;
    forgetting_keeps_the_position(&*make().await).await;
    what_has_expired_is_gone(&*make().await).await;
    many_at_once_are_all_there(&*make().await).await;
    a_channel_knows_the_version_that_it_has_reached(&*make().await).await;
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).expect("a name for a test is a name")
}

fn epoch(text: &str) -> Epoch {
    Epoch::parse(text).expect("an epoch for a test is one")
}

fn publication(offset: u64, payload: &str, expires_at: UnixMicros) -> StoredPublication {
    let kept = Arc::new(Kept { offset, payload: payload.as_bytes().into(), author: None, tags: Tags::default() });
    StoredPublication { kept, expires_at }
}

/// Adds `numbers` to a channel that keeps ten.
fn addition(name: &str, numbers: std::ops::RangeInclusive<u64>) -> Addition {
    Addition {
        channel: channel(name),
        epoch: epoch("firstone"),
        publications: numbers.map(|n| publication(n, &n.to_string(), LATER)).collect(),
        version: None,
        keep: 10,
        expires_at: LATER,
    }
}

async fn append(publications: &dyn Publications, additions: &[Addition]) {
    publications.append(additions).await.expect("storing works");
}

async fn newest(publications: &dyn Publications, name: &str, limit: ReadLimit) -> Vec<StoredPublication> {
    publications.newest(&channel(name), NOW, limit).await.expect("reading works")
}

async fn numbers(publications: &dyn Publications, name: &str) -> Vec<u64> {
    newest(publications, name, ALL).await.iter().map(|stored| stored.kept.offset).collect()
}

async fn positions(publications: &dyn Publications, limit: usize) -> Vec<StoredPosition> {
    publications.positions(NOW, limit).await.expect("reading works")
}

fn position(name: &str, text: &str, offset: u64, expires_at: UnixMicros) -> StoredPosition {
    StoredPosition {
        channel: channel(name),
        position: Position { epoch: epoch(text), offset },
        version: None,
        expires_at,
    }
}

async fn what_is_added_is_read_as_it_was(publications: &dyn Publications) {
    assert_eq!(positions(publications, 9).await, [] as [StoredPosition; 0]);
    assert_eq!(newest(publications, "news", ALL).await, [] as [StoredPublication; 0]);
    let whole =
        Author { user: "ada", client: "c-1", connection_info: Some(r#"{"a": 1}"#), channel_info: Some("\"';--\"") };
    let authors = [None, Some(whole), Some(Author { user: "", client: "", connection_info: None, channel_info: None })];
    let tags =
        [("kind", "offer"), ("", ""), ("\"';--", "é\n")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let tags = Tags::new(tags.into()).expect("tags for a test are within the limits");
    let authored = authors.into_iter().zip(1..).map(|(author, offset)| {
        let tags = if offset == 2 { tags.clone() } else { Tags::default() };
        let author = author.map(|author| Box::new(KeptAuthor::of(author)));
        let kept = Arc::new(Kept { offset, payload: "{ \"é\":\t1.0 }".as_bytes().into(), author, tags });
        StoredPublication { kept, expires_at: UnixMicros(LATER.0 + offset) }
    });
    let mut first = addition("news", 1..=1);
    first.publications = authored.collect();
    let second = Addition { expires_at: UnixMicros(LATER.0 + 9), ..addition("chat:1", 1..=2) };
    append(publications, &[first.clone(), second.clone()]).await;
    assert_eq!(newest(publications, "news", ALL).await, first.publications);
    assert_eq!(newest(publications, "chat:1", ALL).await, second.publications);
    let expected = [position("chat:1", "firstone", 2, second.expires_at), position("news", "firstone", 3, LATER)];
    assert_eq!(positions(publications, 9).await, expected, "what expires last comes first");
    assert_eq!(positions(publications, 1).await, expected[..1]);
}

async fn a_channel_keeps_its_newest(publications: &dyn Publications) {
    append(publications, &[addition("news", 1..=8), addition("chat:1", 1..=3)]).await;
    append(publications, &[addition("news", 9..=12)]).await;
    assert_eq!(numbers(publications, "news").await, (3..=12).collect::<Vec<_>>());
    append(publications, &[Addition { keep: 2, ..addition("news", 13..=15) }]).await;
    assert_eq!(numbers(publications, "news").await, [14, 15]);
    assert_eq!(numbers(publications, "chat:1").await, [1, 2, 3], "another channel keeps its own");
}

async fn a_channel_knows_the_version_that_it_has_reached(publications: &dyn Publications) {
    let version = |number, epoch: &str| Some(KeptVersion { number, epoch: epoch.into() });
    for (at, reached) in (1..).zip([version(7, ""), version(u64::MAX, "run"), version(1, "another"), None]) {
        let step = Addition { version: reached.clone(), ..addition("news", at..=at) };
        append(publications, &[step, addition("chat:1", at..=at)]).await;
        let expected = StoredPosition { version: reached, ..position("news", "firstone", at, LATER) };
        let stored = positions(publications, 9).await;
        assert!(stored.contains(&expected), "{stored:?}");
        assert!(stored.contains(&position("chat:1", "firstone", at, LATER)), "{stored:?}");
    }
}

async fn reading_is_limited(publications: &dyn Publications) {
    append(publications, &[addition("news", 1..=9)]).await;
    let read = async |publications_max, bytes| {
        let limit = ReadLimit { publications: publications_max, bytes };
        newest(publications, "news", limit).await.iter().map(|stored| stored.kept.offset).collect::<Vec<_>>()
    };
    assert_eq!(read(2, 100).await, [8, 9]);
    assert_eq!(read(100, 3).await, [7, 8, 9]);
    assert_eq!(read(0, 100).await, [] as [u64; 0]);
    assert_eq!(read(100, 0).await, [] as [u64; 0]);
}

async fn another_epoch_begins_anew(publications: &dyn Publications) {
    append(publications, &[addition("news", 1..=9), addition("chat:1", 1..=3)]).await;
    append(publications, &[Addition { epoch: epoch("otherone"), ..addition("news", 1..=2) }]).await;
    assert_eq!(numbers(publications, "news").await, [1, 2]);
    assert_eq!(numbers(publications, "chat:1").await, [1, 2, 3]);
    assert!(positions(publications, 9).await.contains(&position("news", "otherone", 2, LATER)));
}

async fn a_number_that_is_there_is_replaced(publications: &dyn Publications) {
    append(publications, &[addition("news", 1..=3)]).await;
    let mut again = addition("news", 3..=3);
    again.publications = vec![publication(3, "another", LATER)];
    append(publications, &[again.clone()]).await;
    assert_eq!(numbers(publications, "news").await, [1, 2, 3]);
    assert_eq!(newest(publications, "news", ALL).await.last(), again.publications.last());
}

async fn forgetting_keeps_the_position(publications: &dyn Publications) {
    append(publications, &[addition("news", 1..=3), addition("chat:1", 1..=3)]).await;
    for _ in 0..2 {
        publications.forget(&channel("news")).await.expect("forgetting works");
    }
    assert_eq!(numbers(publications, "news").await, [] as [u64; 0]);
    assert_eq!(numbers(publications, "chat:1").await, [1, 2, 3]);
    assert!(positions(publications, 9).await.contains(&position("news", "firstone", 3, LATER)));
    append(publications, &[addition("news", 4..=5)]).await;
    assert_eq!(numbers(publications, "news").await, [4, 5]);
}

async fn what_has_expired_is_gone(publications: &dyn Publications) {
    let mut mixed = addition("news", 1..=4);
    mixed.publications =
        (1..=4).map(|n| publication(n, "x", if n <= 3 { UnixMicros(NOW.0 - 1 + n / 3) } else { LATER })).collect();
    append(publications, &[mixed, Addition { expires_at: NOW, ..addition("over", 1..=1) }]).await;
    assert_eq!(numbers(publications, "news").await, [4], "it is gone for readers, purged or not");
    assert_eq!(positions(publications, 9).await, [position("news", "firstone", 4, LATER)]);
    let purge = async |now, limit| publications.purge(now, limit).await.expect("purging works");
    assert_eq!(purge(UnixMicros(0), 100).await, 0);
    assert_eq!(purge(NOW, 2).await, 3, "two publications and a position");
    assert_eq!(purge(NOW, 2).await, 1);
    assert_eq!(purge(NOW, 2).await, 0);
    assert_eq!(numbers(publications, "news").await, [4]);
    let early = publications.newest(&channel("news"), UnixMicros(0), ALL).await.expect("reading works");
    assert_eq!(early.len(), 1, "what was purged does not come back");
    assert_eq!(purge(LATER, 100).await, 3, "the rest");
}

async fn many_at_once_are_all_there(publications: &dyn Publications) {
    let additions: Vec<_> = (0..16).map(|n| [addition(&format!("chat:{n}"), 1..=4)]).collect();
    for answer in join_all(additions.iter().map(|additions| publications.append(additions))).await {
        answer.expect("storing works");
    }
    assert_eq!(positions(publications, 99).await.len(), 16);
    for n in 0..16 {
        assert_eq!(numbers(publications, &format!("chat:{n}")).await, [1, 2, 3, 4]);
    }
}
