//! How an endpoint says no: for every event a close code and a reason, before or after the upgrade.

use http::StatusCode;
use lychgate_protocol::ws::{CloseCode, encode};
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
    /// The server is stopping.
    Restart,
    /// The server failed.
    Error,
}

impl Event {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 13] = [
        Self::Missing,
        Self::Invalid,
        Self::Expired,
        Self::Payload,
        Self::OverLimit,
        Self::Rate,
        Self::Slow,
        Self::NoPong,
        Self::TooBig,
        Self::BadFrame,
        Self::ExpiredLive,
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
            Self::OverLimit => "over_limit",
            Self::Rate => "rate",
            Self::Slow => "slow",
            Self::NoPong => "no_pong",
            Self::TooBig => "too_big",
            Self::BadFrame => "bad_frame",
            Self::ExpiredLive => "expired_live",
            Self::Restart => "restart",
            Self::Error => "error",
        }
    }

    /// The event that a refused token is, for the client. Logs and metrics keep the finer [`Refusal::code`].
    #[must_use]
    pub const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::Missing,
            Refusal::Expired { .. } => Self::Expired,
            Refusal::Payload(PayloadFault::ClaimMissing(_) | PayloadFault::ClaimShape(_)) => Self::Payload,
            _ => Self::Invalid,
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
            Self::OverLimit => "The user has as many connections as `limits.connections_per_user` allows.",
            Self::Rate => "The client goes on sending after its messages or pings were too many.",
            Self::Slow => {
                "The client does not read: its queue is full, or nothing moved for `limits.no_progress_timeout`."
            }
            Self::NoPong => "The client gave no sign of life within `limits.pong_timeout` of a ping.",
            Self::TooBig => "A message is larger than the endpoint takes.",
            Self::BadFrame => "A message is not what the endpoint takes, and its codec says `bad_frame = \"close\"`.",
            Self::ExpiredLive => "The token ran out while connected: between `exp` and five seconds later.",
            Self::Restart => "The server is stopping; the closes are spread over `server.drain_spread`.",
            Self::Error => "The server failed.",
        }
    }

    /// The status of the HTTP answer, where it is one.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid | Self::Expired | Self::Payload | Self::ExpiredLive => {
                StatusCode::UNAUTHORIZED
            }
            Self::OverLimit | Self::Rate => StatusCode::TOO_MANY_REQUESTS,
            Self::TooBig | Self::BadFrame => StatusCode::BAD_REQUEST,
            Self::Slow | Self::NoPong | Self::Restart => StatusCode::SERVICE_UNAVAILABLE,
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
