//! Sessions and revocations: the fakes against the suites, and what the process knows of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lychgate_service::ports::clock::{Clock, UnixMicros};
use lychgate_service::ports::revocations::{Revocation, RevocationLog, Revoked};
use lychgate_service::ports::users::UserId;
use lychgate_service::revocations::{Marks, NotAdmissible, NotRevoked, RevocationLimits, Revocations};
use lychgate_service::testing::{MemorySessions, SessionsWorld, revocations_conformance, sessions_conformance};

#[tokio::test]
async fn sessions_in_memory_keep_the_contract() {
    sessions_conformance(async || {
        let store = Arc::new(MemorySessions::default());
        SessionsWorld { sessions: Arc::clone(&store) as _, revocations: store, ann: UserId(1), bob: UserId(2) }
    })
    .await;
}

#[tokio::test]
async fn revocations_in_memory_keep_the_contract() {
    revocations_conformance(async || Arc::new(MemorySessions::default()) as Arc<dyn RevocationLog>).await;
}

mod office;

const NOW_S: u64 = 1_700_000_000;
const LONGEST_S: u64 = 1_800;
const STALE_S: u64 = 5;

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::Relaxed) * 1_000_000)
    }
}

struct World {
    log: Arc<MemorySessions>,
    clock: Arc<Hand>,
    revocations: Arc<Revocations>,
}

fn world() -> World {
    let (log, clock) = (Arc::new(MemorySessions::default()), Arc::new(Hand(AtomicU64::new(NOW_S))));
    let limits = RevocationLimits {
        entries_max: 3,
        read_every: Duration::from_secs(1),
        stale_after: Duration::from_secs(STALE_S),
        longest_token_s: LONGEST_S,
    };
    let revocations = Arc::new(Revocations::new(log.clone(), clock.clone(), limits));
    World { log, clock, revocations }
}

