//! What the tests share: frames as values, streams replayed in every cut, and seeded randomness.

mod frame;
mod replay;
mod seed;

pub(crate) use frame::{Frame, MASK, stream};
pub(crate) use replay::{End, Outcome, Said, decode_chunks, decode_in_every_cut};
pub(crate) use seed::runner;
