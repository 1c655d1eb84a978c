//! Boards: the state machine against its model, and seats as a server uses them.

mod board;
mod boards;
mod model;
