//! What the names of templates stand for in one moment.
//!
//! Nothing is made before a template asks for it.
//!
//! **Invariant:** within one scope there is one time and one UUID, however often they are written.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::datum::Datum;
use super::inbound::Inbound;
use super::meaning::Meaning;
use crate::policy::Permit;
use crate::ports::clock::UnixMicros;
use crate::ports::messages::Reaction;
use crate::ports::rights::Parameter;
use crate::principal::Principal;

/// The values behind the names, for one publication or one answer.
#[derive(Debug)]
pub struct Scope<'a> {
    principal: &'a Principal,
    now: UnixMicros,
    parameters: &'a [(Box<str>, Parameter)],
    attributes: Option<&'a Map<String, Value>>,
    connection: Option<&'a str>,
    inbound: Option<&'a Inbound<'a>>,
    stored: Option<Stored<'a>>,
    status: Option<&'a str>,
    chunk: Option<&'a str>,
    error: Option<(&'a str, &'a str)>,
    given: &'a [(&'a str, Datum<'a>)],
    uuid: OnceCell<String>,
}

/// A message at rest.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its number.
    pub id: i64,
    /// When it was stored.
    pub at: UnixMicros,
    /// The reactions to it.
    pub reactions: &'a [Reaction],
}

impl<'a> Scope<'a> {
    /// What is known of `principal` at `now`.
    #[must_use]
    pub const fn new(principal: &'a Principal, now: UnixMicros) -> Self {
        Self {
            principal,
            now,
            parameters: &[],
            attributes: None,
            connection: None,
            inbound: None,
            stored: None,
            status: None,
            chunk: None,
            error: None,
            given: &[],
            uuid: OnceCell::new(),
        }
    }

    /// What is known of the holder of `permit` at `now`: who, what the request asked for, and what was said of that.
    #[must_use]
    pub fn of(permit: &'a Permit, now: UnixMicros) -> Self {
        let attributes = Some(permit.attributes());
        Self { parameters: permit.parameters(), attributes, ..Self::new(permit.principal(), now) }
    }

    /// With what the request asked for, by name: `channel`, `query.room`.
    #[must_use]
    pub const fn parameters(mut self, parameters: &'a [(Box<str>, Parameter)]) -> Self {
        self.parameters = parameters;
        self
    }

    /// With what was said of the resource, as `resource.NAME`.
    #[must_use]
    pub const fn resource(mut self, attributes: &'a Map<String, Value>) -> Self {
        self.attributes = Some(attributes);
        self
    }

    /// With the connection's id, as `conn.id`.
    #[must_use]
    pub const fn connection(mut self, id: &'a str) -> Self {
        self.connection = Some(id);
        self
    }

    /// With the client's frame, as `in.…`.
    #[must_use]
    pub const fn inbound(mut self, inbound: &'a Inbound<'a>) -> Self {
        self.inbound = Some(inbound);
        self
    }

    /// With the message that was stored, as `stored.…`.
    #[must_use]
    pub const fn stored(mut self, stored: Stored<'a>) -> Self {
        self.stored = Some(stored);
        self
    }

    /// With a status, as `status`.
    #[must_use]
    pub const fn status(mut self, status: &'a str) -> Self {
        self.status = Some(status);
        self
    }

    /// With a piece of a text, as `chunk`.
    #[must_use]
    pub const fn chunk(mut self, chunk: &'a str) -> Self {
        self.chunk = Some(chunk);
        self
    }

    /// With what went wrong, as `error.message` and `error.code`.
    #[must_use]
    pub const fn error(mut self, message: &'a str, code: &'a str) -> Self {
        self.error = Some((message, code));
        self
    }

    /// With names of the caller's own, such as `mentioned.id`. They go before the request's parameters.
    ///
    /// A tree can be looked into: where `answer` is one, `answer.text` is its key.
    #[must_use]
    pub const fn given(mut self, given: &'a [(&'a str, Datum<'a>)]) -> Self {
        self.given = given;
        self
    }

