//! The command line, driven as a user drives it: the built program, its arguments, its environment and its streams.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod apikey;
mod channels;
mod config_callbacks;
mod config_codec;
mod config_development;
mod config_environment;
mod config_events;
mod config_faults;
mod config_namespaces;
mod config_secrets;
mod config_shown;
mod connect;
mod connect_login;
mod guide_channels;
mod import;
mod registry;
mod revoking;
mod support;
mod token;
mod user;
