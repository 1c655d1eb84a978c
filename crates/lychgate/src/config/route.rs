//! Routes of HTTP beside the sockets: to publish, to read what was kept, to say something fixed.

use lychgate_service::target::Target;
use lychgate_service::template::Source;

use super::codec::Template;
use super::endpoint::Path;
use super::section::section;
use super::settings::check_name;
use super::shape::{Choice, Optional, Text, Words};

section! {
    /// A path that is answered by HTTP. One that publishes or reads goes by the identity, the policy and the channel of
    /// an endpoint, with a token as `Authorization: Bearer`; the path has to have the parameters that those use.
    RouteSettings = "route.NAME" {
        /// `"publish"`: a `POST` of one JSON object is published. `"history"`: a `GET` gives what was kept, newest first,
        /// `?limit=` at a time and older than `?before=`. `"fixed"`: a `GET` always gives `body`.
        kind: RouteKind = Choice::new(), RouteKind::Fixed;
        /// The path, with parameters as in `[endpoint.NAME]`.
        path: Target = Path, Target::root();
        /// The NAME of the endpoint whose rules and channel it goes by. Required unless it is fixed.
        endpoint: Option<String> = Optional(Text { what: "the NAME of an [endpoint.NAME]", check: check_name }), None;
        /// What is published, as a template with the body as `in`; without it the body as it is, with the endpoint's stamps.
        send: Option<Source> = Optional(Template), None;
        /// The answer of a fixed one.
        body: Option<Source> = Optional(Template), None;
    }
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Publishes.
    Publish,
    /// Reads what was kept.
    History,
    /// Says the same each time.
    Fixed,
}

impl Words for RouteKind {
    const ALL: &'static [(&'static str, Self)] =
        &[("publish", Self::Publish), ("history", Self::History), ("fixed", Self::Fixed)];
}