    /// What `name` stands for.
    pub(super) fn get(&self, name: &Meaning) -> Datum<'_> {
        match name {
            Meaning::UserId => Datum::Text(Cow::Borrowed(self.principal.id())),
            Meaning::UserName => Datum::text(Some(self.principal.name())),
            Meaning::UserSubject => Datum::text(Some(self.principal.subject())),
            Meaning::UserEmail => self.principal.email().map_or(Datum::Null, |email| Datum::text(Some(email))),
            Meaning::UserAuthenticated => Datum::Boolean(!self.principal.is_anonymous()),
            Meaning::NowIso => iso(self.now),
            Meaning::NowUnix => unix(self.now),
            Meaning::NowMs => Datum::Integer(i128::from(self.now.0 / 1_000)),
            Meaning::Uuid => Datum::text(Some(self.uuid.get_or_init(|| Uuid::new_v4().as_hyphenated().to_string()))),
            Meaning::ConnectionId => Datum::text(self.connection),
            Meaning::StoredId => self.stored.map_or(Datum::Missing, |stored| Datum::Integer(i128::from(stored.id))),
            Meaning::StoredAtIso => self.stored.map_or(Datum::Missing, |stored| iso(stored.at)),
            Meaning::StoredAtUnix => self.stored.map_or(Datum::Missing, |stored| unix(stored.at)),
            Meaning::StoredReactions => self.stored.map_or(Datum::Missing, |stored| Datum::Reactions(stored.reactions)),
            Meaning::Status => Datum::text(self.status),
            Meaning::Chunk => Datum::text(self.chunk),
            Meaning::ErrorMessage => Datum::text(self.error.map(|(message, _)| message)),
            Meaning::ErrorCode => Datum::text(self.error.map(|(_, code)| code)),
            Meaning::Inbound(keys) => {
                self.inbound.and_then(|inbound| inbound.get(keys)).map_or(Datum::Missing, Datum::Part)
            }
            Meaning::Resource(keys) => self.attribute(keys).map_or(Datum::Missing, Datum::Tree),
            Meaning::Given(name) => self.given_or_parameter(name),
        }
    }

    fn attribute(&self, keys: &[Box<str>]) -> Option<&Value> {
        let (first, rest) = keys.split_first()?;
        below(self.attributes?.get(&**first)?, rest.iter().map(|key| &**key))
    }

    fn given_or_parameter(&self, name: &str) -> Datum<'_> {
        for (given, datum) in self.given {
            match name.strip_prefix(given) {
                Some("") => return datum.clone(),
                Some(rest) if rest.starts_with('.') => {
                    if let Datum::Tree(tree) = datum {
                        return below(tree, rest.split('.').skip(1)).map_or(Datum::Missing, Datum::Tree);
                    }
                }
                _ => {}
            }
        }
        match self.parameters.iter().find(|(known, _)| **known == *name) {
            Some((_, Parameter::Integer(number))) => Datum::Integer(i128::from(*number)),
            Some((_, Parameter::Text(text))) => Datum::text(Some(text)),
            None => Datum::Missing,
        }
    }
}

fn below<'v, 'k>(tree: &'v Value, mut keys: impl Iterator<Item = &'k str>) -> Option<&'v Value> {
    keys.try_fold(tree, |tree, key| match tree {
        Value::Object(object) => object.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// RFC 3339 in UTC, with microseconds.
fn iso(at: UnixMicros) -> Datum<'static> {
    let time = jiff::Timestamp::from_microsecond(i64::try_from(at.0).unwrap_or(i64::MAX)).unwrap_or_default();
    Datum::Text(Cow::Owned(format!("{time:.6}")))
}

/// Seconds since 1970. A double holds today's microseconds exactly enough: it is off by a quarter of one at most.
fn unix(at: UnixMicros) -> Datum<'static> {
    Datum::Float(at.0 as f64 / 1e6)
}
