//! How an endpoint says no: for every event a close code and a reason, before or after the upgrade.

use http::StatusCode;
use lychgate_protocol::ws::{CloseCode, encode};
use lychgate_service::admission::Refused;
use lychgate_service::identity::Unidentified;
use lychgate_service::policy::Denied;
use lychgate_service::revocations::NotAdmissible;
use lychgate_token::{PayloadFault, Refusal};

use crate::error::HttpError;

/// Everything that ends a connection or keeps one from beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// There is no token in any of the endpoint's places.
    Missing,
    /// The token is malformed, forged, unknown, not yet valid, or meant for somebody else.
    Invalid,
    /// The token was good and is over.
    Expired,
    /// The token is genuine, but its claims do not say who this is.
    Payload,
    /// The token's subject is nothing that could be somebody's id.
    Subject,
    /// The token's user does not exist.
    User,
    /// The token's user is disabled.
    Inactive,
    /// The token, its session or its user is revoked.
    Revoked,
    /// The token's user is not the one whom the path names.
    Mismatch,
    /// There is no token, and the path is not open to visitors.
    Required,
    /// What the path names does not exist.
    NotFound,
    /// What the path names belongs to somebody else.
    NotOwner,
    /// The user may not enter this channel.
    Forbidden,
    /// The endpoint is no longer here.
    Gone,
    /// Too many connections of this user.
    OverLimit,
    /// Too many messages.
    Rate,
    /// The peer does not read what it asked for.
    Slow,
    /// The peer gave no sign of life.
    NoPong,
    /// A message larger than the endpoint takes.
    TooBig,
    /// A frame that the endpoint does not take, where it closes for that.
    BadFrame,
    /// The token ran out while connected.
    ExpiredLive,
    /// The stream that it watched came to its end.
    Completed,
    /// The source of the stream that it watched failed.
    Upstream,
    /// Whether the user exists or may enter could not be found out.
    Lookup,
    /// The server is stopping.
    Restart,
    /// The server failed.
    Error,
}

