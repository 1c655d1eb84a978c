//! Connecting and staying connected: who the client is, and until when.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as wire, ConnectResult, RefreshResult, Reply};
use lychgate_service::admission::{Admitted, Credential, Refused};
use lychgate_service::channels::{Entrance, Member};
use lychgate_service::policy::{Parameters, Permit};
use lychgate_service::principal::Principal;
use lychgate_token::{Refusal, Token};
use tokio::time::timeout;

use super::VERSION;
use super::client::{Client, Connected, Known, Stage};
use super::subscribe::Wishes;
use super::turn::{End, bad_request};
use crate::ticks::{Ticker, ticks};
use crate::ws::admit::{self, Outcome};
use crate::ws::credential::Found;
use crate::ws::profile::Event;
use crate::ws::standing::Standing;

/// The longest name and version that a client may give itself, in bytes; nobody reads them.
const NAME_BYTES_MAX: usize = 64;

impl Known {
    /// Somebody whom the door has let in.
    pub(in crate::ws) fn of(admitted: &Admitted, ticker: Ticker) -> Self {
        let proof = admitted.proof.as_ref();
        let member = Member {
            principal: admitted.permit.principal().clone(),
            grants: proof.map(|proof| proof.grants.clone()).unwrap_or_default(),
            client: Member::fresh_client(),
            info: proof.and_then(|proof| proof.info.as_ref()).map(|info| info.to_string().into()),
        };
        let expires_at = admit::expiry(ticker, admitted.ends_in);
        Self { member, permit: admitted.permit.clone(), expires_at }
    }
}

impl Client {
    /// Opens the session; gives what the connection holds if it was admitted only now.
    pub(super) async fn connect(&mut self, id: u32, connect: wire::Connect<'_>) -> Result<Option<Standing>, End> {
        if connect.name.len().max(connect.version.len()) > NAME_BYTES_MAX {
            return Err(bad_request());
        }
        let has_token = !connect.token.is_empty();
        let (known, standing, ends_in) = match std::mem::replace(&mut self.stage, Stage::Dead) {
            // Two credentials at once could be two people.
            Stage::New { known: Some(_), .. } if has_token => return Err(End::Event(Event::Invalid, false)),
            Stage::New { known: Some(known), .. } => (*known, None, None),
            Stage::New { caller: Some(caller), .. } => {
                let found = has_token.then(|| Found {
                    credential: Credential::Token(Token::from(connect.token.as_ref())),
                    kind: "message",
                });
                let endpoint = Arc::clone(self.entry.socket.endpoint());
                match admit::admit(&self.gate, &endpoint, Ok(found), *caller).await {
                    Outcome::Enter { admitted, user, seen } => {
                        if admitted.proof.as_ref().is_some_and(|proof| proof.is_for_a_channel) {
                            endpoint.metrics.refused("channel_token");
                            tracing::info!(
                                endpoint = endpoint.settings.name,
                                reason = "channel_token",
                                "refused: a token for one channel says nothing of who connects"
                            );
                            return Err(End::Event(Event::Invalid, true));
                        }
                        let (known, ends_in) = (Known::of(&admitted, self.gate.ticker), admitted.ends_in);
                        let standing = admit::stand(&self.gate, &endpoint, &self.entry, admitted, user, seen);
                        // Without it the connection has to go, and is closing.
                        let Some(standing) = standing else { return Ok(None) };
                        (known, Some(standing), ends_in)
                    }
                    // Not an end: the client gets another token and comes back.
                    Outcome::Refuse(Event::Expired) => {
                        self.error(id, ErrorCode::TOKEN_EXPIRED);
                        return Ok(None);
                    }
                    Outcome::Refuse(event) => return Err(End::Event(event, true)),
                    // Only a request can be told to show its credential first.
                    Outcome::Await(_) => return Err(bad_request()),
                }
            }
            Stage::New { caller: None, known: None } | Stage::Connected(_) | Stage::Dead => return Err(bad_request()),
        };
        let Known { member, permit, expires_at } = known;
        let inbox = permit.inbox();
        let line = self.settings().clients.enter(member.author(None).user, &member.client, &self.entry.socket);
        self.line = Some(line);
        self.stage = Stage::Connected(Connected { member, permit });
        let endpoint = Arc::clone(self.entry.socket.endpoint());
        self.asks_at = admit::ask_again_at(self.gate.ticker, &endpoint);
        self.entry.socket.admitted(expires_at, self.asks_at);
        if standing.is_none() && endpoint.settings.door.is_asked() {
            // Its right is as old as its request, and nobody has asked since.
            self.entry.socket.ask_again();
        }
        self.connected_to(id, inbox, ends_in, &connect);
        let every = ticks(self.gate.limits.ping_interval).max(2);
        self.entry
            .socket
            .pings_at(self.gate.ticker.now().saturating_add(every / 2 + rand::random_range(0..every / 2 + 1)));
        Ok(standing)
    }

    /// Answers the connect, and makes the subscription to what is meant for this user alone.
    fn connected_to(&mut self, id: u32, inbox: Option<Permit>, ends_in: Option<Duration>, connect: &wire::Connect<'_>) {
        let ping = u32::try_from(self.gate.limits.ping_interval.as_secs()).unwrap_or(u32::MAX);
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return };
        let client: Box<str> = member.client.clone();
        // Only who hears a one-way answer has to say which one it means.
        let session = self.entry.socket.outlet().map(|outlet| outlet.key.expose()).unwrap_or_default();
        let gate = Arc::clone(&self.gate);
        let node = if session.is_empty() { "" } else { &*gate.node };
        let session = &*session;
        let entrance = inbox.and_then(|permit| self.inbox(permit));
        let Some(entrance) = entrance else {
            return self.reply(id, &Reply::Connect(ConnectResult { session, node, ..opened(&client, ping, ends_in) }));
        };
        let channel = entrance.permit.channel().clone();
        let wishes = connect.subs.get(&*channel).map_or_else(Wishes::of_server, Wishes::of_server_again);
        self.hold(entrance, &wishes, &mut |this: &mut Self, subscribed| {
            let subs = subscribed.map(|subscribed| [(&*channel, subscribed)]);
            let subs: &[_] = subs.as_ref().map_or(&[], |subs| subs);
            this.reply(id, &Reply::Connect(ConnectResult { subs, session, node, ..opened(&client, ping, ends_in) }));
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
        if let Some(proof) = &admitted.proof {
            if proof.is_for_a_channel {
                return Err(End::Event(Event::Invalid, false));
            }
            if let Err(refused) = self.gate.revoked.rests_on(&self.gate.admission, &self.entry.socket, proof) {
                return Err(End::Event(Event::of(&refused), false));
            }
            connected.member.grants = proof.grants.clone();
        }
        // What the new token does not grant any more is lost.
        self.entry.socket.ask_again();
        let expires_at = admit::expiry(self.gate.ticker, admitted.ends_in);
        self.entry.socket.expires_at.store(expires_at, Ordering::Relaxed);
        let client = connected.member.client.clone();
        let result = RefreshResult {
            client: &client,
            version: VERSION,
            expires: admitted.ends_in.is_some(),
            ttl: admitted.ends_in.map_or(0, ttl),
        };
        self.reply(id, &Reply::Refresh(result));
        Ok(())
    }
}

/// The answer to a connect, without subscriptions.
fn opened(client: &str, ping: u32, ends_in: Option<Duration>) -> ConnectResult<'_> {
    ConnectResult {
        client,
        version: VERSION,
        expires: ends_in.is_some(),
        ttl: ends_in.map_or(0, ttl),
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
