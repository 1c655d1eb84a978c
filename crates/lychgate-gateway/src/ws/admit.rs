//! Who somebody is and where they may go, for one connection; with a line in the log for each refusal.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lychgate_service::admission::{Admitted, Refused};
use lychgate_service::channels::Member;
use lychgate_service::conversation::Counts;
use lychgate_service::policy::{Denied, Parameters};
use lychgate_service::ports::application::Header;
use lychgate_service::ports::rights::RightsError;
use lychgate_service::target::BadParameter;
use lychgate_token::{Refusal, UnixSeconds};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::layers::request_id::RequestId;
use crate::settings::{Behaviour, CredentialSource};
use crate::ticks::{NEVER, Ticker, Ticks, ticks};
use crate::ws::attending::Attending;
use crate::ws::changes::Seen;
use crate::ws::channels::event_of;
use crate::ws::credential::Found;
use crate::ws::endpoint::Endpoint;
use crate::ws::gate::Gate;
use crate::ws::profile::Event;
use crate::ws::standing::{Extras, Standing};
use crate::ws::sweep;
use crate::ws::table::Entry;
use crate::ws::users::UserPlace;

/// What becomes of a connection.
pub enum Outcome {
    /// It enters.
    Enter {
        /// Who, and where to.
        admitted: Admitted,
        /// Its place among the connections of its user; visitors are nobody's.
        user: Option<UserPlace>,
        /// The changes of the registry that its answer knows of.
        seen: Seen,
    },
    /// It is refused.
    Refuse(Event),
    /// It shows its credential in its first message.
    Await(Box<Caller>),
}

/// Somebody at the gate, as far as the request tells.
pub struct Caller {
    /// Where they come from.
    pub address: IpAddr,
    /// What they ask for.
    pub parameters: Result<Parameters, BadParameter>,
    /// Headers of the request, as far as the application is to know them.
    pub headers: Box<[Header]>,
}

/// Decides by what the request holds.
pub async fn decide(
    gate: &Gate,
    endpoint: &Endpoint,
    found: Result<Option<Found>, Refusal>,
    caller: Caller,
) -> Outcome {
    let settings = &endpoint.settings;
    if matches!(settings.behaviour, Behaviour::Gone) {
        return refuse(endpoint, caller.address, "gone", &"the endpoint is no longer here", Event::Gone);
    }
    if matches!(settings.behaviour, Behaviour::Channels(_)) && matches!(found, Ok(None)) {
        return Outcome::Await(Box::new(caller));
    }
    let may_speak_first = settings.credentials.iter().any(|source| matches!(source, CredentialSource::Message(_)));
    if may_speak_first && matches!(found, Ok(None)) && settings.door.identity.anonymous.is_none() {
        return Outcome::Await(Box::new(caller));
    }
    admit(gate, endpoint, found, caller).await
}

/// Identity, policy and the user's connections, in this order.
pub async fn admit(gate: &Gate, endpoint: &Endpoint, found: Result<Option<Found>, Refusal>, caller: Caller) -> Outcome {
    let Caller { address, parameters, .. } = caller;
    let seen = gate.changes.seen();
    let admitted = match found {
        Ok(found) => {
            if let Some(found) = &found {
                endpoint.metrics.credential(found.kind);
            }
            let credential = found.as_ref().map(|found| &found.credential);
            let admission = gate.admission.admit(credential, &endpoint.settings.door, parameters);
            timeout(gate.limits.handshake_timeout, admission).await.unwrap_or_else(|_| Err(too_late()))
        }
        Err(refusal) => Err(refusal.into()),
    };
    placed(gate, endpoint, admitted, address, seen)
}

/// The same for whom the application names, in the fields of its answer.
pub async fn admit_named(gate: &Gate, endpoint: &Endpoint, answer: &Map<String, Value>, caller: Caller) -> Outcome {
    let Caller { address, parameters, .. } = caller;
    let seen = gate.changes.seen();
    endpoint.metrics.credential("application");
    let admission = gate.admission.admit_named(answer, &endpoint.settings.door, parameters);
    let admitted = timeout(gate.limits.handshake_timeout, admission).await.unwrap_or_else(|_| Err(too_late()));
    placed(gate, endpoint, admitted, address, seen)
}

/// Gives somebody who is let in a place among the connections of their user, or says why they are not.
fn placed(
    gate: &Gate,
    endpoint: &Endpoint,
    admitted: Result<Admitted, Refused>,
    address: IpAddr,
    seen: Seen,
) -> Outcome {
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            let event = match &endpoint.settings.behaviour {
                Behaviour::Channels(_) => event_of(&refused),
                _ => Event::of(&refused),
            };
            return refuse(endpoint, address, refused.code(), &refused, event);
        }
    };
    let principal = admitted.permit.principal();
    if principal.is_anonymous() {
        // Visitors are many people under one name. What one of them may cost is limited by address.
        return Outcome::Enter { admitted, user: None, seen };
    }
    match gate.users.take_place(principal.id()) {
        Some(user) => Outcome::Enter { admitted, user: Some(user), seen },
        None => {
            let why = "the user has as many connections as limits.connections_per_user allows";
            refuse(endpoint, address, "connections_per_user", &why, Event::OverLimit)
        }
    }
}

/// Refuses somebody who shows no credential and whom nobody names; gives the event that it is.
pub fn refuse_nobody(endpoint: &Endpoint, address: IpAddr) -> Event {
    let refusal = Refusal::Missing;
    match refuse(endpoint, address, refusal.code(), &refusal, Event::Missing) {
        Outcome::Refuse(event) => event,
        _ => Event::Missing,
    }
}

