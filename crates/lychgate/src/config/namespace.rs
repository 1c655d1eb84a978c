//! Namespaces: what channels that clients name themselves have, and who may do what in them.

use std::time::Duration;

use lychgate_service::channels::{Asked, ChannelPattern, PatternFault, Who};

use super::entrance::{OWN, Rule};
use super::section::{Reader, Section, section};
use super::settings::check_name;
use super::shape::{Choice, Count, Flag, MIB, Optional, Report, Shape, Size, Text, Time, Words, cite, quote};
use super::tree::{Node, Value};

const HOUR: u64 = 3_600;

section! {
    /// Channels of one form, which the clients of every endpoint with `kind = "channels"` may name.
    /// A channel that no namespace has the form of does not exist. Where two could be meant, the longer beginning counts.
    NamespaceSettings = "namespace.NAME" {
        /// The form of their names, such as `news`, `chat:{room:int}` or `news:{topic}`. It has to be written.
        channel: Option<ChannelPattern> = Optional(Pattern), None;
        /// How many may be subscribed to one channel: when they are, a client that wants to is refused (error 106). Whom the
        /// server puts there, and plain sockets, count and are not refused.
        subscribers_max: Option<usize> = Optional(Count::of(1, 100_000_000)), None;
        /// The longest publication of a client; a longer one is refused (error 106). Without it, as long as its message may be.
        publication_bytes_max: Option<usize> = Optional(Size { least: 1, most: 16 * MIB }), None;
        /// Which clients may publish: `"nobody"`, `"subscribers"`, or `"permitted"`, whom the policy would let subscribe.
        publish: PublishWho = Choice::new(), PublishWho(Who::Nobody);
        /// Whether it is known who is there, and who may ask: `"off"`, `"nobody"`, `"subscribers"`, `"permitted"`.
        presence: PresenceWho = Choice::new(), PresenceWho(None);
        /// Whether subscribers are told who comes and goes: `"never"`, `"asked"` (those who ask for it) or `"always"`.
        join_leave: AskedFor = Choice::new(), AskedFor(Asked::Never);
        /// How many publications a channel keeps. Zero keeps none, and then there is nothing to recover.
        history_size: usize = Count::of(0, 100_000), 0;
        /// Whether what is kept, and where a channel stands, outlives the server. A publication is then stored in the
        /// database before anybody receives it, and acknowledged once it is. Without it, history is in memory alone.
        history_durable: bool = Flag, false;
        /// How long each is kept.
        history_ttl: Duration = Time { least: Duration::from_secs(1), most: Duration::from_secs(30 * 24 * HOUR) }, Duration::from_secs(300);
        /// How long an empty channel remembers how far it had come.
        history_meta_ttl: Duration = Time { least: Duration::from_secs(60), most: Duration::from_secs(365 * 24 * HOUR) }, Duration::from_secs(720 * HOUR);
        /// Who may read what is kept: `"nobody"`, `"subscribers"` or `"permitted"`.
        history: PublishWho = Choice::new(), PublishWho(Who::Subscribers);
        /// Whether clients that come back get what they have missed: `"never"`, `"asked"` or `"always"`.
        recovery: AskedFor = Choice::new(), AskedFor(Asked::IfAsked);
        /// What they get: `"stream"`, all of it, or `"cache"`, the newest publication alone, wherever they were and if they
        /// were nowhere. The second is for channels in which each publication says all that there is to know.
        recovery_mode: RecoveryMode = Choice::new(), RecoveryMode(false);
        /// Whether clients that ask for it (`delta: "fossil"`) are sent what differs from the publication before, where that
        /// is shorter. It needs a `history_size`, since the one before has to be known.
        deltas: bool = Flag, false;
        /// The NAME of the `[source.NAME]` of the application that is asked about each subscription that the policy allows.
        on_subscribe: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// The NAME of the `[source.NAME]` of the application that is asked about each publication of a client.
        on_publish: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// The NAME of the `[source.NAME]` of the application that is asked, some time before a subscription ends, whether it
        /// may go on. Without it, clients show their next token themselves.
        on_sub_refresh: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// The NAME of the `[source.NAME]` of the application that is told when a channel gets its first subscriber and when
        /// the last one has left (`occupied`, `empty`).
        events: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
    }
}

