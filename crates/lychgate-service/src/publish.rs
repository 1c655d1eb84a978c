//! From a client's frame to a publication: stamped once, then handed to the broker.
//!
//! Author and time are written by the server over whatever the client claimed.
//! The whole path is synchronous, so a socket's messages keep their order without a queue.

use std::cell::RefCell;
use std::sync::Arc;

use lychgate_hub::SessionId;
use lychgate_protocol::json::{self, RawJson, StampRefusal};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::policy::Permit;
use crate::ports::broker::{Author, Broker, BrokerError, Publication, Published};
use crate::ports::clock::{Clock, UnixMicros};

/// Who gets a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every subscriber, the publisher too.
    All,
    /// Every subscriber but the publisher.
    Others,
}

/// What the server writes into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampValue {
    /// What the principal is called, as a JSON string.
    UserName,
    /// The principal's id, as a JSON string.
    UserId,
    /// Unix time in seconds with a fraction, as a JSON number.
    NowUnix,
    /// RFC 3339 time in UTC, as a JSON string.
    NowIso,
    /// A fresh UUIDv4 (RFC 9562 section 5.4), as a JSON string.
    Uuid,
}

/// A field that the server writes, over whatever the client sent under that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampField {
    /// The name at the top level of the object.
    pub key: String,
    /// What is written.
    pub value: StampValue,
}

/// Why a client's frame was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The frame is not what the endpoint takes.
    #[error(transparent)]
    NotAnObject(#[from] StampRefusal),
    /// The broker did not take it.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// Publishes what clients send. Shared by all endpoints.
pub struct Publisher {
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
}

thread_local! {
    /// Rendered payloads live here until the broker has copied them.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A scratch buffer that grew past this is given back after use.
const SCRATCH_BYTES_KEPT: usize = 256 * 1024;

impl Publisher {
    /// A publisher that stamps by `clock` and delivers through `broker`.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        Self { broker, clock }
    }

    /// Publishes one JSON object to the channel of `permit`, with `fields` written by the server.
    ///
    /// `from` is the sender's session; it is left out if `audience` says so.
    ///
    /// # Errors
    ///
    /// [`PublishError`], and then nobody received anything.
    pub fn publish_object(
        &self,
        permit: &Permit,
        text: &str,
        fields: &[StampField],
        audience: Audience,
        from: SessionId,
    ) -> Result<Published, PublishError> {
        self.stamped(permit, text, fields, |payload| {
            let exclude = match audience {
                Audience::All => None,
                Audience::Others => Some(from),
            };
            let author = Some(Author::of(permit.principal(), ""));
            Ok(self.broker.publish(permit.channel(), Publication { exclude, author, ..Publication::of(payload) })?)
        })?
    }

    /// Stamps one JSON object for whatever `then` does with it, without publishing it.
    ///
    /// # Errors
    ///
    /// [`StampRefusal`] when `text` is no JSON object; `then` was not called.
    pub fn stamped<R>(
        &self,
        permit: &Permit,
        text: &str,
        fields: &[StampField],
        then: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, StampRefusal> {
        let now = self.clock.now();
        let stamps: SmallVec<[(&str, RawJson<'_>); 8]> =
            fields.iter().map(|field| (field.key.as_str(), render(field.value, permit, now))).collect();
        SCRATCH.with_borrow_mut(|payload| {
            payload.clear();
            json::stamp(text, &stamps, payload)?;
            let done = then(payload);
            if payload.capacity() > SCRATCH_BYTES_KEPT {
                *payload = Vec::new();
            }
            Ok(done)
        })
    }
}

/// The value of a field, as JSON.
fn render(value: StampValue, permit: &Permit, now: UnixMicros) -> RawJson<'static> {
    match value {
        StampValue::UserName => RawJson::string(permit.principal().name()),
        StampValue::UserId => RawJson::string(permit.principal().id()),
        // A double holds today's microseconds exactly enough: it is off by a quarter of one at most.
        StampValue::NowUnix => RawJson::float(now.0 as f64 / 1e6),
        StampValue::NowIso => {
            let time = jiff::Timestamp::from_microsecond(i64::try_from(now.0).unwrap_or(i64::MAX)).unwrap_or_default();
            RawJson::string(&format!("{time:.6}"))
        }
        StampValue::Uuid => RawJson::string(Uuid::new_v4().as_hyphenated().encode_lower(&mut Uuid::encode_buffer())),
    }
}
