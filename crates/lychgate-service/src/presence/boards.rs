//! The boards of a server, by name, and the seats that connections take at them.
//!
//! **One order.** A step of a board, the announcement of its changes and the entry into the copy's queue are one
//! critical section of that board. What is announced is therefore in the order in which it came true, and the last
//! announcement of a user is their state. The price is a rule: [`Announce`] runs under the board's lock, so it must
//! not wait, not panic and not call this board back. Publishing to the hub is all that: synchronous and short.
//! A newcomer sees the board under the same lock ([`SharedBoard::arrive_seeing`]), so that whoever queues the list there
//! has it before the next change and after the last one.
//!
//! **Invariant:** a device is on the board only while its [`Seat`] exists. Dropping it is leaving, whichever way a
//! connection's task ends.
//!
//! **Absent on purpose:** a task per user or per device. One per board sleeps until the next deadline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{Board, BoardFull, Change, DeviceId, Outcome};
use super::mirroring::{MirrorFigures, MirrorWriter, Mirroring};
use super::settings::{BoardFault, BoardSettings, State};
use crate::principal::Principal;

/// Announces the changes of the board of that name, never an empty list. The head of this file says what it may do.
pub type Announce = Arc<dyn Fn(&str, &[Change]) + Send + Sync>;

/// One board as it is configured.
pub struct BoardSetup {
    /// Its name.
    pub name: Box<str>,
    /// Its rules.
    pub settings: BoardSettings,
    /// Where a copy of it is kept, if anywhere.
    pub mirroring: Option<Mirroring>,
}

/// All boards of a server.
pub struct Presence {
    boards: BTreeMap<Box<str>, Arc<SharedBoard>>,
}

impl Presence {
    /// Empty boards, whose changes go to `announce`. Of two with one name the later one stays.
    ///
    /// # Errors
    ///
    /// [`BoardFault`] and the name of a board whose settings contradict themselves.
    pub fn new(setups: Vec<BoardSetup>, announce: &Announce) -> Result<Self, (Box<str>, BoardFault)> {
        let board = |setup: BoardSetup| match SharedBoard::new(setup.settings, setup.mirroring, &setup.name, announce) {
            Ok(board) => Ok((setup.name, Arc::new(board))),
            Err(fault) => Err((setup.name, fault)),
        };
        Ok(Self { boards: setups.into_iter().map(board).collect::<Result<_, _>>()? })
    }

    /// The board of that name.
    #[must_use]
    pub fn board(&self, name: &str) -> Option<Arc<SharedBoard>> {
        self.boards.get(name).cloned()
    }

    /// All boards, by name.
    pub fn boards(&self) -> impl Iterator<Item = (&str, &Arc<SharedBoard>)> {
        self.boards.iter().map(|(name, board)| (&**name, board))
    }

    /// Lets time pass and keeps the copies until `stop`; then takes a second at most to write what is still queued.
    ///
    /// Cancel `stop` after the connections have ended, so that the copies say that their users are gone.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves the boards whole; it can be called again. To be called once at a time.
    pub async fn run(&self, stop: CancellationToken) {
        join_all(self.boards.values().map(|board| board.run(&stop))).await;
    }
}

/// One board that many connections share.
pub struct SharedBoard {
    name: Box<str>,
    state: Mutex<Shared>,
    devices: AtomicU64,
    /// Where the clock of the board begins.
    origin: Instant,
    /// A deadline came before the one that the board's task sleeps for.
    sooner: Notify,
    announce: Announce,
    mirror: Option<MirrorWriter>,
}

struct Shared {
    board: Board,
    /// What the board's task sleeps for; `None` while it sleeps for nothing.
    awaited_ms: Option<u64>,
}

/// What a newcomer sees, in the moment of their arrival.
pub struct Sight<'a> {
    /// Whether everybody was told of it, since the user's state became another one. A further device of somebody who is
    /// there is no news.
    pub is_news: bool,
    /// The board with the newcomer on it.
    pub board: &'a Board,
}

/// A device's place on a board; dropping it is leaving.
#[must_use = "a seat that is dropped is left"]
pub struct Seat {
    board: Arc<SharedBoard>,
    user: Principal,
    device: DeviceId,
}

