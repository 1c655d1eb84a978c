//! What the tests stand on: the process, its log and counters, and clients of three kinds.

pub(crate) mod application;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod guide;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod token;
pub(crate) mod wait;
pub(crate) mod wire;

pub(crate) use application::Application;
pub(crate) use client::Client;
pub(crate) use model::Model;
pub(crate) use server::{Server, Setup};
pub(crate) use wire::Wire;
