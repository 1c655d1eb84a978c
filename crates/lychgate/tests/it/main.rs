//! The program from outside: a process with its sockets, its log, its counters and its exit code.
//!
//! Each test starts a server of its own on free ports and talks to it over TCP, as strangers do.
//! Configurations are the shipped example with a few keys laid over it, so that the example is what is tested.
//!
//! **Absent on purpose:** sleeping until something has probably happened.
//! A test waits for the frame, the log line or the counter that says so, and gives up with a sentence.

mod harness;

mod abrupt;
mod broadcast;
mod broadcast_options;
mod channels;
mod channels_api;
mod credentials;
mod echo;
mod fear;
mod handshake;
mod lifecycle;
mod limits;
mod login;
mod login_development;
mod login_guide;
mod login_limits;
mod login_variants;
mod protocol;
mod refusals;
mod refusals_by_place;
mod registry_api;
mod revocations;
mod rights;
mod sessions;
mod ship;
mod slow_reader;
mod song;
mod stopping;
mod zen;
