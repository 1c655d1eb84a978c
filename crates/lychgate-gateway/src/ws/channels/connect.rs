//! Connecting and staying connected: who the client is, and until when.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as wire, ConnectResult, Data, RefreshResult, Reply};
use lychgate_protocol::ws::CloseCode;
use lychgate_service::admission::{Credential, Refused};
use lychgate_service::channels::{Entering, Entrance};
use lychgate_service::policy::{Parameters, Permit};
use lychgate_service::principal::Principal;
use lychgate_token::{Refusal, Token};
use tokio::time::timeout;

use super::VERSION;
use super::arrival::{Arrival, Enters, NotOpened, Opens};
use super::assigned::is_assigned;
use super::client::{Client, Connected, Known, Stage};
use super::holding::Wishes;
use super::turn::{End, bad_request};
use crate::ticks::ticks;
use crate::ws::admit;
use crate::ws::attending::Attending;
use crate::ws::profile::Event;
use crate::ws::standing::Standing;

/// The longest name and version that a client may give itself, in bytes; nobody reads them.
const NAME_BYTES_MAX: usize = 64;

impl Client {
    /// Opens the session; gives what the connection holds if it was admitted only now.
    pub(super) async fn connect(&mut self, id: u32, connect: wire::Connect<'_>) -> Result<Option<Standing>, End> {
        if connect.name.len().max(connect.version.len()) > NAME_BYTES_MAX {
            return Err(bad_request());
        }
        let Some(Arrival { known, enters }) = self.arrives(id, &connect).await? else { return Ok(None) };
        let by_application = known.proof.as_ref().is_some_and(|proof| proof.is_of_application);
        let opens = match known.opens(self.gate.ticker, self.settings().access.now_s()) {
            Ok(opens) => opens,
            Err(fault) => return self.not_opened(id, &fault, by_application).map(|()| None),
        };
        let inbox = opens.permit.inbox().and_then(|permit| self.inbox(permit));
        let (entrances, assigned) = match self.assigned(&opens, inbox)? {
            Ok(entrances) => entrances,
            Err(code) => return self.refuse(id, code).map(|()| None),
        };
        let endpoint = Arc::clone(self.entry.socket.endpoint());
        let may_show_another = enters.is_some();
        let standing = match enters {
            None => None,
            Some(Enters { admitted, user, seen }) => {
                let standing = admit::stand(&self.gate, &endpoint, &self.entry, admitted, user, seen);
                // Without it the connection has to go, and is closing.
                let Some(standing) = standing else { return Ok(None) };
                Some(standing)
            }
        };
        let Opens { member, permit, expires_at, bearing, .. } = opens;
        let line = self.settings().clients.enter(member.author(None).user, &member.client, &self.entry.socket);
        self.line = Some(line);
        let client = || member.client.clone();
        self.attending = Attending::begin(&self.entry.socket, &member.principal, None, client);
        self.stage = Stage::Connected(Connected { member, permit, assigned });
        self.asks_at = admit::ask_again_at(self.gate.ticker, &endpoint);
        self.entry.socket.admitted(expires_at, self.asks_at);
        self.renews_before(expires_at);
        if standing.is_none() && endpoint.settings.door.is_asked() {
            // Its right is as old as its request, and nobody has asked since.
            self.entry.socket.ask_again();
        }
        // One who is let in by the request cannot show another credential, and where the application is asked none has to.
        let has_to_show = may_show_another && self.settings().on_refresh.is_none();
        let ends_in = self.time_left(expires_at).filter(|_| has_to_show);
        let told = Told { ends_in, data: bearing.data.as_deref() };
        self.connected_to(id, entrances, told, &connect);
        self.schedule();
        let every = ticks(self.gate.limits.ping_interval).max(2);
        self.entry
            .socket
            .pings_at(self.gate.ticker.now().saturating_add(every / 2 + rand::random_range(0..every / 2 + 1)));
        Ok(standing)
    }

    /// Answers a connect whose credential is good for something else.
    fn not_opened(&mut self, id: u32, fault: &NotOpened, by_application: bool) -> Result<(), End> {
        let endpoint = self.entry.socket.endpoint();
        let name = &endpoint.settings.name;
        if by_application {
            tracing::warn!(
                endpoint = name,
                event = "connect",
                reason = "answer",
                "an answer of the application cannot be used: {fault}"
            );
            return self.refuse(id, ErrorCode::INTERNAL);
        }
        endpoint.metrics.refused(fault.code());
        tracing::info!(endpoint = name, reason = fault.code(), "refused: {fault}");
        match fault {
            NotOpened::Over => self.refuse(id, ErrorCode::TOKEN_EXPIRED),
            NotOpened::ForAChannel | NotOpened::Option(_) => Err(End::Event(Event::Invalid, true)),
        }
    }

