//! A connection that holds many channels, by the Centrifuge client protocol.
//!
//! One message of the client is one turn: its commands are done in their order, each to its end, and the connection
//! reads no further meanwhile. What they are answered goes out in one message, unless a subscription is made:
//! its reply has to be queued before anything of its channel is, so it goes out then.
//!
//! **Invariant:** dropping a [`Client`] leaves every channel and tells those who stay, wherever a turn was.
//!
//! **Absent on purpose:** decisions. Who may do what is asked of the service, command by command.

mod arrival;
mod ask;
mod assigned;
mod client;
mod clients;
mod connect;
mod framing;
mod holding;
mod holdings;
mod orders;
mod posted;
mod renew;
mod room;
mod say;
mod speak;
mod subscribe;
mod turn;

use std::sync::Arc;

use lychgate_protocol::centrifuge::Encoding;
use lychgate_service::channels::{Callback, ChannelAccess, Roster};
use lychgate_service::limits::Rate;
use lychgate_service::ports::broker::Broker;

pub use arrival::OnConnect;
pub(super) use client::{Client, Known};
pub use clients::{Clients, Order, Present};
pub(super) use connect::event_of;
pub use framing::ChannelFraming;
pub(super) use turn::{End, Input, Turn, Turned};

/// What all connections of such an endpoint share.
#[derive(Clone)]
pub struct ChannelsSettings {
    /// Who may do what.
    pub access: Arc<ChannelAccess>,
    /// Where publications go.
    pub broker: Arc<dyn Broker>,
    /// Who is where.
    pub roster: Arc<Roster>,
    /// Who is there at all.
    pub clients: Arc<Clients>,
    /// Channels that one connection may hold.
    pub channels_max: usize,
    /// Publications that one answer may hold.
    pub publications_max: usize,
    /// Who answers calls of clients, if anybody does.
    pub on_rpc: Option<Callback>,
    /// Who says who a client is that shows no credential, if anybody does.
    pub on_connect: Option<OnConnect>,
    /// Who is asked whether a connection that would end may go on; without it the client shows its next token.
    pub on_refresh: Option<Callback>,
    /// How often a connection may command.
    pub command_rate: Rate,
}

/// The subprotocols that clients may ask for; without one it is JSON.
#[must_use]
pub fn subprotocols() -> Vec<String> {
    Encoding::ALL.map(|encoding| encoding.subprotocol().to_owned()).to_vec()
}

/// What a server calls itself; some clients insist on an answer.
const VERSION: &str = concat!("lychgate ", env!("CARGO_PKG_VERSION"));
