//! Who is told that a channel has somebody in it, and that it has nobody any more.

use lychgate_protocol::channel::ChannelName;

/// Is told of each channel that gets its first member and that loses its last one.
///
/// Both are said with the channel locked, in the step in which it happens. So for one name they alternate, beginning with
/// [`occupied`](Self::occupied), and they come in the order in which they happened.
///
/// A witness neither waits nor calls the hub.
pub trait Witness: Send + Sync {
    /// The channel has its first member.
    fn occupied(&self, channel: &ChannelName);

    /// The last one has left.
    fn vacated(&self, channel: &ChannelName);
}
