//! One binary for every test that goes through the public boundary of the wire.

mod centrifuge;
mod channel;
mod close_codes;
mod differential;
mod encode;
mod golden;
mod handshake;
mod json_cases;
mod json_random;
mod memory;
mod rfc6455;
mod support;
mod utf8;
