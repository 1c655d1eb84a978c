//! Who connects: by the credential of the request or of the first command, or by the word of the application.
//!
//! **Invariant:** the application is asked only where no credential was shown; a bad one is never treated as none.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lychgate_protocol::centrifuge as wire;
use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{ErrorReply, Reply};
use lychgate_protocol::ws::CloseCode;
use lychgate_service::admission::{Admitted, Credential};
use lychgate_service::channels::{Answered, BadOption, Bearing, Callback, Member, Newcomer};
use lychgate_service::policy::Permit;
use lychgate_service::ports::application::Header;
use lychgate_token::{Token, UnixSeconds};
use serde_json::{Map, Value};

use super::ask::Refused;
use super::client::{Client, Known, Stage};
use super::turn::{End, bad_request};
use crate::settings::Behaviour;
use crate::ticks::{Ticker, Ticks};
use crate::ws::admit::{self, Caller, Outcome};
use crate::ws::changes::Seen;
use crate::ws::credential::Found;
use crate::ws::profile::Event;
use crate::ws::users::UserPlace;

/// Who says who somebody is that shows no credential.
#[derive(Clone)]
pub struct OnConnect {
    /// Who is asked.
    pub callback: Callback,
    /// The headers of the client's request that go along, in lower case.
    pub headers: Vec<HeaderName>,
    /// Those that may stand in its first command instead, where the request has none.
    pub emulated_headers: Vec<HeaderName>,
}

impl OnConnect {
    /// That of an endpoint, if it has one.
    #[must_use]
    pub fn of(behaviour: &Behaviour) -> Option<&Self> {
        match behaviour {
            Behaviour::Channels(settings) => settings.on_connect.as_ref(),
            Behaviour::Converse(_) | Behaviour::Echo | Behaviour::Gone => None,
        }
    }

    /// The headers of a request that go along.
    #[must_use]
    pub fn taken_from(&self, request: &HeaderMap) -> Box<[Header]> {
        let values = self.headers.iter().flat_map(|name| request.get_all(name).iter().map(move |value| (name, value)));
        values.map(|(name, value)| Header { name: name.as_str().into(), value: value.as_bytes().into() }).collect()
    }

    /// Whether a cookie of `request` would go along although nobody knows which page sends it.
    #[must_use]
    pub fn takes_cookie_of_nobody(&self, request: &HeaderMap) -> bool {
        self.headers.contains(&header::COOKIE)
            && request.contains_key(header::COOKIE)
            && !request.contains_key(header::ORIGIN)
    }

    /// Those of the request, and those of the first command that the request does not have.
    fn with_emulated(&self, request: &[Header], connect: &wire::Connect<'_>) -> Result<Vec<Header>, End> {
        let mut all = request.to_vec();
        for (name, value) in &connect.headers {
            let Ok(name) = HeaderName::try_from(&**name) else { continue };
            let is_wanted = self.emulated_headers.contains(&name);
            if !is_wanted || request.iter().any(|header| *header.name == *name.as_str()) {
                continue;
            }
            HeaderValue::from_str(value).map_err(|_| bad_request())?;
            all.push(Header { name: name.as_str().into(), value: value.as_bytes().into() });
        }
        Ok(all)
    }
}

/// Somebody who is let in, before the session is open.
pub(super) struct Arrival {
    /// Who.
    pub(super) known: Known,
    /// Who enters only now; `None` for one whom the request has let in.
    pub(super) enters: Option<Enters>,
}

/// What is still to be done for somebody who enters with the first command.
pub(super) struct Enters {
    pub(super) admitted: Admitted,
    pub(super) user: Option<UserPlace>,
    pub(super) seen: Seen,
}

impl Known {
    /// Somebody whom the door has let in.
    pub(in crate::ws) fn of(admitted: &Admitted, ticker: Ticker) -> Self {
        Self {
            client: Member::fresh_client(),
            permit: admitted.permit.clone(),
            expires_at: admit::expiry(ticker, admitted.ends_in),
            proof: admitted.proof.clone(),
        }
    }

    /// It as channels see it, and what was said of its connection.
    pub(super) fn opens(self, ticker: Ticker, now_s: UnixSeconds) -> Result<Opens, NotOpened> {
        let Self { client, permit, expires_at, proof } = self;
        let bearing = match &proof {
            Some(proof) if proof.is_for_a_channel => return Err(NotOpened::ForAChannel),
            Some(proof) => proof.bearing()?,
            None => Bearing::default(),
        };
        let expires_at = match bearing.ends_at {
            Some(at) if at <= now_s => return Err(NotOpened::Over),
            Some(at) => expires_at.min(admit::expiry_at(ticker, at, now_s)),
            None => expires_at,
        };
        let member = Member {
            principal: permit.principal().clone(),
            grants: proof.as_ref().map(|proof| proof.grants.clone()).unwrap_or_default(),
            client,
            info: bearing.info.clone(),
            meta: bearing.meta.clone(),
        };
        let by_application = proof.is_some_and(|proof| proof.is_of_application);
        Ok(Opens { member, permit, expires_at, bearing, by_application })
    }
}

