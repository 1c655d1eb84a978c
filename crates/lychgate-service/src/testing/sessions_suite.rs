//! What keeping the contract of [`Sessions`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::clock::UnixMicros;
use crate::ports::revocations::{RevocationLog, Revoked};
use crate::ports::sessions::{End, EndedBy, NewRefresh, RefreshHash, Rotation, Sessions, Shown, StoredSession};
use crate::ports::users::UserId;

const NOW_S: u64 = 1_700_000_000;
const TOKENS_END_AT_S: u64 = NOW_S + 1_800;
const IDLE_S: u64 = 1_000;
const LIFETIME_S: u64 = 5_000;
const REPEAT_WITHIN_S: u64 = 10;

/// A store with two users in it, and nothing else.
pub struct SessionsWorld {
    /// The store.
    pub sessions: Arc<dyn Sessions>,
    /// The log that it writes to.
    pub revocations: Arc<dyn RevocationLog>,
    /// A user.
    pub ann: UserId,
    /// Another one.
    pub bob: UserId,
}

/// Runs the suite; `make` returns a world of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn sessions_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = SessionsWorld>,
{
    a_session_is_found_by_each_of_its_tokens(make().await).await;
    a_token_is_good_once_and_its_heir_after_it(make().await).await;
    a_lost_answer_is_repeated_once_and_in_time(make().await).await;
    a_new_heir_takes_the_place_of_one_that_is_gone(make().await).await;
    what_was_used_or_replaced_ends_the_session(make().await).await;
    what_is_over_is_over(make().await).await;
    an_end_is_told_once_and_leaves_a_revocation(make().await).await;
    the_one_that_rests_longest_makes_room(make().await).await;
    of_many_at_once_one_rotates(make().await).await;
    what_is_long_over_is_forgotten(make().await).await;
}

fn hash(n: u8) -> RefreshHash {
    [n; 32]
}

impl SessionsWorld {
    fn session(&self, sid: &str, now_s: u64) -> StoredSession {
        StoredSession {
            sid: sid.to_owned(),
            user: self.ann,
            address: "192.0.2.7".to_owned(),
            created_at_s: now_s,
            last_used_at_us: now_s * 1_000_000,
            ends_at_s: now_s + LIFETIME_S,
            idle_ends_at_s: now_s + IDLE_S,
            ended: None,
        }
    }

    async fn open(&self, session: &StoredSession, first: u8) -> Vec<String> {
        let opened = self.sessions.open(session, hash(first), 100, TOKENS_END_AT_S).await;
        opened.expect("a session can be kept")
    }

    async fn begin(&self, sid: &str, first: u8) {
        assert!(self.open(&self.session(sid, NOW_S), first).await.is_empty());
    }

    async fn rotate(&self, shown: u8, heir: u8, at_s: u64, has_heir: bool) -> Rotation {
        let shown = Shown {
            hash: hash(shown),
            heir: NewRefresh { hash: hash(heir), idle_ends_at_s: at_s + IDLE_S },
            has_heir,
            repeat_within_us: REPEAT_WITHIN_S * 1_000_000,
            now: UnixMicros(at_s * 1_000_000),
            tokens_end_at_s: TOKENS_END_AT_S,
        };
        self.sessions.rotate(&shown).await.expect("a token can be shown")
    }

    async fn find(&self, token: u8) -> Option<StoredSession> {
        self.sessions.find(&hash(token)).await.expect("asking works")
    }

    async fn ended(&self, token: u8) -> Option<(u64, EndedBy)> {
        self.find(token).await.expect("the session is there").ended
    }

    async fn revoked(&self) -> Vec<String> {
        let read = self.revocations.since(0, 1_000).await.expect("reading works");
        let sid = |what| match what {
            Revoked::Session(sid) => sid,
            other => panic!("sessions revoke sessions, and not {other:?}"),
        };
        read.into_iter().map(|numbered| sid(numbered.revocation.what)).collect()
    }
}

async fn a_session_is_found_by_each_of_its_tokens(world: SessionsWorld) {
    assert_eq!(world.find(1).await, None, "there is none yet");
    let session = StoredSession { address: "';DROP TABLE sessions;--".to_owned(), ..world.session("s", NOW_S) };
    assert!(world.open(&session, 1).await.is_empty());
    world.begin("t", 9).await;
    assert_eq!(world.find(1).await, Some(session.clone()));
    assert_eq!(world.rotate(1, 2, NOW_S + 20, false).await, Rotation::Rotated);
    let used =
        StoredSession { last_used_at_us: (NOW_S + 20) * 1_000_000, idle_ends_at_s: NOW_S + 20 + IDLE_S, ..session };
    assert_eq!((world.find(1).await, world.find(2).await), (Some(used.clone()), Some(used.clone())));
    assert_eq!(world.find(9).await, Some(world.session("t", NOW_S)), "another one stays as it was");
    let mut near = hash(1);
    near[31] = 2;
    assert_eq!(world.sessions.find(&near).await.expect("asking works"), None, "the last byte counts");
    let list = world.sessions.list(world.ann).await.expect("reading works");
    assert_eq!(list, [world.session("t", NOW_S), used]);
    assert!(world.sessions.list(world.bob).await.expect("reading works").is_empty());
}

