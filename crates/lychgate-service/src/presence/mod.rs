//! Who is there: one state per user, however many devices they have.
//!
//! A [`Board`] is the state machine alone: no clock, no lock, no task.
//! [`Presence`] holds the boards of a server by name, gives connections their [`Seat`]s, lets time pass, and keeps a
//! copy elsewhere where one is wanted ([`Mirroring`]).
//!
//! **Absent on purpose:** boards of several servers are not joined; the words of the states and what is announced of
//! them are configuration, and the frames are made by whoever announces.

mod board;
mod boards;
mod form;
mod mirror_queue;
mod mirroring;
mod settings;

pub use board::{Board, BoardFull, Change, DeviceId, Outcome, Refreshed};
pub use boards::{Announce, BoardSetup, Presence, Seat, SharedBoard, Sight};
pub use form::CopyForm;
pub use mirroring::{MirrorFigures, Mirroring};
pub use settings::{BoardFault, BoardSettings, State};