/// A session that can be opened.
pub(super) struct Opens {
    pub(super) member: Member,
    pub(super) permit: Permit,
    /// When it ends.
    pub(super) expires_at: Ticks,
    /// What was said of it.
    pub(super) bearing: Bearing,
    /// Whether the application has said it itself.
    pub(super) by_application: bool,
}

/// Why no session is opened for a good credential.
pub(super) enum NotOpened {
    /// It speaks of one channel.
    ForAChannel,
    /// The connection would be over.
    Over,
    /// Something in it cannot be read.
    Option(BadOption),
}

impl From<BadOption> for NotOpened {
    fn from(fault: BadOption) -> Self {
        Self::Option(fault)
    }
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForAChannel => f.write_str("a token for one channel says nothing of who connects"),
            Self::Over => f.write_str("the connection that it is for is over"),
            Self::Option(fault) => fault.fmt(f),
        }
    }
}

impl NotOpened {
    /// Its name in logs and metrics.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::ForAChannel => "channel_token",
            Self::Over => "expired",
            Self::Option(_) => "payload_claim_shape",
        }
    }
}

impl Client {
    /// Finds out who connects; `None` if that was answered with an error, and nothing more is heard of the client.
    pub(super) async fn arrives(&mut self, id: u32, connect: &wire::Connect<'_>) -> Result<Option<Arrival>, End> {
        let has_token = !connect.token.is_empty();
        let caller = match std::mem::replace(&mut self.stage, Stage::Dead) {
            // Two credentials at once could be two people.
            Stage::New { known: Some(_), .. } if has_token => return Err(End::Event(Event::Invalid, false)),
            Stage::New { known: Some(known), .. } => {
                return Ok(Some(Arrival { known: *known, enters: None }));
            }
            Stage::New { caller: Some(caller), .. } => *caller,
            Stage::New { caller: None, known: None } | Stage::Connected(_) | Stage::Dead => return Err(bad_request()),
        };
        let endpoint = Arc::clone(self.entry.socket.endpoint());
        let asked = self.settings().on_connect.clone().filter(|_| !has_token);
        let (outcome, client) = match asked {
            None => {
                let credential = Credential::Token(Token::from(connect.token.as_ref()));
                let found = has_token.then_some(Found { credential, kind: "message" });
                (admit::admit(&self.gate, &endpoint, Ok(found), caller).await, None)
            }
            Some(on_connect) => {
                let client = Member::fresh_client();
                let Some(answer) = self.named(id, &on_connect, connect, &caller, &client).await? else {
                    return Ok(None);
                };
                (admit::admit_named(&self.gate, &endpoint, &answer, caller).await, Some(client))
            }
        };
        match outcome {
            Outcome::Enter { admitted, user, seen } => {
                let mut known = Known::of(&admitted, self.gate.ticker);
                if let Some(client) = client {
                    known.client = client;
                }
                Ok(Some(Arrival { known, enters: Some(Enters { admitted, user, seen }) }))
            }
            // Not an end: the client gets another token and comes back.
            Outcome::Refuse(Event::Expired) => {
                self.error(id, ErrorCode::TOKEN_EXPIRED);
                Ok(None)
            }
            Outcome::Refuse(event) => Err(End::Event(event, true)),
            // Only a request can be told to show its credential first.
            Outcome::Await(_) => Err(bad_request()),
        }
    }

    /// Asks the application who connects: the fields of its answer; `None` if the client was answered with an error.
    async fn named(
        &mut self,
        id: u32,
        on_connect: &OnConnect,
        connect: &wire::Connect<'_>,
        caller: &Caller,
        client: &str,
    ) -> Result<Option<Map<String, Value>>, End> {
        let Ok(data) = connect.data.checked() else { return Err(bad_request()) };
        let headers = on_connect.with_emulated(&caller.headers, connect)?;
        let channels: Vec<&str> = connect.subs.keys().map(|channel| &**channel).collect();
        let newcomer = Newcomer {
            client,
            name: &connect.name,
            version: &connect.version,
            data: data.as_json().unwrap_or("null"),
            channels: &channels,
            headers: &headers,
        };
        let refused = match on_connect.callback.who_connects(&newcomer, self.way()).await {
            Answered::Result(answer) => return Ok(Some(answer)),
            Answered::Nothing => {
                let event = admit::refuse_nobody(self.entry.socket.endpoint(), caller.address);
                return Err(End::Event(event, true));
            }
            Answered::Disconnect { code, reason } => return Err(End::Said(CloseCode(code), reason.into())),
            Answered::Error { code, message, is_temporary } => {
                let code = ErrorCode(code);
                self.reply(id, &Reply::Error(ErrorReply { code, message: &message, temporary: is_temporary }));
                return Ok(None);
            }
            Answered::Failed => Refused::of(ErrorCode::INTERNAL),
        };
        self.reply(id, &Reply::Error(refused.reply()));
        Ok(None)
    }
}
