//! Where a principal may go.
//!
//! **Invariant:** a [`Permit`] can be made in this file alone.
//! Whoever publishes or subscribes must hold one, so a forgotten check does not compile.

use std::fmt;
use std::sync::{Arc, LazyLock};

use lychgate_protocol::channel::ChannelName;
use serde_json::{Map, Value};

use crate::channels::Vouch;
use crate::grants::{Grants, Verb};
use crate::ports::rights::{Answer, Parameter, Question, Relation, Rights, RightsError};
use crate::principal::Principal;

/// The right of one principal to one channel. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Permit(Arc<Granted>);

#[derive(Debug)]
struct Granted {
    channel: ChannelName,
    principal: Principal,
    may_publish: bool,
    /// Nothing for channels that clients name: one connection may hold very many of those.
    basis: Option<Box<Basis>>,
}

/// What the right to an endpoint's own channel was made of.
#[derive(Debug, Default)]
struct Basis {
    parameters: Parameters,
    attributes: Map<String, Value>,
    resource: Option<Box<str>>,
    inbox: Option<ChannelName>,
}

static NO_ATTRIBUTES: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// What the request's path and query said, by name.
pub type Parameters = Box<[(Box<str>, Parameter)]>;

impl Permit {
    /// The channel it opens.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.0.channel
    }

    /// Whose right it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// What the request asked for, by name. Nothing for a channel that the client named: its name says it.
    #[must_use]
    pub fn parameters(&self) -> &[(Box<str>, Parameter)] {
        self.0.basis.as_ref().map_or(&[], |basis| &basis.parameters)
    }

    /// What the one who was asked said of the resource, by name. Nothing for a channel that the client named.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        self.0.basis.as_ref().map_or(&NO_ATTRIBUTES, |basis| &basis.attributes)
    }

    /// The resource that it was asked about, if somebody was asked. Nothing for a channel that the client named.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.0.basis.as_ref()?.resource.as_deref()
    }

    /// The right to listen to what is meant for its holder alone, where the endpoint has such channels.
    #[must_use]
    pub fn inbox(&self) -> Option<Self> {
        let channel = self.0.basis.as_ref()?.inbox.clone()?;
        let principal = self.0.principal.clone();
        Some(Self(Arc::new(Granted { channel, principal, may_publish: false, basis: None })))
    }

    /// Whether its holder may speak there, and not only listen.
    #[must_use]
    pub fn may_publish(&self) -> bool {
        self.0.may_publish
    }
}

/// Makes a name from who comes and what they ask for; a template does, and a name that is always the same.
pub trait Naming: Send + Sync + fmt::Debug {
    /// The name; `None` when these values give none.
    fn name(&self, principal: &Principal, parameters: &Parameters) -> Option<String>;
}

/// Who may enter an endpoint's channel.
#[derive(Clone)]
pub enum Access {
    /// Every principal whom the identity rule lets pass.
    Any,
    /// Who stands so to the resource, by the word of the one who is asked.
    Asked {
        /// How they must stand to it.
        relation: Relation,
        /// The resource's name.
        resource: Arc<dyn Naming>,
        /// Who knows.
        rights: Arc<dyn Rights>,
        /// Whether somebody else's resource looks like one that does not exist.
        hides_foreign: bool,
        /// Whether the one who knows is this server's own registry, whose changes are felt at once.
        is_own: bool,
    },
    /// Whose token says so.
    Granted,
    /// Who shows a token for this very channel, beside the one that says who they are.
    Vouched,
    /// Nobody who asks. The server itself may put somebody there.
    Nobody,
}

/// The rule of one endpoint: which channel, and for whom.
#[derive(Clone)]
pub struct Policy {
    channel: Channel,
    access: Access,
    inbox: Option<Arc<dyn Naming>>,
}

#[derive(Clone)]
enum Channel {
    Fixed(ChannelName),
    Named(Arc<dyn Naming>),
}

/// Why there is no permit.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// What the request names does not exist, or is not to be told from what does not.
    #[error("what the request names does not exist")]
    NotFound,
    /// It belongs to somebody else.
    #[error("what the request names belongs to somebody else")]
    NotOwner,
    /// The user is no member, or the token does not grant it.
    #[error("the user may not enter this channel")]
    Forbidden,
    /// Nobody could be asked.
    #[error(transparent)]
    Unknown(#[from] RightsError),
}

impl Policy {
    /// A rule that opens `channel` to whom `access` names.
    #[must_use]
    pub const fn new(channel: ChannelName, access: Access) -> Self {
        Self { channel: Channel::Fixed(channel), access, inbox: None }
    }

    /// A rule that opens the channel that `naming` makes of a request.
    #[must_use]
    pub fn named(naming: Arc<dyn Naming>, access: Access) -> Self {
        Self { channel: Channel::Named(naming), access, inbox: None }
    }

    /// The same with a channel beside it for what is meant for one user alone. `naming` makes its name of the user.
    #[must_use]
    pub fn with_inbox(mut self, naming: Arc<dyn Naming>) -> Self {
        self.inbox = Some(naming);
        self
    }