async fn a_token_is_good_once_and_its_heir_after_it(world: SessionsWorld) {
    world.begin("s", 1).await;
    for n in 1..20 {
        assert_eq!(world.rotate(n, n + 1, NOW_S + u64::from(n) * 100, false).await, Rotation::Rotated, "token {n}");
    }
    assert_eq!(world.rotate(99, 100, NOW_S, false).await, Rotation::Unknown);
    assert_eq!(world.ended(20).await, None);
    assert!(world.revoked().await.is_empty());
}

async fn a_lost_answer_is_repeated_once_and_in_time(world: SessionsWorld) {
    world.begin("s", 1).await;
    assert_eq!(world.rotate(1, 2, NOW_S, false).await, Rotation::Rotated);
    assert_eq!(world.rotate(1, 3, NOW_S + REPEAT_WITHIN_S, true).await, Rotation::Repeated);
    assert_eq!(world.find(3).await, None, "it was not needed");
    assert_eq!(world.rotate(1, 3, NOW_S + 1, true).await, Rotation::RepeatedBefore);
    assert_eq!(world.rotate(1, 3, NOW_S + 1, false).await, Rotation::RepeatedBefore);
    assert_eq!(world.rotate(2, 4, NOW_S + 2, false).await, Rotation::Rotated, "and the heir is good all the while");
    // A clock that goes back a little is no attack.
    assert_eq!(world.rotate(2, 5, NOW_S - 3, true).await, Rotation::Repeated);
    assert_eq!(world.ended(4).await, None);
}

async fn a_new_heir_takes_the_place_of_one_that_is_gone(world: SessionsWorld) {
    world.begin("s", 1).await;
    assert_eq!(world.rotate(1, 2, NOW_S, false).await, Rotation::Rotated);
    assert_eq!(world.rotate(1, 3, NOW_S + 5, false).await, Rotation::Replaced);
    assert_eq!(world.rotate(1, 4, NOW_S + 6, false).await, Rotation::RepeatedBefore);
    assert_eq!(world.rotate(3, 5, NOW_S + 7, false).await, Rotation::Rotated);
    assert_eq!(world.ended(5).await, None);
    assert_eq!(world.rotate(2, 6, NOW_S + 8, false).await, Rotation::Replayed, "one of the two is with a thief");
    assert_eq!(world.rotate(5, 7, NOW_S + 9, false).await, Rotation::Ended);
}

async fn what_was_used_or_replaced_ends_the_session(world: SessionsWorld) {
    for (n, (sid, later_s, heir_is_used)) in (0_u8..).zip([("late", REPEAT_WITHIN_S + 1, false), ("used", 1, true)]) {
        let first = n * 10 + 1;
        world.begin(sid, first).await;
        assert_eq!(world.rotate(first, first + 1, NOW_S, false).await, Rotation::Rotated);
        if heir_is_used {
            assert_eq!(world.rotate(first + 1, first + 2, NOW_S, false).await, Rotation::Rotated);
        }
        let at_s = NOW_S + later_s;
        assert_eq!(world.rotate(first, first + 3, at_s, true).await, Rotation::Replayed, "{sid}");
        assert_eq!(world.ended(first).await, Some((at_s, EndedBy::Replay)), "{sid}");
        for token in first..first + 4 {
            let rotation = world.rotate(token, 200, at_s, false).await;
            assert!(matches!(rotation, Rotation::Ended | Rotation::Unknown), "{sid}: {token} gives {rotation:?}");
        }
    }
    assert_eq!(world.revoked().await, ["late", "used"]);
    // A leap of the clock makes no old token young.
    world.begin("leap", 100).await;
    assert_eq!(world.rotate(100, 101, NOW_S + 500, false).await, Rotation::Rotated);
    assert_eq!(world.rotate(100, 102, NOW_S, true).await, Rotation::Replayed);
}

async fn what_is_over_is_over(world: SessionsWorld) {
    world.begin("idle", 1).await;
    assert_eq!(world.rotate(1, 2, NOW_S + IDLE_S - 1, false).await, Rotation::Rotated, "the last moment counts");
    assert_eq!(world.rotate(2, 3, NOW_S + 2 * IDLE_S - 1, false).await, Rotation::Over);
    world.begin("long", 11).await;
    for n in 1..=5 {
        let at_s = NOW_S + u64::from(n) * (IDLE_S - 1);
        assert_eq!(world.rotate(10 + n, 11 + n, at_s, false).await, Rotation::Rotated, "the {n}th");
    }
    assert_eq!(world.rotate(16, 17, NOW_S + LIFETIME_S, false).await, Rotation::Over);
    assert_eq!(world.rotate(15, 17, NOW_S + LIFETIME_S, false).await, Rotation::Over, "nothing is left to be ended");
    assert!(world.revoked().await.is_empty());
}

