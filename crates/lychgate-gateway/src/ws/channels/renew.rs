//! Connections and subscriptions that would end, and whether the application lets them go on.
//!
//! **Invariant:** nothing outlives what was said of it: while the application does not answer, the end stays where it is.
//!
//! **Absent on purpose:** a timer. The sweep wakes a connection when something is due, as it does for rights.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use lychgate_protocol::centrifuge::code::UnsubscribeCode;
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Renewal, Wish};

use super::client::{Client, Connected, Stage};
use super::turn::End;
use crate::ticks::{NEVER, Ticks, ticks};
use crate::ws::admit;
use crate::ws::profile::Event;

/// How long after a question that was not answered the next one comes.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The shortest time before the end at which the application is asked: enough for a second question.
const ASK_BEFORE_MIN: Duration = Duration::from_secs(2);

/// The longest.
const ASK_BEFORE_MAX: Duration = Duration::from_secs(10);

/// How long before its end something is renewed that has so long to go: a tenth of it, between those two.
pub(super) fn lead(left: Duration) -> Duration {
    (left / 10).clamp(ASK_BEFORE_MIN, ASK_BEFORE_MAX)
}

impl Client {
    /// Has the application asked some time before `expires_at`, if it says who may stay.
    pub(super) fn renews_before(&mut self, expires_at: Ticks) {
        self.renews_at = match self.time_left(expires_at).filter(|_| self.settings().on_refresh.is_some()) {
            Some(left) => expires_at.saturating_sub(ticks(lead(left))),
            None => NEVER,
        };
    }

    /// How long until then; `None` if that is never.
    pub(super) fn time_left(&self, expires_at: Ticks) -> Option<Duration> {
        let left = expires_at.saturating_sub(self.gate.ticker.now());
        (expires_at != NEVER).then(|| Duration::from_millis(100) * left)
    }

    /// Asks the application whether the connection may go on, if that is due.
    pub(super) async fn renew(&mut self) -> Result<(), End> {
        let Some(callback) = self.settings().on_refresh.clone().filter(|_| self.gate.ticker.now() >= self.renews_at)
        else {
            return Ok(());
        };
        self.settle();
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Ok(()) };
        let renewal = callback.renew(member, self.way(), Wish::Refresh).await;
        let name = &self.entry.socket.endpoint().settings.name;
        match renewal {
            Renewal::Until { ends_at, info, meta } => {
                let now_s = self.settings().access.now_s();
                if ends_at.is_some_and(|at| at <= now_s) {
                    return Err(End::Event(Event::ExpiredLive, false));
                }
                let expires_at = ends_at.map_or(NEVER, |at| admit::expiry_at(self.gate.ticker, at, now_s));
                self.entry.socket.expires_at.store(expires_at, Ordering::Relaxed);
                self.renews_before(expires_at);
                self.said_of_connection(info, meta);
            }
            Renewal::Over => {
                tracing::info!(endpoint = name, reason = "expired", "the application does not prolong a connection");
                return Err(End::Event(Event::ExpiredLive, false));
            }
            Renewal::Disconnect { code, reason } => return Err(End::Said(CloseCode(code), reason.into())),
            // Until the sweep ends it.
            Renewal::Unanswered => self.renews_at = self.gate.ticker.now().saturating_add(ticks(ASK_EVERY)),
        }
        Ok(())
    }

    /// Asks the application about the subscriptions that would end soon; gives those about which it says nothing.
    pub(super) async fn renew_held(&mut self) -> Result<Vec<ChannelName>, End> {
        let (now, now_s) = (self.gate.ticker.now(), self.settings().access.now_s());
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Ok(Vec::new()) };
        let soon = now_s + ASK_BEFORE_MAX.as_secs();
        let due = self.held.iter().filter_map(|held| {
            let is_due = now >= held.asks_at && held.entrance.ends_at.is_some_and(|at| at > now_s && at <= soon);
            let callback = held.entrance.namespace.on_sub_refresh.clone().filter(|_| is_due)?;
            Some((held.channel().clone(), callback))
        });
        let due: Vec<_> = due.collect();
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let way = self.way();
        // All at once: each may take as long as a call may take.
        let renewals = join_all(
            due.iter().map(async |(channel, callback)| callback.renew(member, way, Wish::SubRefresh { channel }).await),
        )
        .await;
        let (mut unanswered, now_s) = (Vec::new(), self.settings().access.now_s());
        for ((channel, _), renewal) in due.into_iter().zip(renewals) {
            match renewal {
                Renewal::Until { ends_at, .. } if ends_at.is_some_and(|at| at <= now_s) => {
                    self.take_away(&channel, UnsubscribeCode::EXPIRED)?;
                }
                Renewal::Until { ends_at, info, .. } => {
                    let Some(held) = self.held.get_mut(&channel) else { continue };
                    held.entrance.ends_at = ends_at;
                    if info.is_some() && info != held.entrance.info {
                        held.entrance.info = info;
                        let entrance = held.entrance.clone();
                        self.list(&entrance);
                    }
                }
                Renewal::Over => {
                    let name = &self.entry.socket.endpoint().settings.name;
                    tracing::info!(endpoint = name, %channel, reason = "expired", "the application does not prolong a subscription");
                    self.take_away(&channel, UnsubscribeCode::EXPIRED)?;
                }
                Renewal::Disconnect { code, reason } => return Err(End::Said(CloseCode(code), reason.into())),
                Renewal::Unanswered => unanswered.push(channel),
            }
        }
        Ok(unanswered)
    }

    /// Has channels that the application was asked about in vain looked at again soon.
    pub(super) fn ask_soon(&mut self, unanswered: &[ChannelName]) {
        let soon = self.gate.ticker.now().saturating_add(ticks(ASK_EVERY));
        for channel in unanswered {
            if let Some(held) = self.held.get_mut(channel) {
                held.asks_at = held.asks_at.min(soon);
            }
        }
    }

    /// Takes over what is said of the connection now, where something is.
    pub(super) fn said_of_connection(&mut self, info: Option<Box<str>>, meta: Option<Box<str>>) {
        let Stage::Connected(Connected { member, .. }) = &mut self.stage else { return };
        if meta.is_some() {
            member.meta = meta;
        }
        if info.is_none() || info == member.info {
            return;
        }
        member.info = info;
        // Whoever asks who is there is told what is true now.
        for held in self.held.iter() {
            self.list(&held.entrance);
        }
    }
}