fn marks(jti: &str, sid: &str, issued_at_s: u64) -> Marks {
    Marks { token: Some(jti.into()), session: Some(sid.into()), issued_at_s: Some(issued_at_s) }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_before_the_log_was_read_and_for_too_long_after() {
    let World { log, revocations, .. } = world();
    let check = || revocations.check("ann", &marks("t", "s", NOW_S));
    assert_eq!(check(), Err(NotAdmissible::Stale));
    revocations.read().await.expect("it can be read");
    assert_eq!(check(), Ok(()));
    tokio::time::advance(Duration::from_secs(STALE_S)).await;
    assert_eq!(check(), Ok(()));
    log.set_away(true);
    assert!(revocations.read().await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(check(), Err(NotAdmissible::Stale));
    let refused = revocations.revoke(Revoked::Token("t".to_owned()), NOW_S + 9).await;
    assert!(matches!(refused, Err(NotRevoked::Store(_))), "{refused:?}");
    log.set_away(false);
    revocations.read().await.expect("it can be read again");
    assert_eq!(check(), Ok(()));
}

#[tokio::test]
async fn what_another_process_has_written_counts_once_it_is_read() {
    let World { log, clock, revocations } = world();
    let other = Revocations::new(
        log.clone(),
        clock.clone(),
        RevocationLimits {
            entries_max: 3,
            read_every: Duration::from_secs(1),
            stale_after: Duration::MAX,
            longest_token_s: LONGEST_S,
        },
    );
    revocations.read().await.expect("it can be read");
    other.revoke(Revoked::Session("s".to_owned()), NOW_S + LONGEST_S).await.expect("it can be kept");
    assert_eq!(other.check("ann", &marks("t", "s", NOW_S)), Err(NotAdmissible::Revoked));
    assert_eq!(revocations.check("ann", &marks("t", "s", NOW_S)), Ok(()));
    revocations.read().await.expect("it can be read");
    assert_eq!(revocations.check("ann", &marks("t", "s", NOW_S)), Err(NotAdmissible::Revoked));
    assert_eq!(revocations.check("s", &marks("s", "t", NOW_S)), Ok(()), "a name of another kind is another one");
    clock.0.store(NOW_S + LONGEST_S, Ordering::Relaxed);
    assert_eq!(revocations.check("ann", &marks("t", "s", NOW_S)), Ok(()), "its tokens are over");
}

#[tokio::test]
async fn a_limit_refuses_what_is_asked_for_and_keeps_what_is_there() {
    let World { revocations, clock, .. } = world();
    revocations.read().await.expect("it can be read");
    for jti in ["a", "b", "c"] {
        revocations.revoke(Revoked::Token(jti.to_owned()), NOW_S + 100).await.expect("there is room");
    }
    let refused = revocations.revoke(Revoked::Token("d".to_owned()), NOW_S + 100).await;
    assert!(matches!(refused, Err(NotRevoked::Full)), "{refused:?}");
    assert_eq!(revocations.check("ann", &marks("a", "s", NOW_S)), Err(NotAdmissible::Revoked));
    assert_eq!(revocations.check("ann", &marks("d", "s", NOW_S)), Ok(()));
    clock.0.store(NOW_S + 100, Ordering::Relaxed);
    revocations.revoke(Revoked::Token("d".to_owned()), NOW_S + 200).await.expect("the others are over");
    assert_eq!(revocations.check("ann", &marks("d", "s", NOW_S)), Err(NotAdmissible::Revoked));
}

#[tokio::test]
async fn the_newest_block_counts_also_after_a_restart() {
    let World { log, clock, revocations } = world();
    revocations.read().await.expect("it can be read");
    let block = |until_s| Revoked::Block { subject: "ann".to_owned(), until_s };
    revocations.revoke(block(NOW_S + 1_000_000), NOW_S + 1_000_000).await.expect("there is room");
    assert!(revocations.is_blocked("ann") && !revocations.is_blocked("bob"));
    assert_eq!(revocations.check("ann", &marks("later", "later", NOW_S + 50)), Err(NotAdmissible::Revoked));
    revocations.revoke(block(NOW_S), NOW_S + 100).await.expect("there is room");
    assert!(!revocations.is_blocked("ann"));
    // The entry that lifted it is over, and is forgotten with the next one.
    clock.0.store(NOW_S + 200, Ordering::Relaxed);
    revocations.revoke(Revoked::Token("x".to_owned()), NOW_S + 300).await.expect("there is room");
    let limits = RevocationLimits {
        entries_max: 3,
        read_every: Duration::from_secs(1),
        stale_after: Duration::MAX,
        longest_token_s: LONGEST_S,
    };
    let after = Revocations::new(log, clock, limits);
    after.read().await.expect("it can be read");
    assert!(!after.is_blocked("ann"));
}

#[tokio::test]
async fn whoever_revokes_waits_for_the_sockets() {
    let World { revocations, .. } = world();
    revocations.read().await.expect("it can be read");
    revocations.begin_closing();
    let revoking = revocations.revoke(Revoked::Token("t".to_owned()), NOW_S + 9);
    tokio::pin!(revoking);
    let batch = tokio::select! {
        batch = revocations.next() => batch,
        done = &mut revoking => panic!("nothing was closed, and it is said to be done: {done:?}"),
    };
    assert_eq!(batch.revoked, [Revoked::Token("t".to_owned())]);
    assert_eq!(revocations.check("ann", &marks("t", "s", NOW_S)), Err(NotAdmissible::Revoked), "the door comes first");
    assert!(futures_util::poll!(&mut revoking).is_pending());
    revocations.closed(&batch);
    revoking.await.expect("it is done");
}

#[tokio::test]
async fn a_long_log_is_read_to_its_end() {
    let World { log, revocations, .. } = world();
    for n in 0..2_500 {
        let entry = Revocation { what: Revoked::Token(n.to_string()), ends_at_s: NOW_S + 9 };
        assert!(log.append(&entry, u32::MAX, NOW_S).await.expect("it can be kept"));
    }
    revocations.read().await.expect("it can be read");
    assert_eq!(revocations.entries(), 2_500);
    assert_eq!(revocations.check("ann", &marks("2499", "s", NOW_S)), Err(NotAdmissible::Revoked));
}
