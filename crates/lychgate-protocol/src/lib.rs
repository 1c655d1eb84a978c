//! The wire: what bytes mean, and which bytes say what.
//!
//! Owns the WebSocket frame codec ([`ws`]), channel names ([`channel`]), the JSON-object codec of broadcast
//! endpoints ([`json`]) and the Centrifuge client protocol for many channels on one socket ([`centrifuge`]).
//!
//! **Invariant:** every function here is pure: the same input gives the same output, and nothing waits.
//! A peer decides what arrives, so nothing here panics on any input or allocates by a number that a peer merely claims.
//!
//! **Absent on purpose:** sockets, clocks, randomness and a runtime.
//! They belong to the callers, who can then be tested without any of them.

pub mod centrifuge;
pub mod channel;
pub mod json;
pub mod ws;
