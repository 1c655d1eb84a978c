//! Who may enter an endpoint: how it knows people, and by which rule they come in.

use std::time::Duration;

use lychgate_service::identity::WhenUnavailable;
use lychgate_service::ports::directory::SubjectKind;
use lychgate_service::target::Kind;

use super::section::section;
use super::settings::check_name;
use super::shape::{Choice, Flag, Optional, Text, Time, Words};

/// What stands for this server's own accounts, or its own registry, where a source is named.
pub const OWN: &str = "own";

section! {
    /// How an endpoint knows people. Without a look-up the token's word is enough.
    IdentitySettings = "endpoint.NAME.identity" {
        /// What `sub` names: the user's name, the user's id, or the id and in older tokens the e-mail address.
        subject: SubjectNames = Choice::new(), SubjectNames(SubjectKind::Name);
        /// What `sub` has to look like: `"any"` text, a whole number (`"int"`), or a `"name"` of letters, digits, `_` and `-`.
        /// Another one is refused (`subject`) before anybody is looked up.
        subject_kind: SubjectIs = Choice::new(), SubjectIs(None);
        /// Whether the user is looked up at each connection, and refused (`user`) when there is none.
        must_exist: bool = Flag, false;
        /// Whether a user who is disabled is refused (`inactive`). It looks the user up as well.
        must_be_active: bool = Flag, false;
        /// Where users are looked up: `"own"` for this server's accounts, or the NAME of a `[source.NAME]`.
        lookup: String = Text { what: "\"own\" or the NAME of a [source.NAME]", check: check_name }, OWN.to_owned();
        /// The query, where that source is a database: a row for the user `:user`, with the columns
        /// `id`, `name`, `email` and `active`, of which only those that are there count.
        query: Option<String> = Optional(Text { what: "an SQL query", check: check_any }), None;
        /// What becomes of a good token when users cannot be looked up: `"refuse"`, or `"trust-token"`, with a warning in the log.
        when_unavailable: WhenAway = Choice::new(), WhenAway(WhenUnavailable::Refuse);
        /// The name of the visitor without a token, if there may be one. With `path_user`, the path has to be theirs.
        anonymous: Option<String> = Optional(Text { what: "a name", check: check_name }), None;
        /// The parameter of `path` that has to be the user's id, byte for byte (`mismatch`).
        path_user: Option<String> = Optional(Text { what: "a parameter of the path", check: check_name }), None;
    }
}

section! {
    /// By which rule people enter an endpoint's channel.
    PolicySettings = "endpoint.NAME.policy" {
        /// `"any"`: everybody whom the identity lets pass. `"owner"` and `"member"`: whoever `source` says stands so
        /// to `resource`. `"grants"`: whose token has the channel in its `caps`.
        rule: Rule = Choice::new(), Rule::Any;
        /// The resource's name as a template over the path's parameters; without it, the channel's name.
        resource: Option<String> = Optional(Text { what: "a template for a name", check: check_any }), None;
        /// Who knows: `"own"` for this server's registry, or the NAME of a `[source.NAME]`.
        source: String = Text { what: "\"own\" or the NAME of a [source.NAME]", check: check_name }, OWN.to_owned();
        /// The query, where that source is a database. For `"member"` a row means yes. For `"owner"` the first column is
        /// the owner's id, and no row means that there is no such thing. Parameters are `:user`, `:resource` and the path's.
        query: Option<String> = Optional(Text { what: "an SQL query", check: check_any }), None;
        /// Whether what belongs to somebody else looks like what does not exist.
        hide_foreign: bool = Flag, false;
        /// How often an open socket's right is asked for again, where it rests on a look-up.
        ask_again: Duration = Time { least: Duration::from_secs(1), most: Duration::from_secs(86_400) }, Duration::from_secs(60);
    }
}

/// The rule of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everybody who is known.
    Any,
    /// The owner of the resource.
    Owner,
    /// Its members.
    Member,
    /// Whose token says so.
    Grants,
}

impl Words for Rule {
    const ALL: &'static [(&'static str, Self)] =
        &[("any", Self::Any), ("owner", Self::Owner), ("member", Self::Member), ("grants", Self::Grants)];
}

/// What `sub` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectNames(pub SubjectKind);

impl Words for SubjectNames {
    const ALL: &'static [(&'static str, Self)] = &[
        ("name", Self(SubjectKind::Name)),
        ("id", Self(SubjectKind::Id)),
        ("id-or-email", Self(SubjectKind::IdOrEmail)),
    ];
}

/// What `sub` has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectIs(pub Option<Kind>);

impl Words for SubjectIs {
    const ALL: &'static [(&'static str, Self)] =
        &[("any", Self(None)), ("int", Self(Some(Kind::Int))), ("name", Self(Some(Kind::Name)))];
}

/// What happens when nobody can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhenAway(pub WhenUnavailable);

impl Words for WhenAway {
    const ALL: &'static [(&'static str, Self)] =
        &[("refuse", Self(WhenUnavailable::Refuse)), ("trust-token", Self(WhenUnavailable::TrustToken))];
}

fn check_any(_: &str) -> Result<(), (String, String)> {
    Ok(())
}
