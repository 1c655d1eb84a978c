//! The channels that a connection is put into by what let it in: its inbox, and those that its credential names.
//!
//! **Invariant:** either it enters all of them or it does not connect: who is put into a channel never misses it unawares.

use std::sync::Arc;

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Bearing, Entrance, NotEntered, Vouch};

use super::arrival::Opens;
use super::client::Client;
use super::say;
use super::turn::End;

/// The rights to those channels, and their names.
type Assigned = (Vec<Entrance>, Box<[ChannelName]>);

impl Client {
    /// The rights to all channels that this connection is put into, `inbox` among them; or what it is told.
    pub(super) fn assigned(&self, opens: &Opens, inbox: Option<Entrance>) -> Result<Result<Assigned, ErrorCode>, End> {
        let channels = &opens.bearing.channels;
        let mut entrances: Vec<Entrance> = inbox.into_iter().collect();
        // One that names its inbox as well is put into it once.
        let is_inbox = |name: &str| opens.permit.inbox().is_some_and(|inbox| **inbox.channel() == *name);
        let others = channels.keys().filter(|name| !is_inbox(name)).count();
        if entrances.len() + others > self.settings().channels_max {
            return Err(End::Code(CloseCode::CHANNEL_LIMIT));
        }
        let mut names = Vec::with_capacity(channels.len());
        for (name, options) in channels {
            let entrance = ChannelName::new(name).map_err(NotEntered::from).and_then(|channel| {
                names.push(channel.clone());
                let vouch = Vouch::with_connection(channel, options.clone(), opens.by_application);
                match entrances.first_mut().filter(|first| **first.permit.channel() == **name) {
                    Some(first) => {
                        first.amend(options);
                        Ok(None)
                    }
                    None => self.settings().access.put_in(&vouch, &opens.member.principal).map(Some),
                }
            });
            match entrance {
                Ok(entrance) => entrances.extend(entrance),
                Err(refused) => {
                    let endpoint = Arc::clone(self.entry.socket.endpoint());
                    endpoint.metrics.refused("channel");
                    let who = if opens.by_application { "the application" } else { "a token" };
                    tracing::warn!(
                        endpoint = endpoint.settings.name,
                        channel = name,
                        reason = "channel",
                        "refused: {who} puts a connection into a channel that it cannot enter: {refused}"
                    );
                    return say::not_entered(&endpoint, &refused).map(Err);
                }
            }
        }
        Ok(Ok((entrances, names.into())))
    }
}

/// Whether a new credential names the same channels as the one before.
pub(super) fn is_assigned(bearing: &Bearing, before: &[ChannelName]) -> bool {
    // Both are in the order of their names.
    bearing.channels.len() == before.len()
        && bearing.channels.keys().zip(before).all(|(name, before)| *name == **before)
}
