//! Many who show one refresh token at the same moment.

use std::env;
use std::time::Instant;

use futures_util::future::join_all;

use super::{Session, enter, log_in, refused, setup, show, still_there};
use crate::harness::Server;

const CALLERS: usize = 32;

/// Rounds of the race; `LYCHGATE_REFRESH_RACES` says another number.
fn rounds() -> usize {
    env::var("LYCHGATE_REFRESH_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Shows one token many times at once; gives the heirs that were given out, each once.
async fn race(server: &Server, refresh: &str) -> (Vec<Session>, usize) {
    let replies = join_all((0..CALLERS).map(|_| show(server, refresh))).await;
    let mut heirs: Vec<Session> = Vec::new();
    let mut refusals = 0;
    for reply in &replies {
        if reply.status == 200 {
            let session = Session::of(reply);
            if heirs.iter().all(|heir| heir.refresh != session.refresh) {
                heirs.push(session);
            }
        } else {
            assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_grant"), "{reply:?}");
            refusals += 1;
        }
    }
    (heirs, refusals)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_each_gets_the_one_heir_or_none() {
    let server = setup().start().await;
    let mut session = log_in(&server, "alice").await;
    let mut socket = enter(&server, &session.access).await;
    let (began, rounds) = (Instant::now(), rounds());
    let mut refused_in_all = 0;
    for round in 0..rounds {
        let (heirs, refusals) = race(&server, &session.refresh).await;
        assert_eq!(heirs.len(), 1, "round {round}: there is one live heir");
        assert!(refusals < CALLERS, "round {round}");
        refused_in_all += refusals;
        session = heirs.into_iter().next().expect("there is one");
    }
    println!("{rounds} races of {CALLERS} in {:?}, {refused_in_all} refused", began.elapsed());
    // The last heir is live, which nobody has used: it takes it all on.
    session = Session::of(&show(&server, &session.refresh).await);
    drop(enter(&server, &session.access).await);
    still_there(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_meets_a_logout_leaves_nothing_behind() {
    let server = setup().start().await;
    for round in 0..10 {
        let session = log_in(&server, "alice").await;
        let shows = join_all((0..8).map(|_| show(&server, &session.refresh)));
        let (replies, revoked) = tokio::join!(shows, super::revoke(&server, &session.refresh));
        assert_eq!(revoked.status, 200, "round {round}: {revoked:?}");
        for reply in replies.iter().filter(|reply| reply.status == 200) {
            let heir = Session::of(reply);
            refused(&server, &heir.refresh).await;
            super::stays_out(&server, &heir.access).await;
        }
        refused(&server, &session.refresh).await;
    }
}