impl SharedBoard {
    fn new(
        settings: BoardSettings,
        mirroring: Option<Mirroring>,
        name: &str,
        announce: &Announce,
    ) -> Result<Self, BoardFault> {
        let mirror = mirroring.map(|mirroring| MirrorWriter::new(mirroring, settings.users_max));
        Ok(Self {
            name: name.into(),
            state: Mutex::new(Shared { board: Board::new(settings)?, awaited_ms: None }),
            devices: AtomicU64::new(0),
            origin: Instant::now(),
            sooner: Notify::new(),
            announce: announce.clone(),
            mirror,
        })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new device of `user` is there until the seat is dropped. The change is announced before this returns.
    ///
    /// # Errors
    ///
    /// [`BoardFull`] when there is no place for another user.
    pub fn arrive(self: &Arc<Self>, user: &Principal) -> Result<Seat, BoardFull> {
        self.arrive_seeing(user, |_| ())
    }

    /// Like [`arrive`](Self::arrive), and runs `see` with what is there then.
    ///
    /// Between the announcement of the arrival, `see`, and the next change nothing comes true or is announced; what
    /// holds for [`Announce`] holds for `see`.
    ///
    /// # Errors
    ///
    /// [`BoardFull`]; then `see` was not run.
    pub fn arrive_seeing(self: &Arc<Self>, user: &Principal, see: impl FnOnce(Sight<'_>)) -> Result<Seat, BoardFull> {
        let device = DeviceId(self.devices.fetch_add(1, Ordering::Relaxed));
        self.step(
            |board, now_ms| match board.arrive(user, device, now_ms) {
                Ok(outcome) => {
                    let is_news = outcome.changes.iter().any(|change| change.user.id() == user.id());
                    (outcome, Ok(is_news))
                }
                Err(full) => (Outcome::default(), Err(full)),
            },
            |board, arrived| {
                let is_news = arrived?;
                see(Sight { is_news, board });
                Ok(())
            },
        )?;
        Ok(Seat { board: self.clone(), user: user.clone(), device })
    }

    /// The state of the user of that id.
    #[must_use]
    pub fn state_of(&self, user_id: &str) -> State {
        self.state.lock().board.state_of(user_id)
    }

    /// How many users and how many devices are there.
    #[must_use]
    pub fn figures(&self) -> (usize, usize) {
        let shared = self.state.lock();
        (shared.board.users(), shared.board.devices())
    }

    /// Whether a step is under way.
    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.state.is_locked()
    }

    /// What became of the copy, if there is one.
    #[must_use]
    pub fn mirror_figures(&self) -> Option<MirrorFigures> {
        self.mirror.as_ref().map(MirrorWriter::figures)
    }

    /// One step, all that follows from it, and `then`, under the lock; see the head of this file.
    fn step<R, S>(&self, step: impl FnOnce(&mut Board, u64) -> (Outcome, R), then: impl FnOnce(&Board, R) -> S) -> S {
        let mut shared = self.state.lock();
        // Read under the lock, so that the board's time does not run backwards.
        let now_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (outcome, answer) = step(&mut shared.board, now_ms);
        if let Some(mirror) = &self.mirror {
            mirror.queue(&outcome.refreshed);
        }
        if !outcome.changes.is_empty() {
            (self.announce)(&self.name, &outcome.changes);
        }
        let next_ms = shared.board.next_deadline_ms();
        if next_ms.is_some_and(|next_ms| shared.awaited_ms.is_none_or(|awaited_ms| next_ms < awaited_ms)) {
            self.sooner.notify_one();
        }
        then(&shared.board, answer)
    }

    /// One step after which there is nothing to see.
    fn do_step(&self, step: impl FnOnce(&mut Board, u64) -> Outcome) {
        self.step(|board, now_ms| (step(board, now_ms), ()), |_, ()| ());
    }

    async fn run(&self, stop: &CancellationToken) {
        let mirror = async {
            if let Some(mirror) = &self.mirror {
                mirror.run(stop).await;
            }
        };
        join(self.pass_time(stop), mirror).await;
    }

    async fn pass_time(&self, stop: &CancellationToken) {
        loop {
            let next_ms = {
                let mut shared = self.state.lock();
                shared.awaited_ms = shared.board.next_deadline_ms();
                shared.awaited_ms
            };
            let deadline = async {
                match next_ms {
                    Some(next_ms) => tokio::time::sleep_until(self.origin + Duration::from_millis(next_ms)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sooner.notified() => {}
                () = deadline => self.do_step(Board::tick),
            }
        }
    }
}

impl Seat {
    /// Shows life. A device that had been silent too long, or had made room, arrives again if there is a place.
    pub fn life(&self) {
        self.again(|board, now_ms| board.life(self.device, now_ms));
    }

    /// Says the user's state, for all their devices.
    pub fn set(&self, state: &str) {
        self.again(|board, now_ms| board.set(self.device, state, now_ms));
    }

    /// The user whose device this is.
    #[must_use]
    pub fn user(&self) -> &Principal {
        &self.user
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> &Arc<SharedBoard> {
        &self.board
    }

    /// Does `act`, and if the device is not there, lets it arrive and does it then.
    fn again(&self, act: impl Fn(&mut Board, u64) -> Option<Outcome>) {
        self.board.do_step(|board, now_ms| {
            if let Some(outcome) = act(board, now_ms) {
                return outcome;
            }
            // A full board has no place for a user who was away: they stay away, and may ask again.
            let mut outcome = board.arrive(&self.user, self.device, now_ms).unwrap_or_default();
            let then = act(board, now_ms).unwrap_or_default();
            outcome.changes.extend(then.changes);
            outcome.refreshed.extend(then.refreshed);
            outcome
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.board.do_step(|board, now_ms| board.leave(self.device, now_ms));
    }
}
