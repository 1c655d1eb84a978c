//! Where a principal may go.
//!
//! **Invariant:** a [`Permit`] can be made in this file alone.
//! Whoever publishes or subscribes must hold one, so a forgotten check does not compile.

use lychgate_protocol::channel::ChannelName;

use crate::principal::Principal;

/// The right of one principal to one channel.
#[derive(Debug, Clone)]
pub struct Permit {
    channel: ChannelName,
    principal: Principal,
}

impl Permit {
    /// The channel it opens.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Whose right it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Who may enter an endpoint's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every verified principal.
    Any,
}

/// The rule of one endpoint: which channel, and for whom.
#[derive(Clone, Debug)]
pub struct Policy {
    channel: ChannelName,
    access: Access,
}

impl Policy {
    /// A rule that opens `channel` to whom `access` names.
    #[must_use]
    pub const fn new(channel: ChannelName, access: Access) -> Self {
        Self { channel, access }
    }

    /// The permit that `principal` gets.
    #[must_use]
    pub fn permit(&self, principal: Principal) -> Permit {
        match self.access {
            Access::Any => Permit { channel: self.channel.clone(), principal },
        }
    }
}
