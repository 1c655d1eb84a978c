//! Boards as a server uses them: seats, the order of announcements, time that passes, and the copy elsewhere.
//!
//! Time is tokio's, paused: it jumps to the next deadline when nothing else is left to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::presence_mirror::{Copied, MirrorError, PresenceMirror};
use lychgate_service::presence::{
    Announce, BoardFault, BoardSettings, BoardSetup, Change, MirrorFigures, Mirroring, Presence, Seat, SharedBoard,
    Sight, State,
};
use lychgate_service::principal::Principal;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const TTL: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3_600);

fn user(id: &str) -> Principal {
    Principal::from_verified_subject(id, None)
}

/// A server's boards with one named `people`, their task, and what was announced.
struct World {
    presence: Arc<Presence>,
    announced: mpsc::Receiver<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    fn new(settings: BoardSettings, mirror: Option<Arc<Mirror>>) -> Self {
        let (sender, announced) = mpsc::channel(10_000);
        let announce: Announce = Arc::new(move |board, changes| {
            assert!(!changes.is_empty());
            for Change { user, from, to } in changes {
                sender.try_send(format!("{board}: {} {from}>{to}", user.id())).expect("there is room");
            }
        });
        let mirroring = mirror.map(|mirror| Mirroring {
            mirror,
            key: Arc::new(|user: &Principal| format!("user:{}", user.id())),
            form: Arc::default(),
            clock: Arc::new(SystemClock),
            ttl: TTL,
        });
        let setup = BoardSetup { name: "people".into(), settings, mirroring };
        let presence = Arc::new(Presence::new(vec![setup], &announce).expect("the settings are in order"));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn({
            let (presence, stop) = (presence.clone(), stop.clone());
            async move { presence.run(stop).await }
        });
        tasks.close();
        Self { presence, announced, stop, tasks }
    }

    fn board(&self) -> Arc<SharedBoard> {
        self.presence.board("people").expect("it is configured")
    }

    fn arrive(&self, id: &str) -> Seat {
        self.board().arrive(&user(id)).expect("there is a place")
    }

    /// The next announcement, however far away it is.
    async fn next(&mut self) -> String {
        timeout(HOUR, self.announced.recv()).await.expect("something is announced").expect("the boards are there")
    }

    fn nothing(&mut self) {
        assert_eq!(self.announced.try_recv().ok(), None);
    }

    fn figures(&self) -> MirrorFigures {
        self.board().mirror_figures().expect("there is a copy")
    }

    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

/// A copy that can be away, silent, or without a wish to take a key; it tells of every write that came to it.
#[derive(Default)]
struct Mirror {
    states: Mutex<BTreeMap<String, (String, Duration)>>,
    conduct: Mutex<Conduct>,
    tried: AtomicUsize,
    happened: tokio::sync::Notify,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Conduct {
    #[default]
    Writes,
    Away,
    Silent,
    RefusesAnn,
}

impl Mirror {
    fn behave(&self, conduct: Conduct) {
        *self.conduct.lock() = conduct;
    }

    fn state(&self, key: &str) -> Option<String> {
        self.states.lock().get(key).map(|(state, _)| state.clone())
    }

