//! Holding channels: subscribing at a place that is known, leaving, and losing the right to stay.

use std::sync::Arc;
use std::time::Duration;

use lychgate_protocol::centrifuge::code::{ErrorCode, UnsubscribeCode};
use lychgate_protocol::centrifuge::{self as wire, Reply, SubscribeResult};
use lychgate_protocol::channel::{CHANNEL_NAME_BYTES_MAX, ChannelName};
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Entering, Entrance, Options, Wish, end_of};
use lychgate_service::policy::Denied;
use lychgate_service::ports::broker::{Entry, Happening, KeptAuthor, Place};
use lychgate_token::{Token, UnixSeconds};
use tokio::time::timeout;

use super::client::{Client, Connected, Stage};
use super::connect::ttl;
use super::framing::Form;
use super::holding::{Entered, Holding, Missed, Told, Wishes, affordable};
use super::holdings::Held;
use super::renew::lead;
use super::say;
use super::turn::{End, bad_request};
use crate::ticks::{NEVER, Ticks, ticks};
use crate::ws::admit;
use crate::ws::profile::Event;

/// How often in a row rights may be asked for again in vain before the connection ends.
const ASKED_IN_VAIN_MAX: u8 = 3;

impl Client {
    pub(super) async fn subscribe(&mut self, id: u32, subscribe: wire::Subscribe<'_>) -> Result<(), End> {
        let channel = &*subscribe.channel;
        if channel.is_empty() || !subscribe.delta.is_empty() && subscribe.delta != "fossil" {
            return Err(bad_request());
        }
        if channel.len() > CHANNEL_NAME_BYTES_MAX || subscribe.has_tags_filter {
            return self.refuse(id, ErrorCode::BAD_REQUEST);
        }
        if self.holds(channel) {
            return self.refuse(id, ErrorCode::ALREADY_SUBSCRIBED);
        }
        if self.held.len() >= self.settings().channels_max {
            return self.refuse(id, ErrorCode::LIMIT_EXCEEDED);
        }
        if subscribe.kind != 0 {
            return self.refuse(id, ErrorCode::PERMISSION_DENIED);
        }
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Err(bad_request()) };
        let (seen, user) = (self.gate.changes.seen(), member.principal.id().to_owned());
        let token = (!subscribe.token.is_empty()).then(|| Token::from(subscribe.token.as_ref()));
        let entering = self.settings().access.enter(member, channel, token);
        let entered = timeout(self.gate.limits.handshake_timeout, entering).await;
        let mut entering = match entered.unwrap_or_else(|_| Err(admit::unanswered().into())) {
            Ok(entering) => entering,
            Err(refused) => {
                let code = say::not_entered(self.entry.socket.endpoint(), &refused)?;
                return self.refuse(id, code);
            }
        };
        let entrance = &entering.entrance;
        // Who brings the application's own word needs no other.
        if let Some(callback) = entrance.namespace.on_subscribe.clone().filter(|_| !entrance.is_vouched) {
            let Ok(data) = subscribe.data.checked() else { return self.refuse(id, ErrorCode::BAD_REQUEST) };
            let wish = Wish::Subscribe { channel, data: data.as_json().unwrap_or("null") };
            match self.asked(&callback, wish).await? {
                Ok(result) => match Options::read(&result).and_then(|options| Ok((options, end_of(&result)?))) {
                    Ok((options, ends_at)) => {
                        entering.amend(&options);
                        entering.entrance.ends_at = ends_at;
                    }
                    Err(fault) => {
                        tracing::warn!(
                            event = "subscribe",
                            reason = "answer",
                            "an answer of the application cannot be used: {fault}"
                        );
                        return self.refuse(id, ErrorCode::INTERNAL);
                    }
                },
                Err(error) => {
                    self.reply(id, &Reply::Error(error.reply()));
                    return Ok(());
                }
            }
        }
        let entrance = &entering.entrance;
        let is_own = !entrance.is_vouched && entrance.namespace.policy.is_asked_of_registry();
        self.hold(entering, Wishes::of(&subscribe), &mut |this: &mut Self, subscribed| {
            this.reply(id, &subscribed.map_or_else(Reply::from, Reply::Subscribe));
        });
        if is_own {
            self.entry.socket.watches(&user);
            if self.gate.changes.happened_since(seen) {
                self.entry.socket.ask_again();
            }
        }
        Ok(())
    }

    /// Enters a channel and has `reply` tell the client where it stands, before anything of the channel reaches it.
    pub(super) fn hold(
        &mut self,
        entering: Entering,
        wishes: Wishes,
        reply: &mut dyn FnMut(&mut Self, Result<SubscribeResult<'_>, ErrorCode>),
    ) {
        let refuses_loss = wishes.whole_or_nothing;
        self.enter(vec![Holding::of(entering, wishes)], refuses_loss, &mut |this: &mut Self, told| match told {
            Ok([(_, result), ..]) => reply(this, Ok(*result)),
            Ok([]) => {}
            Err(code) => reply(this, Err(code)),
        });
    }

    /// Enters many channels at once, and has `reply` tell the client where it stands in each.
    pub(super) fn hold_all(&mut self, list: Vec<(Entering, Wishes)>, reply: &mut dyn FnMut(&mut Self, Told<'_>)) {
        if list.is_empty() {
            return reply(self, &[]);
        }
        let list: Vec<_> = list.into_iter().map(|(entering, wishes)| Holding::of(entering, wishes)).collect();
        self.enter(list, false, &mut |this: &mut Self, told| reply(this, told.unwrap_or_default()));
    }

    fn enter(&mut self, list: Vec<Holding>, refuses_loss: bool, reply: &mut dyn FnMut(&mut Self, Entered<'_>)) {
        let settings = self.settings();
        let (broker, most, now_s) = (Arc::clone(&settings.broker), settings.publications_max, settings.access.now_s());
        let bytes_max = self.answer_bytes_max();
        let encoding = self.encoding;
        let places: Vec<Place<'_>> = list.iter().map(Holding::place).collect();
        let mut has_entered = false;
        broker.enter_all(&places, most, &mut |entries| {
            let entries = affordable(entries, bytes_max);
            let is_lost = |(holding, entry): (&Holding, &Entry<'_>)| {
                holding.wishes.since.is_some() && entry.recovered != Some(true)
            };
            if list.iter().any(|holding| self.is_full(holding)) {
                return reply(self, Err(ErrorCode::LIMIT_EXCEEDED));
            }
            if refuses_loss && list.iter().zip(&entries).any(is_lost) {
                return reply(self, Err(ErrorCode::UNRECOVERABLE_POSITION));
            }
            let told: Vec<_> =
                list.iter().zip(&entries).map(|(holding, entry)| Missed::of(holding, entry, encoding)).collect();
            let publications: Vec<Vec<_>> = told.iter().map(Missed::publications).collect();
            let all = list.iter().zip(&entries).zip(&publications);
            let results: Vec<_> = all
                .map(|((holding, entry), publications)| {
                    (&**holding.entrance.permit.channel(), holding.result(entry, publications, now_s))
                })
                .collect();
            for holding in &list {
                self.list(&holding.entrance);
            }
            reply(self, Ok(&results));
            // Queued before the subscriptions: whatever is published from then on comes behind it.
            self.settle();
            for (holding, entry) in list.iter().zip(&entries) {
                self.subscribed(holding, entry);
            }
            has_entered = true;
        });
        if has_entered {
            for holding in &list {
                self.tell_of_coming(holding.entrance.permit.channel());
            }
            self.schedule();
        }
    }

    /// Whether as many are in a channel, whose lock is held, as clients may be. The server puts in whom it likes.
    fn is_full(&self, holding: &Holding) -> bool {
        let Entrance { permit, namespace, .. } = &holding.entrance;
        let most = namespace.subscribers_max.filter(|_| !holding.wishes.by_server);
        most.is_some_and(|most| self.gate.subscriptions.members(permit.channel()) >= most)
    }

    /// Subscribes to a channel whose lock is held, behind what the client was told of it.
    fn subscribed(&mut self, holding: &Holding, entry: &Entry<'_>) {
        let entrance = &holding.entrance;
        // Who was just told the newest publication has what the next one differs from.
        let deltas = holding.takes_deltas().then_some(!entry.missed.is_empty());
        let join_leave = entrance.namespace.join_leave.grants(holding.wishes.join_leave);
        let class = Form { encoding: self.encoding, join_leave, deltas }.class();
        let subscription = self.gate.subscriptions.enter(entrance.permit.clone(), &self.entry.session, class).ok();
        let asks_at = self.now().next_look(entrance);
        let held = Held { entrance: entrance.clone(), subscription, by_server: holding.wishes.by_server, asks_at };
        self.held.insert(held);
    }

    /// Puts the client on the list of who is in the channel.
    pub(super) fn list(&self, entrance: &Entrance) {
        if let (Some(_), true, Stage::Connected(Connected { member, .. })) =
            (entrance.namespace.presence, entrance.namespace.lists, &self.stage)
        {
            let author = KeptAuthor::of(member.author(entrance.info.as_deref()));
            self.settings().roster.enter(entrance.permit.channel(), author);
        }
    }

    fn tell_of_coming(&self, channel: &ChannelName) {
        let Some(held) = self.held.get(channel) else { return };
        if !held.entrance.namespace.announces {
            return;
        }
        if let Stage::Connected(Connected { member, .. }) = &self.stage {
            let author = member.author(held.entrance.info.as_deref());
            self.settings().broker.tell(channel, Happening::Joined(author));
        }
    }

    pub(super) fn unsubscribe(&mut self, id: u32, channel: &str) -> Result<(), End> {
        let Ok(name) = ChannelName::new(channel) else { return Err(bad_request()) };
        self.leave(&name);
        self.reply(id, &Reply::Unsubscribe);
        Ok(())
    }

    pub(super) fn sub_refresh(&mut self, id: u32, refresh: wire::SubRefresh<'_>) -> Result<(), End> {
        let Ok(name) = ChannelName::new(&refresh.channel) else { return Err(bad_request()) };
        if !self.holds(&name) {
            return self.refuse(id, ErrorCode::PERMISSION_DENIED);
        }
        if refresh.token.is_empty() || refresh.kind != 0 {
            return self.refuse(id, ErrorCode::BAD_REQUEST);
        }
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Err(bad_request()) };
        let access = Arc::clone(&self.settings().access);
        match access.renew(member, &name, &Token::from(refresh.token.as_ref())) {
            Ok(ends_at) => {
                let now = self.now();
                if let Some(held) = self.held.get_mut(&name) {
                    held.entrance.ends_at = ends_at;
                    held.asks_at = now.next_look(&held.entrance);
                }
                let left = ends_at.map(|at| Duration::from_secs(at.saturating_sub(access.now_s())));
                self.reply(id, &Reply::SubRefresh { expires: left.is_some(), ttl: left.map_or(0, ttl) });
                self.schedule();
                Ok(())
            }
            Err(refused) => match say::not_entered(self.entry.socket.endpoint(), &refused.into())? {
                ErrorCode::PERMISSION_DENIED => Err(End::Event(Event::Invalid, false)),
                code => self.refuse(id, code),
            },
        }
    }

    /// Asks again for the rights that the client is here by, and takes what is lost.
    pub(super) async fn ask_again(&mut self) -> Result<(), End> {
        self.renew().await?;
        let unanswered = self.renew_held().await?;
        let Stage::Connected(Connected { member, permit, .. }) = &self.stage else { return Ok(()) };
        let (member, permit) = (member.clone(), permit.clone());
        let endpoint = Arc::clone(self.entry.socket.endpoint());
        let mut in_vain = false;
        let patience = self.gate.limits.handshake_timeout;
        let asked = timeout(patience, self.gate.admission.ask_again(&permit, &endpoint.settings.door)).await;
        match asked.unwrap_or_else(|_| Err(admit::too_late())) {
            Ok(()) => {}
            Err(refused) if Event::of(&refused) == Event::Lookup => in_vain = true,
            Err(refused) => {
                tracing::info!(
                    endpoint = endpoint.settings.name,
                    reason = refused.code(),
                    "the right is lost: {refused}"
                );
                return Err(End::Event(Event::of(&refused), false));
            }
        }
        let access = Arc::clone(&self.settings().access);
        let now_s = access.now_s();
        let held: Vec<_> = self.held.iter().map(|held| (held.channel().clone(), held.entrance.clone())).collect();
        for (channel, entrance) in held {
            if entrance.ends_at.is_some_and(|at| at <= now_s) {
                self.take_away(&channel, UnsubscribeCode::EXPIRED)?;
                continue;
            }
            let asked = timeout(patience, access.ask_again(&entrance, &member.grants)).await;
            match asked.unwrap_or_else(|_| Err(admit::unanswered())) {
                Ok(permit) => {
                    if let Some(held) = self.held.get_mut(&channel) {
                        held.entrance.permit = permit;
                    }
                }
                // It is tried again; whoever can never be asked ends the connection.
                Err(Denied::Unknown(_)) => in_vain = true,
                Err(denied) => {
                    let name = &endpoint.settings.name;
                    tracing::info!(endpoint = name, %channel, reason = "right_lost", "a right to a channel is lost: {denied}");
                    self.take_away(&channel, UnsubscribeCode::SERVER)?;
                }
            }
        }
        self.asks_at = admit::ask_again_at(self.gate.ticker, &endpoint);
        self.asked_in_vain = if in_vain { self.asked_in_vain + 1 } else { 0 };
        if self.asked_in_vain >= ASKED_IN_VAIN_MAX {
            return Err(End::Event(Event::Lookup, false));
        }
        let now = self.now();
        for held in self.held.iter_mut() {
            held.asks_at = now.next_look(&held.entrance);
        }
        self.ask_soon(&unanswered);
        self.schedule();
        Ok(())
    }

    /// Ends a subscription from this side, and says so behind everything that the channel has sent.
    pub(super) fn take_away(&mut self, channel: &ChannelName, code: UnsubscribeCode) -> Result<(), End> {
        if self.held.get(channel).is_some_and(|held| held.by_server) {
            // Clients cannot do without what the server has subscribed them to.
            return Err(End::Code(CloseCode::SUBSCRIPTION_EXPIRED));
        }
        self.drop_channel(channel, code);
        Ok(())
    }

    /// The time, for those who look ahead.
    fn now(&self) -> Now {
        Now { ticks: self.gate.ticker.now(), seconds: self.settings().access.now_s() }
    }

    /// Has the sweep say when the next right has to be looked at.
    pub(super) fn schedule(&self) {
        let channels = self.held.iter().map(|held| held.asks_at).min().unwrap_or(NEVER);
        self.entry.socket.asks_again_at(channels.min(self.asks_at).min(self.renews_at));
    }
}

/// The time, as deadlines and as tokens count it.
#[derive(Clone, Copy)]
struct Now {
    ticks: Ticks,
    seconds: UnixSeconds,
}

impl Now {
    /// When a right to a channel has to be looked at next: when it ends, or has to be asked for again.
    fn next_look(self, entrance: &Entrance) -> Ticks {
        let ends = entrance.ends_at.map(|at| {
            let left = Duration::from_secs(at.saturating_sub(self.seconds));
            let before = if entrance.namespace.on_sub_refresh.is_some() { lead(left) } else { Duration::ZERO };
            let left = if left > before { left - before } else { left };
            self.ticks.saturating_add(ticks(left)).saturating_add(1)
        });
        let is_asked = !entrance.is_vouched && entrance.namespace.policy.is_asked();
        let asks = entrance.namespace.ask_again_every.filter(|_| is_asked).map(|every| {
            let whole = ticks(every).max(2);
            self.ticks.saturating_add(whole / 2 + rand::random_range(0..whole / 2 + 1))
        });
        ends.into_iter().chain(asks).min().unwrap_or(NEVER)
    }
}
