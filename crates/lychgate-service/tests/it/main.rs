//! One binary for every test that goes through the public boundary of the use cases.

mod accounts;
mod api_keys;
mod broker;
mod channels;
mod codec;
mod events;
mod journal;
mod presence;
mod sessions;
mod streams;
mod systems_ports;