    /// Waits until it is so; an hour without it fails the test, and passes at once, as time is paused.
    async fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        let waiting = async {
            loop {
                let happened = self.happened.notified();
                if is_so(self) {
                    return;
                }
                happened.await;
            }
        };
        timeout(HOUR, waiting).await.expect("it comes true");
    }
}

#[async_trait]
impl PresenceMirror for Mirror {
    async fn set(&self, key: &str, copied: &Copied, ttl: Duration) -> Result<(), MirrorError> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        self.happened.notify_waiters();
        // Others get their turn while a write is under way.
        tokio::task::yield_now().await;
        let conduct = *self.conduct.lock();
        let answer = match conduct {
            Conduct::Away => Err(MirrorError::Unavailable("away".into())),
            Conduct::Silent => std::future::pending().await,
            Conduct::RefusesAnn if key == "user:ann" => Err(MirrorError::Refused("not this one".into())),
            Conduct::Writes | Conduct::RefusesAnn => {
                self.states.lock().insert(key.into(), (copied.value.to_string(), ttl));
                Ok(())
            }
        };
        self.happened.notify_waiters();
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_seat_is_leaving() {
    let mut world = World::new(BoardSettings::default(), None);
    let (phone, desk) = (world.arrive("ann"), world.arrive("ann"));
    assert_eq!(world.next().await, "people: ann offline>online");
    phone.set("dnd");
    assert_eq!(world.next().await, "people: ann online>dnd");
    assert_eq!(&*world.board().state_of("ann"), "dnd");
    drop(phone);
    world.nothing();
    drop(desk);
    assert_eq!(world.next().await, "people: ann dnd>offline");
    assert_eq!(world.board().figures(), (0, 0));
    world.nothing();
}

#[tokio::test(start_paused = true)]
async fn a_silent_seat_is_gone_at_its_lease_and_comes_back_with_its_next_sign_of_life() {
    let mut world = World::new(BoardSettings::default(), None);
    let start = Instant::now();
    let (ann, bob) = (world.arrive("ann"), world.arrive("bob"));
    assert_eq!(world.next().await, "people: ann offline>online");
    assert_eq!(world.next().await, "people: bob offline>online");
    advance(Duration::from_secs(60)).await;
    bob.life();
    assert_eq!(world.next().await, "people: ann online>offline");
    assert_eq!(start.elapsed().as_secs(), 90);
    ann.life();
    assert_eq!(world.next().await, "people: ann offline>online");
    assert_eq!(world.next().await, "people: bob online>offline");
    assert_eq!(start.elapsed().as_secs(), 150);
    bob.set("away");
    assert_eq!(world.next().await, "people: bob offline>online");
    assert_eq!(world.next().await, "people: bob online>away");
    assert_eq!(world.board().figures(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_before_the_awaited_one_is_kept() {
    let mut world = World::new(BoardSettings { grace_ms: 3_000, ..BoardSettings::default() }, None);
    let start = Instant::now();
    let (ann, _bob) = (world.arrive("ann"), world.arrive("bob"));
    world.next().await;
    world.next().await;
    // The task sleeps until the leases of both are over.
    advance(Duration::from_secs(10)).await;
    drop(ann);
    assert_eq!(world.next().await, "people: ann online>offline");
    assert_eq!(start.elapsed().as_secs(), 13);
}

#[tokio::test(start_paused = true)]
async fn a_return_within_the_grace_is_not_announced() {
    let mut world = World::new(BoardSettings { grace_ms: 3_000, ..BoardSettings::default() }, None);
    let seat = world.arrive("ann");
    world.next().await;
    drop(seat);
    advance(Duration::from_millis(2_999)).await;
    let _seat = world.arrive("ann");
    advance(Duration::from_secs(10)).await;
    world.nothing();
}

#[tokio::test(start_paused = true)]
async fn a_full_board_refuses_a_new_user_alone() {
    let world = World::new(BoardSettings { users_max: 1, ..BoardSettings::default() }, None);
    let ann = world.arrive("ann");
    assert!(world.board().arrive(&user("bob")).is_err());
    let _desk = world.arrive("ann");
    drop(ann);
    assert!(world.board().arrive(&user("bob")).is_err(), "ann's other device is there");
    assert_eq!(world.board().figures(), (1, 1), "the refused one left nothing behind");
}

#[test]
fn faults_name_their_board() {
    let announce: Announce = Arc::new(|_, _| ());
    let settings = BoardSettings { users_max: 0, ..BoardSettings::default() };
    let setup = BoardSetup { name: "people".into(), settings, mirroring: None };
    let fault = Presence::new(vec![setup], &announce).err().expect("it cannot be made");
    assert_eq!(fault, ("people".into(), BoardFault::Limit("users_max")));
}

/// Many threads at once: who only hears the announcements knows at every moment what the list says.
#[test]
fn announcements_come_in_the_order_of_the_changes() {
    let heard = Arc::new(Mutex::new(BTreeMap::<String, State>::new()));
    let announce: Announce = {
        let heard = heard.clone();
        Arc::new(move |_, changes| {
            for Change { user, from, to } in changes {
                let mut heard = heard.lock();
                let before = heard.insert(user.id().to_owned(), to.clone()).unwrap_or_else(|| "offline".into());
                assert_eq!(before, *from, "a change begins where the last one of that user ended");
            }
        })
    };
    let setup = BoardSetup { name: "people".into(), settings: BoardSettings::default(), mirroring: None };
    let presence = Presence::new(vec![setup], &announce).unwrap();
    let board = presence.board("people").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (board, heard) = (&board, &heard);
            scope.spawn(move || {
                for round in 0..2_000_usize {
                    let seen = |sight: Sight<'_>| {
                        let listed = sight.board.list().map(|(user, state)| (user.id().to_owned(), state.clone()));
                        let mut known = heard.lock().clone();
                        known.retain(|_, state| &**state != "offline");
                        assert_eq!(listed.collect::<BTreeMap<_, _>>(), known);
                    };
                    let seat = board.arrive_seeing(&user(["ann", "bob"][(thread + round) % 2]), seen).unwrap();
                    seat.set(["dnd", "away", "online"][round % 3]);
                }
            });
        }
    });
    assert!(heard.lock().values().all(|state| &**state == "offline"));
    assert_eq!(board.figures(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_copy_is_written_at_arrival_heartbeat_word_and_departure() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings::default(), Some(mirror.clone()));
    let writes = |count| mirror.until(move |mirror| mirror.tried.load(Ordering::Relaxed) == count);
    let (seat, other) = (world.arrive("ann"), world.arrive("bob"));
    writes(2).await;
    mirror.until(|mirror| mirror.state("user:bob").is_some()).await;
    assert_eq!(mirror.states.lock()["user:ann"], ("online".into(), TTL));
    mirror.states.lock().clear();
    seat.life();
    mirror.until(|mirror| mirror.state("user:ann").as_deref() == Some("online")).await;
    seat.set("dnd");
    mirror.until(|mirror| mirror.state("user:ann").as_deref() == Some("dnd")).await;
    drop(seat);
    mirror.until(|mirror| mirror.state("user:ann").as_deref() == Some("offline")).await;
    assert_eq!(mirror.states.lock()["user:ann"].1, TTL);
    drop(other);
    mirror.until(|mirror| mirror.state("user:bob").as_deref() == Some("offline")).await;
    world.stop().await;
    assert_eq!(world.figures(), MirrorFigures { written: 6, ..MirrorFigures::default() });
}

#[tokio::test(start_paused = true)]
async fn while_the_copy_is_away_the_newest_state_of_each_user_waits() {
    let mirror = Arc::new(Mirror::default());
    let mut world = World::new(BoardSettings::default(), Some(mirror.clone()));
    mirror.behave(Conduct::Away);
    let seats: Vec<_> = (0..100).map(|number| world.arrive(&format!("u{number}"))).collect();
    for _ in &seats {
        assert!(world.next().await.ends_with("offline>online"));
    }
    for seat in &seats {
        seat.set("dnd");
        assert!(world.next().await.ends_with("online>dnd"), "the board does not wait");
    }
    mirror.until(|mirror| mirror.tried.load(Ordering::Relaxed) >= 500).await;
    let (gone, kept): (Vec<_>, Vec<_>) = seats.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    drop(gone);
    assert_eq!(world.figures().waiting, 100);
    assert!(world.figures().failed >= 400);
    mirror.behave(Conduct::Writes);
    mirror.until(|mirror| mirror.states.lock().len() == 100).await;
    world.stop().await;
    for number in 0..100 {
        let newest = ["offline", "dnd"][number % 2];
        assert_eq!(mirror.state(&format!("user:u{number}")).as_deref(), Some(newest));
    }
    let MirrorFigures { written, waiting, dropped, .. } = world.figures();
    assert_eq!((waiting, dropped, kept.len()), (0, 0, 50));
    // Those that were under way when the copy came back may have carried an older state.
    assert!((100..=132).contains(&written), "{written}");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_comes_while_an_older_one_is_being_written_is_written_after_it() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings::default(), Some(mirror.clone()));
    let seat = world.arrive("ann");
    // The write of `online` has begun and waits for its turn.
    mirror.until(|mirror| mirror.tried.load(Ordering::Relaxed) == 1).await;
    assert_eq!(mirror.state("user:ann"), None);
    seat.set("dnd");
    mirror.until(|mirror| mirror.state("user:ann").as_deref() == Some("dnd")).await;
    world.stop().await;
    assert_eq!((mirror.state("user:ann").as_deref(), world.figures().written), (Some("dnd"), 2));
}

#[tokio::test(start_paused = true)]
async fn a_silent_copy_is_given_up_in_time_and_tried_again() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings::default(), Some(mirror.clone()));
    mirror.behave(Conduct::Silent);
    let _seat = world.arrive("ann");
    mirror.until(|mirror| mirror.tried.load(Ordering::Relaxed) == 2).await;
    assert_eq!(world.figures().failed, 1);
    mirror.behave(Conduct::Writes);
    mirror.until(|mirror| mirror.state("user:ann").is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_keeps_nobody_waiting() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings::default(), Some(mirror.clone()));
    mirror.behave(Conduct::RefusesAnn);
    let start = Instant::now();
    let (_ann, _bob) = (world.arrive("ann"), world.arrive("bob"));
    mirror.until(|mirror| mirror.state("user:bob").is_some()).await;
    world.stop().await;
    assert_eq!(world.figures(), MirrorFigures { written: 1, refused: 1, ..MirrorFigures::default() });
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_queue_holds_as_many_users_as_may_be_there() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings { users_max: 2, ..BoardSettings::default() }, Some(mirror.clone()));
    mirror.behave(Conduct::Away);
    for id in ["ann", "bob", "eve"] {
        drop(world.arrive(id));
    }
    assert_eq!((world.figures().waiting, world.figures().dropped), (2, 2), "eve came and went without a place");
    mirror.behave(Conduct::Writes);
    mirror.until(|mirror| mirror.states.lock().len() == 2).await;
    let _eve = world.arrive("eve");
    mirror.until(|mirror| mirror.state("user:eve").is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_written_at_the_end() {
    let mirror = Arc::new(Mirror::default());
    let world = World::new(BoardSettings::default(), Some(mirror.clone()));
    let seats: Vec<_> = (0..1_000).map(|number| world.arrive(&format!("u{number}"))).collect();
    drop(seats);
    world.stop().await;
    assert_eq!(mirror.states.lock().len(), 1_000);
    assert!(mirror.states.lock().values().all(|(state, _)| state == "offline"));
    assert_eq!(world.figures().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_away_holds_the_end_up_for_a_second() {
    for conduct in [Conduct::Away, Conduct::Silent] {
        let mirror = Arc::new(Mirror::default());
        let world = World::new(BoardSettings::default(), Some(mirror.clone()));
        mirror.behave(conduct);
        let _seat = world.arrive("ann");
        mirror.until(|mirror| mirror.tried.load(Ordering::Relaxed) == 1).await;
        let start = Instant::now();
        timeout(Duration::from_secs(10), world.stop()).await.expect("it ends");
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(world.figures().waiting, 1);
    }
}
