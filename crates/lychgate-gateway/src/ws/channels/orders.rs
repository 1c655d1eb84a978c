//! What the application has done to a client, in the client's own turn.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lychgate_protocol::centrifuge::code::UnsubscribeCode;
use lychgate_protocol::centrifuge::{Push, SubscribePush};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::Vouch;
use lychgate_token::UnixSeconds;

use super::client::{Client, Connected, Stage};
use super::clients::Order;
use super::connect::ttl;
use super::framing::frame;
use super::holding::Wishes;
use super::turn::End;
use crate::ws::admit;

impl Client {
    /// Does what it was told since it last looked.
    pub(super) fn obey(&mut self) -> Result<(), End> {
        let orders = self.line.as_ref().map(|line| line.take()).unwrap_or_default();
        orders.into_iter().try_for_each(|order| match order {
            Order::Subscribe(vouch, since) => {
                self.put_into(&vouch, since);
                Ok(())
            }
            Order::Unsubscribe(channel) => {
                if let Ok(channel) = ChannelName::new(&channel)
                    && self.holds(&channel)
                {
                    self.drop_channel(&channel, UnsubscribeCode::SERVER);
                }
                Ok(())
            }
            Order::Disconnect(code, reason) => Err(End::Said(code, reason)),
            Order::Refresh { until, info } => self.refreshed(until, info),
        })
    }

    fn put_into(&mut self, vouch: &Vouch, since: Option<(String, u64)>) {
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return };
        let channel = vouch.channel();
        let is_over = vouch.expires_at().is_some_and(|at| at <= self.settings().access.now_s());
        if is_over || self.holds(channel) || self.held.len() >= self.settings().channels_max {
            return;
        }
        let Ok(entrance) = self.settings().access.put_in(vouch, &member.principal) else { return };
        let wishes = since.map_or_else(Wishes::of_server, |(epoch, offset)| Wishes::of_server_since(epoch, offset));
        let name = channel.clone();
        self.hold(entrance, wishes, &mut |this: &mut Self, subscribed| {
            let Ok(subscribed) = subscribed else { return };
            this.push(
                &name,
                &Push::Subscribe(SubscribePush {
                    recoverable: subscribed.recoverable,
                    epoch: subscribed.epoch,
                    offset: subscribed.offset,
                    positioned: subscribed.positioned,
                    data: subscribed.data,
                }),
            );
            // The push has no place for what was missed.
            for publication in subscribed.publications {
                this.push(&name, &Push::Publication(*publication));
            }
        });
    }

    fn refreshed(&mut self, until: Option<UnixSeconds>, info: Option<Box<str>>) -> Result<(), End> {
        let left = until.map(|until| Duration::from_secs(until.saturating_sub(self.settings().access.now_s())));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(End::Code(CloseCode::EXPIRED));
        }
        let expires_at = admit::expiry(self.gate.ticker, left);
        self.entry.socket.expires_at.store(expires_at, Ordering::Relaxed);
        self.renews_before(expires_at);
        self.schedule();
        self.said_of_connection(info, None);
        // Where the application is asked, the client has nothing to do about the end.
        let left = left.filter(|_| self.settings().on_refresh.is_none());
        self.push("", &Push::Refresh { expires: left.is_some(), ttl: left.map_or(0, ttl) });
        Ok(())
    }

    /// Ends a subscription from this side, and says so behind everything that the channel has sent.
    pub(super) fn drop_channel(&mut self, channel: &ChannelName, code: UnsubscribeCode) {
        self.leave(channel);
        self.settle();
        let mut out = Vec::new();
        frame(self.encoding, &mut out, |writer| {
            writer.push(channel, &Push::Unsubscribe { code, reason: code.reason() });
        });
        self.queue(out);
    }
}
