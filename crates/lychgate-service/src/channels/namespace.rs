//! Namespaces: what channels of one form have, and who may do what in them.

use std::sync::Arc;
use std::time::Duration;

use lychgate_protocol::channel::ChannelName;

use super::callback::Callback;
use super::pattern::ChannelPattern;
use crate::policy::{Parameters, Policy};
use crate::ports::broker::{Retains, Retention};

/// Who may do something in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// No client.
    Nobody,
    /// Who is subscribed.
    Subscribers,
    /// Whom the policy would let subscribe, subscribed or not.
    Permitted,
}

impl Who {
    /// Whether somebody may who is subscribed. Then nobody has to be asked.
    #[must_use]
    pub const fn admits_subscribers(self) -> bool {
        matches!(self, Self::Subscribers | Self::Permitted)
    }
}

/// When clients get something that they may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Never.
    Never,
    /// If they ask for it.
    IfAsked,
    /// Always.
    Always,
}

impl Asked {
    /// Whether somebody gets it who asks for it or does not.
    #[must_use]
    pub const fn grants(self, asked: bool) -> bool {
        matches!((self, asked), (Self::Always, _) | (Self::IfAsked, true))
    }
}

/// What the channels of one form have in common.
#[derive(Clone)]
pub struct Namespace {
    /// Its name in the configuration and in logs.
    pub name: Box<str>,
    /// The form of their names.
    pub pattern: ChannelPattern,
    /// Who may subscribe.
    pub policy: Policy,
    /// Whether visitors for whom nobody vouches may, too.
    pub anonymous: bool,
    /// How often a right that rests on a look-up is asked for again; never, if none.
    pub ask_again_every: Option<Duration>,
    /// How many may be subscribed to one channel before clients are refused; any number, if none.
    pub subscribers_max: Option<usize>,
    /// Which clients may publish.
    pub publish: Who,
    /// The longest publication of a client, in bytes; as long as its message may be, if none.
    pub publication_bytes_max: Option<usize>,
    /// Who may see who is there; `None` where nobody keeps account of it.
    pub presence: Option<Who>,
    /// Whether a subscriber is on the list of who is there, where account is kept of it.
    pub lists: bool,
    /// Whether subscribers are told who comes and goes.
    pub join_leave: Asked,
    /// Whether others may be told that a subscriber comes and goes.
    pub announces: bool,
    /// What is kept, and who may read it.
    pub history: Option<(Retention, Who)>,
    /// Whether clients that come back get what they have missed.
    pub recovery: Asked,
    /// Whether clients that ask for it are sent what differs from the publication before.
    pub deltas: bool,
    /// Who is asked whether somebody may subscribe whom the policy lets.
    pub on_subscribe: Option<Callback>,
    /// Who is asked what becomes of a client's publication.
    pub on_publish: Option<Callback>,
    /// Who is asked whether a subscription that would end may go on.
    pub on_sub_refresh: Option<Callback>,
}

impl Namespace {
    /// One that has nothing but a rule: nobody publishes, and nothing is kept or told.
    #[must_use]
    pub fn bare(name: &str, pattern: ChannelPattern, policy: Policy) -> Self {
        Self {
            name: name.into(),
            pattern,
            policy,
            anonymous: false,
            ask_again_every: None,
            subscribers_max: None,
            publish: Who::Nobody,
            publication_bytes_max: None,
            presence: None,
            lists: true,
            join_leave: Asked::Never,
            announces: false,
            history: None,
            recovery: Asked::Never,
            deltas: false,
            on_subscribe: None,
            on_publish: None,
            on_sub_refresh: None,
        }
    }
}

/// All namespaces of a server.
#[derive(Clone, Default)]
pub struct Namespaces(Vec<Arc<Namespace>>);

/// Two namespaces begin alike, so it would be open which one a channel belongs to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the namespaces {0} and {1} begin alike, so it would be open to which of them a channel belongs")]
pub struct Twins(pub Box<str>, pub Box<str>);

impl Namespaces {
    /// These namespaces. A channel belongs to the one whose name begins with the longest text that it begins with.
    ///
    /// # Errors
    ///
    /// [`Twins`] when two of them begin with the same text.
    pub fn new(mut list: Vec<Namespace>) -> Result<Self, Twins> {
        list.sort_by(|one, other| {
            let key = |namespace: &Namespace| (usize::MAX - namespace.pattern.prefix().len(), namespace.name.clone());
            key(one).cmp(&key(other))
        });
        for (index, one) in list.iter().enumerate() {
            let twin = |other: &&Namespace| other.pattern.prefix() == one.pattern.prefix();
            if let Some(other) = list[..index].iter().find(twin) {
                return Err(Twins(other.name.clone(), one.name.clone()));
            }
        }
        Ok(Self(list.into_iter().map(Arc::new).collect()))
    }

    /// The namespace of a channel; `None` if there is none.
    #[must_use]
    pub fn of(&self, channel: &str) -> Option<&Arc<Namespace>> {
        self.0.iter().find(|namespace| channel.starts_with(namespace.pattern.prefix()))
    }

    /// The namespace of a channel with what the channel's name says, if the name is of its form.
    #[must_use]
    pub fn read(&self, channel: &str) -> Option<(&Arc<Namespace>, Option<Parameters>)> {
        let namespace = self.of(channel)?;
        Some((namespace, namespace.pattern.read(channel)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Namespace> {
        self.0.iter().map(|namespace| &**namespace)
    }
}

impl Retains for Namespaces {
    fn retention(&self, channel: &ChannelName) -> Option<Retention> {
        let (namespace, parameters) = self.read(channel)?;
        parameters?;
        namespace.history.map(|(retention, _)| retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Access;

    fn namespace(name: &str, pattern: &str) -> Namespace {
        let policy = Policy::new("all".parse().unwrap(), Access::Any);
        Namespace::bare(name, ChannelPattern::parse(pattern).unwrap(), policy)
    }

    #[test]
    fn a_channel_belongs_to_the_longest_beginning() {
        let all = [("rooms", "chat:{room:name}"), ("admin", "chat:admin:{room:name}"), ("news", "news")];
        let all = Namespaces::new(all.iter().map(|(name, pattern)| namespace(name, pattern)).collect()).unwrap();
        for (channel, found, is_of_its_form) in [
            ("chat:5", Some("rooms"), true),
            ("chat:5:6", Some("rooms"), false),
            ("chat:admin:5", Some("admin"), true),
            ("news", Some("news"), true),
            ("newsroom", Some("news"), false),
            ("other", None, false),
        ] {
            let read = all.read(channel);
            assert_eq!(read.as_ref().map(|(namespace, _)| &*namespace.name), found, "{channel}");
            assert_eq!(read.is_some_and(|(_, parameters)| parameters.is_some()), is_of_its_form, "{channel}");
        }
    }

    #[test]
    fn two_that_begin_alike_are_refused() {
        let twins = vec![namespace("a", "chat:{room:int}"), namespace("b", "chat:{room:name}")];
        assert_eq!(Namespaces::new(twins).err(), Some(Twins("a".into(), "b".into())));
    }
}