    /// Whether the answer rests on more than the token, so that it may change while a socket is open.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        matches!(self.access, Access::Asked { .. })
    }

    /// Whether the answer is that of this server's own registry.
    #[must_use]
    pub const fn is_asked_of_registry(&self) -> bool {
        matches!(self.access, Access::Asked { is_own: true, .. })
    }

    /// The permit that `principal` gets; at most one question is asked for it.
    ///
    /// # Errors
    ///
    /// [`Denied`]; also when nobody can be asked.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn permit(
        &self,
        principal: Principal,
        parameters: Parameters,
        grants: &Grants,
    ) -> Result<Permit, Denied> {
        let channel = match &self.channel {
            Channel::Fixed(channel) => channel.clone(),
            Channel::Named(naming) => {
                let name = naming.name(&principal, &parameters).ok_or(Denied::NotFound)?;
                ChannelName::new(&name).map_err(|_| Denied::NotFound)?
            }
        };
        let Opened { may_publish, attributes, resource } = self.open(&channel, &principal, &parameters, grants).await?;
        let inbox = self.inbox_of(&principal, &parameters)?;
        let basis = Some(Box::new(Basis { parameters, attributes, resource, inbox }));
        Ok(Permit(Arc::new(Granted { channel, principal, may_publish, basis })))
    }

    /// The same for a channel that the client names itself; `parameters` are what its name says.
    ///
    /// # Errors
    ///
    /// [`Denied`]; also when nobody can be asked.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn permit_to(
        &self,
        channel: ChannelName,
        principal: Principal,
        parameters: &Parameters,
        grants: &Grants,
    ) -> Result<Permit, Denied> {
        let Opened { may_publish, .. } = self.open(&channel, &principal, parameters, grants).await?;
        Ok(Permit(Arc::new(Granted { channel, principal, may_publish, basis: None })))
    }

    /// Whether `principal` may enter `channel`, and as what; at most one question is asked.
    async fn open(
        &self,
        channel: &ChannelName,
        principal: &Principal,
        parameters: &Parameters,
        grants: &Grants,
    ) -> Result<Opened, Denied> {
        match &self.access {
            Access::Any => Ok(Opened::default()),
            Access::Vouched | Access::Nobody => Err(Denied::Forbidden),
            Access::Granted if !grants.allow(Verb::Subscribe, channel) => Err(Denied::Forbidden),
            Access::Granted => Ok(Opened { may_publish: grants.allow(Verb::Publish, channel), ..Opened::default() }),
            // Nobody vouches for an anonymous visitor, so nothing can be theirs.
            Access::Asked { .. } if principal.is_anonymous() => Err(Denied::Forbidden),
            Access::Asked { relation, resource, rights, hides_foreign, .. } => {
                let resource = resource.name(principal, parameters).ok_or(Denied::NotFound)?;
                let question = Question {
                    relation: *relation,
                    resource,
                    user: principal.id().to_owned(),
                    parameters: parameters.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
                };
                match (rights.ask(&question).await?, relation) {
                    (Answer::Granted(attributes), _) => {
                        Ok(Opened { attributes, resource: Some(question.resource.into()), ..Opened::default() })
                    }
                    (Answer::Absent, _) => Err(Denied::NotFound),
                    (Answer::Foreign, _) if *hides_foreign => Err(Denied::NotFound),
                    (Answer::Foreign, Relation::Owner) => Err(Denied::NotOwner),
                    (Answer::Foreign, Relation::Member) => Err(Denied::Forbidden),
                }
            }
        }
    }

    /// The permit to a channel for which somebody else has vouched. Nobody is asked.
    ///
    /// # Errors
    ///
    /// [`Denied`] where nobody comes in by asking.
    pub fn vouched(&self, vouch: &Vouch, principal: Principal) -> Result<Permit, Denied> {
        if matches!(self.access, Access::Nobody) && !vouch.is_of_application() {
            return Err(Denied::Forbidden);
        }
        let channel = vouch.channel().clone();
        Ok(Permit(Arc::new(Granted { channel, principal, may_publish: true, basis: None })))
    }

    fn inbox_of(&self, principal: &Principal, parameters: &Parameters) -> Result<Option<ChannelName>, Denied> {
        Ok(match &self.inbox {
            // Nobody is meant by what is for a visitor whom anybody can be.
            Some(naming) if !principal.is_anonymous() => {
                let name = naming.name(principal, parameters).ok_or(Denied::NotFound)?;
                Some(ChannelName::new(&name).map_err(|_| Denied::NotFound)?)
            }
            _ => None,
        })
    }
}

/// What becomes of a question for a right.
struct Opened {
    may_publish: bool,
    /// What the one who was asked said.
    attributes: Map<String, Value>,
    /// What they were asked about.
    resource: Option<Box<str>>,
}

impl Default for Opened {
    fn default() -> Self {
        Self { may_publish: true, attributes: Map::new(), resource: None }
    }
}