/// Nobody has answered in time.
pub fn too_late() -> Refused {
    unanswered().into()
}

/// Nobody has said in time who may go where.
pub fn unanswered() -> Denied {
    Denied::Unknown(RightsError::Unavailable("limits.handshake_timeout has passed".into()))
}

fn refuse(
    endpoint: &Endpoint,
    address: IpAddr,
    reason: &'static str,
    why: &dyn std::fmt::Display,
    event: Event,
) -> Outcome {
    endpoint.metrics.refused(reason);
    let (endpoint, request_id) = (&endpoint.settings.name, RequestId::fresh());
    if matches!(event, Event::Error | Event::Lookup) {
        tracing::error!(endpoint, %address, %request_id, reason, "refused: {why}");
    } else {
        tracing::info!(endpoint, %address, %request_id, reason, "refused: {why}");
    }
    Outcome::Refuse(event)
}

/// Gives an admitted connection its standing; it is in no channel yet. `None` if it has to go and is closing.
pub fn stand(
    gate: &Arc<Gate>,
    endpoint: &Arc<Endpoint>,
    entry: &Entry,
    admitted: Admitted,
    user: Option<UserPlace>,
    seen: Seen,
) -> Option<Standing> {
    let permit = admitted.permit;
    let seats = endpoint.seats.as_ref().filter(|_| !permit.principal().is_anonymous());
    let seat = match seats.map(|seats| seats.take(&permit, entry)) {
        None => None,
        Some(Some((seat, leaving))) => {
            if let Some(leaving) = leaving {
                sweep::close(&gate.drain, &leaving, Event::OverLimit);
            }
            Some(seat)
        }
        Some(None) => {
            endpoint.metrics.refused("seats");
            sweep::close(&gate.drain, entry, Event::OverLimit);
            return None;
        }
    };
    let now = gate.ticker.now();
    let pings_at = ping_every(endpoint).map_or(NEVER, |every| now.saturating_add(every));
    entry.socket.pings_at(pings_at);
    entry.socket.admitted(expiry(gate.ticker, admitted.ends_in), ask_again_at(gate.ticker, endpoint));
    if let Some(proof) = &admitted.proof
        && let Err(refused) = gate.revoked.rests_on(&gate.admission, &entry.socket, proof)
    {
        endpoint.metrics.refused(refused.code());
        sweep::close(&gate.drain, entry, Event::of(&refused));
        return None;
    }
    if endpoint.settings.door.policy.is_asked_of_registry() {
        entry.socket.rests_on(&permit);
        if gate.changes.happened_since(seen) {
            entry.socket.ask_again();
        }
    }
    endpoint.metrics.connects.inc();
    endpoint.metrics.connections.inc();
    tracing::debug!(endpoint = endpoint.settings.name, user = permit.principal().subject(), "connected");
    let name = match &endpoint.settings.behaviour {
        Behaviour::Converse(converse) if !converse.conversation.codec().is_plain() => {
            format!("{}-{:x}", gate.node, entry.session.id().0).into()
        }
        _ => Box::default(),
    };
    let attending = match &endpoint.settings.behaviour {
        // A client of channels has come once its session is open.
        Behaviour::Channels(_) | Behaviour::Gone => None,
        Behaviour::Echo => Attending::begin(&entry.socket, permit.principal(), None, Member::fresh_client),
        Behaviour::Converse(_) => {
            Attending::begin(&entry.socket, permit.principal(), Some(permit.channel()), Member::fresh_client)
        }
    };
    Some(Standing {
        permit,
        name,
        subscription: None,
        extras: attending.map(|attending| Box::new(Extras { attending: Some(attending), ..Extras::default() })),
        counts: Counts::default(),
        _user: user,
        _seat: seat,
    })
}

/// When a socket has to end whose credential is good for so long.
pub fn expiry(ticker: Ticker, ends_in: Option<Duration>) -> Ticks {
    // One more, since `now` is rounded down: a token is good until its last moment.
    ends_in.map_or(NEVER, |left| ticker.now().saturating_add(ticks(left)).saturating_add(1))
}

/// The same for an end that is known in seconds since 1970, which come from the same clock as `now_s`.
pub fn expiry_at(ticker: Ticker, ends_at: UnixSeconds, now_s: UnixSeconds) -> Ticks {
    expiry(ticker, Some(Duration::from_secs(ends_at.saturating_sub(now_s))))
}

/// When the right is asked for again, spread so that connections that came together do not ask together.
pub fn ask_again_at(ticker: Ticker, endpoint: &Endpoint) -> Ticks {
    match endpoint.settings.ask_again_every {
        Some(every) if endpoint.settings.door.is_asked() => {
            let whole = ticks(every).max(2);
            ticker.now().saturating_add(whole / 2 + rand::random_range(0..whole / 2 + 1))
        }
        _ => NEVER,
    }
}

/// How often connections are sent the codec's own ping, in ticks.
pub fn ping_every(endpoint: &Endpoint) -> Option<Ticks> {
    match &endpoint.settings.behaviour {
        Behaviour::Converse(converse) => converse.conversation.codec().ping().map(|(every, _)| ticks(every).max(1)),
        Behaviour::Channels(_) | Behaviour::Echo | Behaviour::Gone => None,
    }
}
