//! The way a publication takes to every node that has subscribers.

use lychgate_hub::SessionId;
use lychgate_protocol::channel::ChannelName;

/// One message on its way to a channel: rendered, stamped, and not yet framed.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The payload as UTF-8 JSON text, without a newline that JSON does not need.
    pub payload: &'a [u8],
    /// The session that must not receive it ("to the others"), if any.
    pub exclude: Option<SessionId>,
}

/// Where a publication stands in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number in the channel, counted from 1, without holes.
    pub offset: u64,
    /// How many sessions of this node it was queued for.
    pub sessions: usize,
}

/// Why a publication was not taken. Nothing of it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The broker cannot take more at the moment; the publisher may try again.
    #[error("the message broker is busy or away")]
    Unavailable,
}

/// Assigns each publication its offset and hands it to the hub of every node.
///
/// # Contract
///
/// * Offsets of one channel rise by one in the order in which subscribers receive the publications.
/// * Two publications of one caller to one channel keep their order.
/// * `publish` never waits: it returns when the publication has its place in the channel's order, or refuses it whole.
///   A broker on another machine takes it into a bounded queue of its own.
pub trait Broker: Send + Sync {
    /// Publishes to `channel`.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Unavailable`] when nothing was published.
    fn publish(&self, channel: &ChannelName, publication: Publication<'_>) -> Result<Published, BrokerError>;

    /// Says that `channel` has no subscriber left on this node, so that what is kept for it alone can go.
    fn vacated(&self, channel: &ChannelName);
}
