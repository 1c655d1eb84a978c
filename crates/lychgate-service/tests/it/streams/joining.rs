//! Whoever comes, at whatever moment, reads the same text.

use std::sync::Arc;
use std::time::Duration;

use lychgate_service::streams::StreamLimits;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio_util::task::TaskTracker;

use super::world::{JSON, PLAIN, WHOLE, World};

/// Characters of one to four bytes, an empty piece, and one that no frame of the text so far holds whole.
fn script() -> Vec<String> {
    let long = "äöü€𝄞".repeat(7_000);
    ["The ", "", "bell ", "gÿ", "€", "𝄞 ", &long, "tolls", "."].map(str::to_owned).to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_watcher_who_joins_at_any_piece_reads_the_identical_text() {
    let script = script();
    let whole = script.concat();
    for joins_at in 0..=script.len() {
        let mut world = World::new(StreamLimits::default());
        let first = world.watch("entry:7", PLAIN).expect("a run");
        let feed = world.feed().await;
        let mut joined = Vec::new();
        for (at, piece) in script.iter().map(Some).chain([None]).enumerate() {
            if at == joins_at {
                joined = [PLAIN, JSON].map(|class| world.watch("entry:7", class).expect("the same run")).into();
            }
            if let Some(piece) = piece {
                feed.say(&[piece]).await;
            }
        }
        feed.end().await;
        for watcher in joined.iter().chain([&first]) {
            assert!(watcher.text() == (whole.clone(), WHOLE), "joined before piece {joins_at}");
        }
        drop((joined, first));
        world.check_empty();
        assert_eq!(world.streams.counts().started, 1);
    }
}

/// Of a text that comes character by character, so at every offset that it has, and until after its end.
#[tokio::test(start_paused = true)]
async fn a_watcher_who_joins_at_any_moment_reads_the_identical_text() {
    let whole = "Für wen schlägt sie? 𝄞 The bell tolls for thee, it costs 3 €.".to_owned();
    let script: Vec<String> = whole.chars().map(String::from).collect();
    let (mut moment, mut is_over) = (0, false);
    while !is_over {
        for class in [PLAIN, JSON] {
            let limits = StreamLimits { keep: Duration::from_secs(60), ..StreamLimits::default() };
            let mut world = World::new(limits);
            let mut feeds = std::mem::replace(&mut world.feeds, mpsc::channel(1).1);
            let pieces = script.clone();
            TaskTracker::new().spawn(async move {
                let feed = feeds.recv().await.expect("a request");
                for piece in pieces {
                    feed.pieces.send(Ok(piece)).await.expect("the run goes on");
                }
                drop(feed);
                assert!(feeds.recv().await.is_none(), "a second request");
            });
            let first = world.watch("entry:7", JSON).expect("a run");
            for _ in 0..moment {
                yield_now().await;
            }
            is_over = first.text().1.is_some();
            let joined = world.watch("entry:7", class).expect("the same run");
            joined.wire.finished().await;
            assert!(joined.text() == (whole.clone(), WHOLE), "joined at moment {moment}: {:?}", joined.text().1);
            first.wire.finished().await;
            assert!(first.text() == (whole.clone(), WHOLE));
            assert_eq!(world.streams.counts().started, 1);
        }
        moment += 1;
    }
    assert!(moment > script.len(), "only {moment} moments");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_on_other_threads_read_the_identical_text() {
    const PIECES: usize = 400;
    let limits = StreamLimits { keep: Duration::from_secs(600), ..StreamLimits::default() };
    let mut world = World::new(limits);
    let first = world.watch("entry:7", PLAIN).expect("a run");
    let feed = world.feeds.recv().await.expect("a request");
    let world = Arc::new(world);
    let mut watchers = JoinSet::new();
    for piece in 0..PIECES {
        if piece % 5 == 0 {
            let world = Arc::clone(&world);
            watchers.spawn(async move {
                let watcher = world.watch("entry:7", if piece % 2 == 0 { PLAIN } else { JSON }).expect("the run");
                watcher.wire.finished().await;
                watcher.text()
            });
        }
        feed.pieces.send(Ok(format!("{piece}, "))).await.expect("the run goes on");
    }
    drop(feed);
    first.wire.finished().await;
    let whole = (0..PIECES).map(|piece| format!("{piece}, ")).collect::<String>();
    assert_eq!(first.text(), (whole.clone(), WHOLE));
    let texts = watchers.join_all().await;
    assert_eq!(texts.len(), PIECES / 5);
    assert!(texts.iter().all(|text| *text == (whole.clone(), WHOLE)));
}