impl Event {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 26] = [
        Self::Missing,
        Self::Invalid,
        Self::Expired,
        Self::Payload,
        Self::Subject,
        Self::User,
        Self::Inactive,
        Self::Revoked,
        Self::Mismatch,
        Self::Required,
        Self::NotFound,
        Self::NotOwner,
        Self::Forbidden,
        Self::Gone,
        Self::OverLimit,
        Self::Rate,
        Self::Slow,
        Self::NoPong,
        Self::TooBig,
        Self::BadFrame,
        Self::ExpiredLive,
        Self::Completed,
        Self::Upstream,
        Self::Lookup,
        Self::Restart,
        Self::Error,
    ];

    /// Its name in the configuration, in logs and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Payload => "payload",
            Self::Subject => "subject",
            Self::User => "user",
            Self::Inactive => "inactive",
            Self::Revoked => "revoked",
            Self::Mismatch => "mismatch",
            Self::Required => "required",
            Self::NotFound => "not_found",
            Self::NotOwner => "not_owner",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::OverLimit => "over_limit",
            Self::Rate => "rate",
            Self::Slow => "slow",
            Self::NoPong => "no_pong",
            Self::TooBig => "too_big",
            Self::BadFrame => "bad_frame",
            Self::ExpiredLive => "expired_live",
            Self::Completed => "completed",
            Self::Upstream => "upstream",
            Self::Lookup => "lookup",
            Self::Restart => "restart",
            Self::Error => "error",
        }
    }

    /// The event that a refusal is, for the client. Logs and metrics keep the finer [`Refused::code`].
    #[must_use]
    pub const fn of(refused: &Refused) -> Self {
        match refused {
            Refused::Credential(Refusal::Missing) => Self::Missing,
            Refused::Credential(Refusal::Expired { .. }) => Self::Expired,
            Refused::Credential(Refusal::Payload(PayloadFault::ClaimMissing(_) | PayloadFault::ClaimShape(_))) => {
                Self::Payload
            }
            Refused::Credential(_) => Self::Invalid,
            Refused::Unidentified(Unidentified::Required) => Self::Required,
            Refused::Unidentified(Unidentified::NoId) => Self::Subject,
            Refused::Unidentified(Unidentified::NoUser) => Self::User,
            Refused::Unidentified(Unidentified::Inactive) => Self::Inactive,
            Refused::Unidentified(Unidentified::Mismatch) => Self::Mismatch,
            Refused::Denied(Denied::NotFound) => Self::NotFound,
            Refused::Denied(Denied::NotOwner) => Self::NotOwner,
            Refused::Denied(Denied::Forbidden) => Self::Forbidden,
            Refused::NotAdmissible(NotAdmissible::Revoked) => Self::Revoked,
            Refused::NotAdmissible(NotAdmissible::Stale)
            | Refused::Unidentified(Unidentified::Unknown(_))
            | Refused::Denied(Denied::Unknown(_))
            | Refused::Tickets(_) => Self::Lookup,
        }
    }

    /// When it happens, for the reference page.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Missing => "There is no token in any of the endpoint's places.",
            Self::Invalid => {
                "The token is malformed, forged, of an unknown key, not yet valid, or meant for somebody else."
            }
            Self::Expired => "The token was good and is over.",
            Self::Payload => "The token is genuine, but its claims do not say who this is.",
            Self::Subject => {
                "The token's `sub` is not of the endpoint's `identity.subject_kind`. Without an entry it is told as \
                 `payload`."
            }
            Self::User => "The token's user does not exist.",
            Self::Inactive => "The token's user is disabled.",
            Self::Revoked => {
                "The token, its session or its user is revoked, also while connected. Without an entry it is told as \
                 `invalid`."
            }
            Self::Mismatch => "The token's user is not the one whom the path names.",
            Self::Required => "There is no token, and the path is not open to visitors.",
            Self::NotFound => "What the path names does not exist, or is not to be told from what does not.",
            Self::NotOwner => "What the path names belongs to somebody else.",
            Self::Forbidden => "The user may not enter this channel, or no longer.",
            Self::Gone => "The endpoint is no longer here; its profile's reason says where to go.",
            Self::OverLimit => {
                "The user has as many connections as `limits.connections_per_user` or the endpoint allows, \
                 or a newer one has taken this one's place."
            }
            Self::Rate => "The client goes on sending after its messages or pings were too many.",
            Self::Slow => {
                "The client does not read: its queue is full, or nothing moved for `limits.no_progress_timeout`."
            }
            Self::NoPong => "The client gave no sign of life within `limits.pong_timeout` of a ping.",
            Self::TooBig => "A message is larger than the endpoint takes.",
            Self::BadFrame => "A message is not what the endpoint takes, and its codec says `bad_frame = \"close\"`.",
            Self::ExpiredLive => "The token ran out while connected: between `exp` and five seconds later.",
            Self::Completed => "The stream came to its end.",
            Self::Upstream => "The source of the stream failed, or sent more or took longer than allowed.",
            Self::Lookup => {
                "Whether the user exists or may enter, or what is revoked, could not be found out. Without an entry it is told as `error`."
            }
            Self::Restart => "The server is stopping; the closes are spread over `server.drain_spread`.",
            Self::Error => "The server failed.",
        }
    }

    /// Whether it can keep a connection from beginning, so that it may be an HTTP answer.
    #[must_use]
    pub const fn is_at_the_door(self) -> bool {
        !matches!(
            self,
            Self::Rate
                | Self::Slow
                | Self::NoPong
                | Self::TooBig
                | Self::BadFrame
                | Self::ExpiredLive
                | Self::Completed
                | Self::Upstream
                | Self::Restart
        )
    }

    /// The status of the HTTP answer, where it is one.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Missing
            | Self::Invalid
            | Self::Expired
            | Self::Payload
            | Self::Subject
            | Self::User
            | Self::Revoked
            | Self::Required
            | Self::ExpiredLive => StatusCode::UNAUTHORIZED,
            Self::Inactive | Self::Mismatch | Self::NotOwner | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::OverLimit | Self::Rate => StatusCode::TOO_MANY_REQUESTS,
            Self::TooBig | Self::BadFrame => StatusCode::BAD_REQUEST,
            Self::Slow | Self::NoPong | Self::Lookup | Self::Restart => StatusCode::SERVICE_UNAVAILABLE,
            Self::Completed => StatusCode::GONE,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Error => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// When a refusal happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseBy {
    /// Accept, then close: a browser can read code and reason.
    Close,
    /// Answer the request with 401 or its like: proxies and command lines can read that, browsers see 1006.
    Http,
}

/// The codes and reasons of one endpoint.
#[derive(Clone, Debug)]
pub struct Profile {
    /// When it refuses.
    pub refuse_by: RefuseBy,
    closes: [(CloseCode, Box<str>); Event::ALL.len()],
}

impl Profile {
    /// A profile from a function that knows code and reason of each event.
    #[must_use]
    pub fn new(refuse_by: RefuseBy, close: impl Fn(Event) -> (CloseCode, String)) -> Self {
        let closes = Event::ALL.map(|event| {
            let (code, reason) = close(event);
            (code, reason.into_boxed_str())
        });
        Self { refuse_by, closes }
    }

    /// Code and reason of `event`.
    #[must_use]
    pub fn close(&self, event: Event) -> (CloseCode, &str) {
        let (code, reason) = &self.closes[event as usize];
        (*code, reason)
    }

    /// The whole close frame of `event`.
    #[must_use]
    pub fn close_frame(&self, event: Event) -> Vec<u8> {
        let (code, reason) = self.close(event);
        let mut frame = Vec::with_capacity(4 + reason.len());
        encode::close(code, reason, &mut frame);
        frame
    }

    /// The HTTP answer of `event`.
    #[must_use]
    pub fn http_error(&self, event: Event) -> HttpError {
        let (_, reason) = self.close(event);
        let detail = if reason.is_empty() { event.name() } else { reason };
        match event.status() {
            StatusCode::UNAUTHORIZED => HttpError::unauthorized(event.name(), detail),
            status => HttpError::new(status, event.name(), detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_finds_its_own_entry() {
        let profile = Profile::new(RefuseBy::Close, |event| (CloseCode(4000 + event as u16), event.name().to_owned()));
        for event in Event::ALL {
            assert_eq!(profile.close(event), (CloseCode(4000 + event as u16), event.name()));
        }
    }
}
