//! What the application has done to a client, in the client's own turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lychgate_protocol::centrifuge::code::UnsubscribeCode;
use lychgate_protocol::centrifuge::{Push, SubscribePush};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Entrance, Vouch};
use lychgate_token::UnixSeconds;

use super::client::{Client, Connected, Stage};
use super::clients::Order;
use super::connect::ttl;
use super::framing::frame;
use super::subscribe::Wishes;
use super::turn::End;
use crate::ws::admit;

impl Client {
    /// Does what it was told since it last looked.
    pub(super) fn obey(&mut self) -> Result<(), End> {
        let orders = self.line.as_ref().map(|line| line.take()).unwrap_or_default();
        orders.into_iter().try_for_each(|order| match order {
            Order::Subscribe(vouch) => {
                self.put_into(&vouch);
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
            Order::Refresh(until) => self.refreshed(until),
        })
    }

    fn put_into(&mut self, vouch: &Vouch) {
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return };
        let channel = vouch.channel();
        let is_over = vouch.expires_at().is_some_and(|at| at <= self.settings().access.now_s());
        if is_over || self.holds(channel) || self.held.len() >= self.settings().channels_max {
            return;
        }
        let Ok((namespace, _)) = self.settings().access.find(channel) else { return };
        let namespace = Arc::clone(namespace);
        let Ok(permit) = namespace.policy.vouched(vouch, member.principal.clone()) else { return };
        let info = vouch.info().map(Into::into);
        let entrance = Entrance { permit, namespace, info, ends_at: vouch.expires_at(), is_vouched: true };
        let name = channel.clone();
        self.hold(entrance, &Wishes::of_server(), &mut |this: &mut Self, subscribed| {
            let Ok(subscribed) = subscribed else { return };
            this.push(
                &name,
                &Push::Subscribe(SubscribePush {
                    recoverable: subscribed.recoverable,
                    epoch: subscribed.epoch,
                    offset: subscribed.offset,
                    positioned: subscribed.positioned,
                    ..SubscribePush::default()
                }),
            );
        });
    }

    fn refreshed(&mut self, until: Option<UnixSeconds>) -> Result<(), End> {
        let left = until.map(|until| Duration::from_secs(until.saturating_sub(self.settings().access.now_s())));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(End::Code(CloseCode::EXPIRED));
        }
        self.entry.socket.expires_at.store(admit::expiry(self.gate.ticker, left), Ordering::Relaxed);
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
