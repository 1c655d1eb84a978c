//! When to stop calling somebody who does not answer, and when to try again.
//!
//! Closed, every call passes. After a number of failures in a row it opens, and none does.
//! Later one call passes on trial, and its end decides.
//!
//! **Invariant:** while it is not closed, at most one call is under way on trial.
//! A call that began in an earlier state has no say in a later one.
//!
//! **Absent on purpose:** a clock and a lock. Time is an argument, and the caller has the lock.

use std::time::{Duration, Instant};

/// When the breaker opens and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerLimits {
    /// Failures in a row after which calls are refused.
    pub failures_max: u32,
    /// How long they are refused.
    pub open_for: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures_max: 5, open_for: Duration::from_secs(5) }
    }
}

/// Counts failures and refuses calls.
#[derive(Debug)]
pub(super) struct Breaker {
    limits: BreakerLimits,
    state: State,
    /// Rises with each change of state.
    epoch: u64,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Trial,
}

/// The right to make one call. Its end must be reported.
#[derive(Debug)]
#[must_use]
pub(super) struct Pass {
    epoch: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There was an answer.
    Answered,
    /// There was none.
    Failed,
    /// Nobody waited for the end.
    Abandoned,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: State::Closed { failures: 0 }, epoch: 0 }
    }

    /// Whether a call would be refused now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::Trial => true,
        }
    }

    /// Lets a call pass, or not.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Pass> {
        if self.is_open(now) {
            return None;
        }
        if matches!(self.state, State::Open { .. }) {
            self.enter(State::Trial);
        }
        Some(Pass { epoch: self.epoch })
    }

    /// Takes the end of a call; says whether it opened what was closed.
    pub(super) fn ended(&mut self, pass: Pass, outcome: Outcome, now: Instant) -> bool {
        if pass.epoch != self.epoch {
            return false;
        }
        match (&mut self.state, outcome) {
            (State::Closed { failures }, Outcome::Answered) => *failures = 0,
            (State::Closed { failures }, Outcome::Failed) => {
                *failures = failures.saturating_add(1);
                if *failures >= self.limits.failures_max {
                    self.enter(State::Open { until: now + self.limits.open_for });
                    return true;
                }
            }
            (State::Trial, Outcome::Answered) => self.enter(State::Closed { failures: 0 }),
            (State::Trial, Outcome::Failed) => self.enter(State::Open { until: now + self.limits.open_for }),
            // It proved nothing: the next call is the trial.
            (State::Trial, Outcome::Abandoned) => self.enter(State::Open { until: now }),
            (State::Closed { .. }, Outcome::Abandoned) | (State::Open { .. }, _) => {}
        }
        false
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(5);

    /// A breaker that opens at the third failure, and its time.
    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(BreakerLimits { failures_max: 3, open_for: OPEN_FOR }), Instant::now())
    }

    fn call(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> Option<bool> {
        let pass = breaker.pass(now)?;
        Some(breaker.ended(pass, outcome, now))
    }

    fn opened() -> (Breaker, Instant) {
        let (mut breaker, now) = breaker();
        let opened: Vec<_> = (0..3).map(|_| call(&mut breaker, Outcome::Failed, now)).collect();
        assert_eq!(opened, [Some(false), Some(false), Some(true)], "it opens once, at the third");
        (breaker, now)
    }

    #[test]
    fn failures_that_are_not_in_a_row_do_not_open_it() {
        let (mut breaker, now) = breaker();
        for _ in 0..10 {
            for outcome in [Outcome::Failed, Outcome::Failed, Outcome::Abandoned, Outcome::Answered] {
                assert_eq!(call(&mut breaker, outcome, now), Some(false));
            }
        }
    }

    #[test]
    fn an_open_one_refuses_until_its_time_and_then_lets_one_pass() {
        let (mut breaker, now) = opened();
        assert!(breaker.is_open(now));
        assert!(breaker.pass(now + OPEN_FOR - Duration::from_nanos(1)).is_none());
        let later = now + OPEN_FOR;
        assert!(!breaker.is_open(later));
        let trial = breaker.pass(later).expect("the trial");
        assert!(breaker.pass(later).is_none(), "one at a time");
        assert!(!breaker.ended(trial, Outcome::Answered, later));
        for _ in 0..2 {
            assert_eq!(call(&mut breaker, Outcome::Failed, later), Some(false), "the count begins anew");
        }
        assert_eq!(call(&mut breaker, Outcome::Answered, later), Some(false));
    }

    #[test]
    fn a_failed_trial_opens_it_again_for_the_whole_time() {
        let (mut breaker, now) = opened();
        let later = now + OPEN_FOR;
        assert_eq!(call(&mut breaker, Outcome::Failed, later), Some(false));
        assert!(breaker.pass(later + OPEN_FOR - Duration::from_nanos(1)).is_none());
        assert!(breaker.pass(later + OPEN_FOR).is_some());
    }

    #[test]
    fn an_abandoned_trial_leaves_the_next_one_to_another() {
        let (mut breaker, now) = opened();
        let later = now + OPEN_FOR;
        assert_eq!(call(&mut breaker, Outcome::Abandoned, later), Some(false));
        let trial = breaker.pass(later).expect("the next trial");
        assert!(breaker.pass(later).is_none());
        let _ = breaker.ended(trial, Outcome::Answered, later);
        assert!(breaker.pass(later).is_some());
    }

    #[test]
    fn a_call_from_before_has_no_say() {
        let (mut breaker, now) = breaker();
        let early: Vec<_> = (0..5).filter_map(|_| breaker.pass(now)).collect();
        let mut early = early.into_iter();
        for _ in 0..3 {
            let _ = breaker.ended(early.next().unwrap(), Outcome::Failed, now);
        }
        assert!(breaker.is_open(now));
        let _ = breaker.ended(early.next().unwrap(), Outcome::Answered, now);
        assert!(breaker.is_open(now), "an old success does not close it");
        let later = now + OPEN_FOR;
        let trial = breaker.pass(later).expect("the trial");
        let _ = breaker.ended(early.next().unwrap(), Outcome::Failed, later);
        let _ = breaker.ended(trial, Outcome::Answered, later);
        assert!(!breaker.is_open(later), "an old failure does not open it");
    }
}
