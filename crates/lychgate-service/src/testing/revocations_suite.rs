//! What keeping the contract of [`RevocationLog`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::revocations::{Revocation, RevocationLog, Revoked};

const NOW_S: u64 = 1_700_000_000;

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn revocations_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn RevocationLog>>,
{
    entries_are_read_as_they_were_kept_and_in_their_order(&*make().await).await;
    a_block_takes_the_place_of_the_one_before(&*make().await).await;
    what_is_full_takes_nothing_until_something_is_over(&*make().await).await;
    numbers_of_many_at_once_have_no_gap_behind_a_reader(&*make().await).await;
}

fn entry(what: Revoked, ends_at_s: u64) -> Revocation {
    Revocation { what, ends_at_s }
}

async fn append(log: &dyn RevocationLog, entry: &Revocation, entries_max: u32, now_s: u64) -> bool {
    log.append(entry, entries_max, now_s).await.expect("an entry can be kept")
}

async fn all(log: &dyn RevocationLog) -> Vec<Revocation> {
    let read = log.since(0, 1_000).await.expect("reading works");
    read.into_iter().map(|numbered| numbered.revocation).collect()
}

async fn entries_are_read_as_they_were_kept_and_in_their_order(log: &dyn RevocationLog) {
    assert!(all(log).await.is_empty());
    let odd = "';DROP TABLE revocations;-- \u{1f511} %_";
    let entries = [
        entry(Revoked::Token(odd.to_owned()), NOW_S + 9),
        entry(Revoked::Session(odd.to_owned()), NOW_S + 8),
        entry(Revoked::User { subject: odd.to_owned(), issued_until_s: NOW_S - 1 }, NOW_S + 7),
        entry(Revoked::Everybody { issued_until_s: NOW_S }, NOW_S + 6),
        entry(Revoked::Block { subject: odd.to_owned(), until_s: NOW_S - 5 }, NOW_S + 5),
        entry(Revoked::Token(odd.to_owned()), NOW_S + 9),
    ];
    for entry in &entries {
        assert!(append(log, entry, 100, NOW_S).await);
    }
    assert_eq!(all(log).await, entries, "twice is twice");
    let first = log.since(0, 2).await.expect("reading works");
    assert_eq!(first.len(), 2);
    let rest = log.since(first[1].number, 100).await.expect("reading works");
    assert_eq!(
        rest.iter().map(|numbered| &numbered.revocation).collect::<Vec<_>>(),
        entries[2..].iter().collect::<Vec<_>>()
    );
    let last = rest.last().expect("there are more").number;
    assert!(log.since(last, 100).await.expect("reading works").is_empty());
    assert!(append(log, &entries[0], 100, NOW_S).await);
    let next = log.since(last, 100).await.expect("reading works");
    assert!(next.len() == 1 && next[0].number > last, "what comes later has a greater number");
}

async fn a_block_takes_the_place_of_the_one_before(log: &dyn RevocationLog) {
    let block = |subject: &str, until_s| entry(Revoked::Block { subject: subject.to_owned(), until_s }, NOW_S + 1_000);
    let cut = entry(Revoked::User { subject: "ann".to_owned(), issued_until_s: NOW_S }, NOW_S + 9);
    for entry in [&block("ann", NOW_S + 500), &cut, &block("bob", NOW_S + 500), &block("ann", NOW_S)] {
        assert!(append(log, entry, 100, NOW_S).await);
    }
    assert_eq!(all(log).await, [cut, block("bob", NOW_S + 500), block("ann", NOW_S)]);
}

async fn what_is_full_takes_nothing_until_something_is_over(log: &dyn RevocationLog) {
    let of = |name: &str, ends_at_s| entry(Revoked::Token(name.to_owned()), ends_at_s);
    assert!(append(log, &of("a", NOW_S + 10), 2, NOW_S).await);
    assert!(append(log, &of("b", NOW_S + 20), 2, NOW_S).await);
    assert!(!append(log, &of("c", NOW_S + 30), 2, NOW_S).await);
    assert_eq!(all(log).await, [of("a", NOW_S + 10), of("b", NOW_S + 20)], "and nothing was pushed out");
    assert!(!append(log, &of("c", NOW_S + 30), 2, NOW_S + 9).await);
    assert!(append(log, &of("c", NOW_S + 30), 2, NOW_S + 10).await, "the first one is over");
    assert_eq!(all(log).await, [of("b", NOW_S + 20), of("c", NOW_S + 30)]);
}

async fn numbers_of_many_at_once_have_no_gap_behind_a_reader(log: &dyn RevocationLog) {
    let writers = join_all(
        (0..32_u64)
            .map(|n| async move { append(log, &entry(Revoked::Token(n.to_string()), NOW_S + 9), 1_000, NOW_S).await }),
    );
    let reader = async {
        let (mut read, mut after) = (Vec::new(), 0);
        while read.len() < 32 {
            for numbered in log.since(after, 3).await.expect("reading works") {
                assert!(numbered.number > after, "in their order");
                after = numbered.number;
                read.push(numbered.revocation);
            }
            tokio::task::yield_now().await;
        }
        read
    };
    let (written, mut read) = tokio::join!(writers, reader);
    assert!(written.into_iter().all(|is_kept| is_kept));
    read.sort_by_key(|entry| format!("{entry:?}"));
    read.dedup();
    assert_eq!(read.len(), 32, "each was met once");
}