section! {
    /// By which rule clients subscribe to the channels of a namespace.
    NamespacePolicySettings = "namespace.NAME.policy" {
        /// `"any"`: everybody who is connected. `"owner"`, `"member"` and `"grants"` are those of an endpoint.
        /// `"token"`: who shows a token for the channel. `"none"`: nobody, but the server itself.
        /// It has to be written: nothing is open by accident. A token for the channel opens every rule but `"none"`.
        rule: Option<NamespaceRule> = Optional(Choice::new()), None;
        /// The resource's name as a template over what the channel's name holds; without it, the channel's name.
        resource: Option<String> = Optional(Text { what: "a template for a name", check: check_any }), None;
        /// Who knows: `"own"` for this server's registry, or the NAME of a `[source.NAME]`.
        source: String = Text { what: "\"own\" or the NAME of a [source.NAME]", check: check_name }, OWN.to_owned();
        /// The query, where that source is a database; as that of an endpoint, with what the channel's name holds as parameters.
        query: Option<String> = Optional(Text { what: "an SQL query", check: check_any }), None;
        /// How often a subscription's right is asked for again, where it rests on a look-up.
        ask_again: Duration = Time { least: Duration::from_secs(1), most: Duration::from_secs(24 * HOUR) }, Duration::from_secs(60);
        /// Whether anonymous visitors may subscribe, too. Only `"any"` can let them in.
        anonymous: bool = Flag, false;
    }
}

/// One namespace as configured.
#[derive(Clone)]
pub struct Namespace {
    /// Its own keys.
    pub settings: NamespaceSettings,
    /// Its `policy` table.
    pub policy: NamespacePolicySettings,
}

impl Namespace {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let settings = Section::read(reader);
        let policy = reader.below("policy", Section::read);
        Self { settings, policy }
    }
}

/// The rule of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceRule {
    /// One that endpoints have as well.
    Of(Rule),
    /// Who shows a token for the channel.
    Token,
    /// Nobody but the server.
    Nobody,
}

impl Words for NamespaceRule {
    const ALL: &'static [(&'static str, Self)] = &[
        ("any", Self::Of(Rule::Any)),
        ("owner", Self::Of(Rule::Owner)),
        ("member", Self::Of(Rule::Member)),
        ("grants", Self::Of(Rule::Grants)),
        ("token", Self::Token),
        ("none", Self::Nobody),
    ];
}

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishWho(pub Who);

impl Words for PublishWho {
    const ALL: &'static [(&'static str, Self)] =
        &[("nobody", Self(Who::Nobody)), ("subscribers", Self(Who::Subscribers)), ("permitted", Self(Who::Permitted))];
}

/// Who may see who is there, if that is known at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresenceWho(pub Option<Who>);

impl Words for PresenceWho {
    const ALL: &'static [(&'static str, Self)] = &[
        ("off", Self(None)),
        ("nobody", Self(Some(Who::Nobody))),
        ("subscribers", Self(Some(Who::Subscribers))),
        ("permitted", Self(Some(Who::Permitted))),
    ];
}

/// When clients get what they may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedFor(pub Asked);

impl Words for AskedFor {
    const ALL: &'static [(&'static str, Self)] =
        &[("never", Self(Asked::Never)), ("asked", Self(Asked::IfAsked)), ("always", Self(Asked::Always))];
}

/// Whether the newest publication alone is what a client gets that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryMode(pub bool);

impl Words for RecoveryMode {
    const ALL: &'static [(&'static str, Self)] = &[("stream", Self(false)), ("cache", Self(true))];
}

/// The form of channels' names.
struct Pattern;

impl Shape for Pattern {
    type Value = ChannelPattern;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<ChannelPattern> {
        let remedy = "Write a name such as \"news\" or \"chat:{room:int}\": visible ASCII, and parameters in braces";
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, format!("expected a form in quotes, found {}", node.value.kind()), remedy);
        };
        match ChannelPattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(PatternFault::Name) => report.wrong(node, format!("{} is no channel's name", cite(text)), remedy),
            Err(fault) => report.wrong(node, format!("{}: {fault}", cite(text)), remedy),
        }
    }

    fn show(&self, value: &ChannelPattern) -> Option<String> {
        Some(quote(&value.to_string()))
    }

    fn describe(&self) -> String {
        "a channel's name with parameters".to_owned()
    }
}

fn check_any(_: &str) -> Result<(), (String, String)> {
    Ok(())
}