    /// Answers the connect, once the client is in all channels that it is put into.
    fn connected_to(&mut self, id: u32, entrances: Vec<Entering>, told: Told<'_>, connect: &wire::Connect<'_>) {
        let ping = u32::try_from(self.gate.limits.ping_interval.as_secs()).unwrap_or(u32::MAX);
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return };
        let client: Box<str> = member.client.clone();
        // Only who hears a one-way answer has to say which one it means.
        let session = self.entry.socket.outlet().map(|outlet| outlet.key.expose()).unwrap_or_default();
        let gate = Arc::clone(&self.gate);
        let node = if session.is_empty() { "" } else { &*gate.node };
        let session = &*session;
        let wished = |entering: Entering| {
            let before = connect.subs.get(&**entering.entrance.permit.channel());
            let wishes = before.map_or_else(Wishes::of_server, Wishes::of_server_again);
            (entering, wishes)
        };
        let list = entrances.into_iter().map(wished).collect();
        self.hold_all(list, &mut |this: &mut Self, subs| {
            this.reply(id, &Reply::Connect(ConnectResult { subs, session, node, ..opened(&client, ping, told) }));
        });
    }

    /// The right to what is meant for this user alone, by the rules of its namespace.
    fn inbox(&self, permit: Permit) -> Option<Entrance> {
        match self.settings().access.find(permit.channel()) {
            Ok((namespace, _)) => {
                let namespace = Arc::clone(namespace);
                Some(Entrance { permit, namespace, info: None, ends_at: None, is_vouched: true })
            }
            Err(cause) => {
                let endpoint = &self.entry.socket.endpoint().settings.name;
                tracing::error!(endpoint, channel = %permit.channel(), %cause, "a user has no inbox");
                None
            }
        }
    }

    /// Takes a new token for the same user.
    pub(super) async fn refresh(&mut self, id: u32, refresh: wire::Refresh<'_>) -> Result<(), End> {
        if refresh.token.is_empty() {
            return Err(bad_request());
        }
        let now_s = self.settings().access.now_s();
        let Stage::Connected(connected) = &mut self.stage else { return Err(bad_request()) };
        let endpoint = Arc::clone(self.entry.socket.endpoint());
        let credential = Credential::Token(Token::from(refresh.token.as_ref()));
        let admission =
            self.gate.admission.admit(Some(&credential), &endpoint.settings.door, Ok(Parameters::default()));
        let answer = timeout(self.gate.limits.handshake_timeout, admission).await;
        let admitted = match answer.unwrap_or_else(|_| Err(admit::too_late())) {
            Ok(admitted) if is_same(admitted.permit.principal(), &connected.member.principal) => admitted,
            Ok(_) => {
                tracing::info!(
                    endpoint = endpoint.settings.name,
                    reason = "other_user",
                    "a new token is somebody else's"
                );
                return Err(End::Event(Event::Invalid, false));
            }
            Err(refused) => {
                tracing::info!(
                    endpoint = endpoint.settings.name,
                    reason = refused.code(),
                    "a new token is refused: {refused}"
                );
                return Err(End::Event(event_of(&refused), false));
            }
        };
        let opens = Known::of(&admitted, self.gate.ticker).opens(self.gate.ticker, now_s).map_err(|fault| {
            tracing::info!(endpoint = endpoint.settings.name, reason = fault.code(), "a new token is refused: {fault}");
            End::Event(if matches!(fault, NotOpened::Over) { Event::Expired } else { Event::Invalid }, false)
        })?;
        if let Some(proof) = &admitted.proof
            && let Err(refused) = self.gate.revoked.rests_on(&self.gate.admission, &self.entry.socket, proof)
        {
            return Err(End::Event(Event::of(&refused), false));
        }
        if !is_assigned(&opens.bearing, &connected.assigned) {
            tracing::info!(
                endpoint = endpoint.settings.name,
                reason = "other_channels",
                "a new token names other channels"
            );
            return Err(End::Code(CloseCode::INSUFFICIENT_STATE));
        }
        let Opens { member, expires_at, bearing, .. } = opens;
        connected.member.grants = member.grants;
        let client = connected.member.client.clone();
        self.said_of_connection(bearing.info, bearing.meta);
        // What the new token does not grant any more is lost.
        self.entry.socket.ask_again();
        self.entry.socket.expires_at.store(expires_at, Ordering::Relaxed);
        self.renews_before(expires_at);
        self.schedule();
        let ends_in = self.time_left(expires_at);
        let result = RefreshResult {
            client: &client,
            version: VERSION,
            expires: ends_in.is_some(),
            ttl: ends_in.map_or(0, ttl),
        };
        self.reply(id, &Reply::Refresh(result));
        Ok(())
    }
}

/// What a client is told of its own connection.
#[derive(Clone, Copy)]
struct Told<'a> {
    /// When it has to show that it may stay; not told where nobody waits for that.
    ends_in: Option<Duration>,
    /// From the application, as JSON text.
    data: Option<&'a str>,
}

/// The answer to a connect, without subscriptions.
fn opened<'a>(client: &'a str, ping: u32, told: Told<'a>) -> ConnectResult<'a> {
    ConnectResult {
        client,
        version: VERSION,
        expires: told.ends_in.is_some(),
        ttl: told.ends_in.map_or(0, ttl),
        data: told.data.map_or(Data::ABSENT, Data::json_trusted),
        ping,
        pong: true,
        ..ConnectResult::default()
    }
}

/// Nobody can show that a visitor is the same one.
fn is_same(one: &Principal, other: &Principal) -> bool {
    !one.is_anonymous() && !other.is_anonymous() && one.id() == other.id()
}

/// The event that a refusal is here: a client comes back with another token also where its own is not good yet.
pub(in crate::ws) fn event_of(refused: &Refused) -> Event {
    match refused {
        Refused::Credential(Refusal::NotYetValid { .. }) => Event::Expired,
        refused => Event::of(refused),
    }
}

/// When a client should show its next token, in seconds: a little before the server stops waiting for it.
pub(super) fn ttl(ends_in: Duration) -> u32 {
    let left = ends_in.as_secs();
    u32::try_from(left.saturating_sub((left / 10).clamp(1, 10)).max(1)).unwrap_or(u32::MAX)
}