async fn an_end_is_told_once_and_leaves_a_revocation(world: SessionsWorld) {
    let end = |by| End { by, now_s: NOW_S + 3, tokens_end_at_s: TOKENS_END_AT_S };
    for (sid, first) in [("a", 1), ("b", 2), ("c", 3)] {
        world.begin(sid, first).await;
    }
    let other = StoredSession { user: world.bob, ..world.session("bob's", NOW_S) };
    world.open(&other, 4).await;
    let ended = async |sid, by| world.sessions.end(sid, end(by)).await.expect("it can end");
    assert!(!ended("nobody's", EndedBy::Logout).await);
    assert!(ended("b", EndedBy::Logout).await);
    assert!(!ended("b", EndedBy::Operator).await, "it had ended");
    assert_eq!(world.ended(2).await, Some((NOW_S + 3, EndedBy::Logout)), "the first time counts");
    assert_eq!(world.rotate(2, 20, NOW_S, false).await, Rotation::Ended);
    let all = async || world.sessions.end_all_of(world.ann, end(EndedBy::Password)).await.expect("they can end");
    assert_eq!((all().await, all().await), (2, 0));
    assert_eq!(world.rotate(4, 40, NOW_S, false).await, Rotation::Rotated, "somebody else's goes on");
    let mut revoked = world.revoked().await;
    revoked.sort_unstable();
    assert_eq!(revoked, ["a", "b", "c"], "each once");
    let read = world.revocations.since(0, 1).await.expect("reading works");
    assert_eq!(read[0].revocation.ends_at_s, TOKENS_END_AT_S);
}

async fn the_one_that_rests_longest_makes_room(world: SessionsWorld) {
    // Within one second, as a program logs in.
    for n in [3, 1, 2] {
        let at_us = NOW_S * 1_000_000 + 10 - u64::from(n);
        let session = StoredSession { last_used_at_us: at_us, ..world.session(&format!("s{n}"), NOW_S) };
        world.open(&session, n).await;
    }
    assert_eq!(world.rotate(1, 11, NOW_S + 10, false).await, Rotation::Rotated, "the oldest is in use");
    let other = StoredSession { user: world.bob, ..world.session("bob's", NOW_S) };
    world.open(&other, 50).await;
    let next = world.session("s4", NOW_S + 20);
    let ended = world.sessions.open(&next, hash(4), 3, TOKENS_END_AT_S).await.expect("it opens");
    assert_eq!(ended, ["s3"]);
    assert_eq!(world.ended(3).await, Some((NOW_S + 20, EndedBy::Limit)));
    for token in [11, 2, 4, 50] {
        assert_eq!(world.ended(token).await, None, "token {token}");
    }
    let next = world.session("s5", NOW_S + 21);
    let mut ended = world.sessions.open(&next, hash(5), 1, TOKENS_END_AT_S).await.expect("it opens");
    ended.sort_unstable();
    assert_eq!(ended, ["s1", "s2", "s4"], "a limit that was lowered holds at once");
}

async fn of_many_at_once_one_rotates(world: SessionsWorld) {
    for round in 0..8_u8 {
        let first = round * 30;
        world.begin(&format!("s{round}"), first).await;
        let world = &world;
        let shown = join_all((1..=16).map(|n| world.rotate(first, first + n, NOW_S, false))).await;
        let count = |wanted| shown.iter().filter(|rotation| **rotation == wanted).count();
        let counts = (count(Rotation::Rotated), count(Rotation::Replaced), count(Rotation::RepeatedBefore));
        assert_eq!(counts, (1, 1, 14), "round {round}: {shown:?}");
        let mut good = 0;
        for n in 1..=16 {
            if world.find(first + n).await.is_some() {
                good += 1;
            }
        }
        assert_eq!(good, 2, "the heir, and the one whose place it took");
        let live = 1 + shown.iter().position(|rotation| *rotation == Rotation::Replaced).expect("there is one");
        let live = first + u8::try_from(live).expect("a small number");
        assert_eq!(world.rotate(live, first + 20, NOW_S, false).await, Rotation::Rotated, "round {round}");
    }
}

async fn what_is_long_over_is_forgotten(world: SessionsWorld) {
    world.begin("old", 1).await;
    let later = NOW_S + IDLE_S;
    for n in 2..=6 {
        world.open(&world.session(&format!("s{n}"), later), n).await;
    }
    let list = world.sessions.list(world.ann).await.expect("reading works");
    assert!(list.iter().all(|session| session.sid != "old" || !session.is_live(later)), "{list:?}");
    assert!(list.iter().filter(|session| session.is_live(later)).count() == 5, "{list:?}");
}
