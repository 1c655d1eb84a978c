//! What a board is told when it is made.

use std::sync::Arc;

/// The word for a state, such as `online`. Cheap to clone.
pub type State = Arc<str>;

/// The rules of one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardSettings {
    /// The words: the first is the state of whoever arrives, the last means gone. Two at least.
    pub states: Vec<State>,
    /// What a user is put to who asks for a state that is none of [`states`](Self::states).
    pub otherwise: State,
    /// How long a device may show no life before it counts as left, in milliseconds.
    /// With 0 a device stays until it leaves: its connection is its life.
    pub lease_ms: u64,
    /// How long after their last device left a user still counts as there, in milliseconds.
    pub grace_ms: u64,
    /// How many users may be there at a time.
    pub users_max: usize,
    /// How many devices of one user are counted at a time. One more takes the place of the longest silent one, which
    /// is counted again when it shows life.
    pub devices_per_user_max: usize,
}

impl Default for BoardSettings {
    fn default() -> Self {
        Self {
            states: ["online", "away", "dnd", "offline"].map(State::from).to_vec(),
            otherwise: "online".into(),
            lease_ms: 90_000,
            grace_ms: 0,
            users_max: 100_000,
            devices_per_user_max: 64,
        }
    }
}

/// What is wrong with the settings of a board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardFault {
    /// There is no state to arrive in beside the one that means gone.
    #[error("a board needs two states at least: the first is for whoever arrives, the last means gone")]
    TooFewStates,
    /// A state is empty or is listed twice.
    #[error("the state {0:?} is empty or is listed twice")]
    State(State),
    /// The state for unknown words is not listed.
    #[error("{0:?}, the state for unknown words, is not one of the states")]
    Otherwise(State),
    /// A limit is 0, and so nobody could arrive.
    #[error("{0} is 0: nobody could arrive")]
    Limit(&'static str),
}

impl BoardSettings {
    /// Whether a board can be made of these.
    ///
    /// # Errors
    ///
    /// The first [`BoardFault`] there is.
    pub fn check(&self) -> Result<(), BoardFault> {
        if self.states.len() < 2 {
            return Err(BoardFault::TooFewStates);
        }
        let is_bad = |(index, state): &(usize, &State)| state.is_empty() || self.states[..*index].contains(state);
        if let Some((_, state)) = self.states.iter().enumerate().find(is_bad) {
            return Err(BoardFault::State(state.clone()));
        }
        if !self.states.contains(&self.otherwise) {
            return Err(BoardFault::Otherwise(self.otherwise.clone()));
        }
        let limits = [("users_max", self.users_max), ("devices_per_user_max", self.devices_per_user_max)];
        limits.into_iter().find(|(_, limit)| *limit == 0).map_or(Ok(()), |(name, _)| Err(BoardFault::Limit(name)))
    }
}
