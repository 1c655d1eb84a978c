//! Who may do what in which channel, command by command.

use std::sync::Arc;

use lychgate_protocol::channel::{BadChannelName, ChannelName};
use lychgate_token::{Token, UnixSeconds, Verifier};

use uuid::Uuid;

use super::namespace::{Namespace, Namespaces, Who};
use super::options::Options;
use super::vouch::{Vouch, VouchRefused};
use crate::grants::Grants;
use crate::policy::{Denied, Parameters, Permit};
use crate::ports::broker::Author;
use crate::ports::clock::Clock;
use crate::principal::Principal;
use crate::revocations::Revocations;

/// One connection, as channels see it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who it is.
    pub principal: Principal,
    /// What its token grants.
    pub grants: Grants,
    /// The connection's name.
    pub client: Box<str>,
    /// What its token says of the connection, as JSON text.
    pub info: Option<Box<str>>,
    /// What the application has said of it and is told again, as the text of a JSON object.
    pub meta: Option<Box<str>>,
}

impl Member {
    /// A name for a connection that no other one has: a UUIDv4 (RFC 9562 section 5.4).
    #[must_use]
    pub fn fresh_client() -> Box<str> {
        Uuid::new_v4().to_string().into()
    }

    /// It as others see it, with what its right to one channel says of it there.
    #[must_use]
    pub fn author<'a>(&'a self, channel_info: Option<&'a str>) -> Author<'a> {
        Author { connection_info: self.info.as_deref(), channel_info, ..Author::of(&self.principal, &self.client) }
    }
}

/// A right to one channel.
#[derive(Clone)]
pub struct Entrance {
    /// The right.
    pub permit: Permit,
    /// What such channels have.
    pub namespace: Arc<Namespace>,
    /// What others may know of its holder there, as JSON text.
    pub info: Option<Box<str>>,
    /// When it ends; with the connection, if none.
    pub ends_at: Option<UnixSeconds>,
    /// Whether somebody has vouched for it, so that nobody has to be asked.
    pub is_vouched: bool,
}

/// A right to one channel, with what counts at the moment of entering alone.
#[derive(Clone)]
pub struct Entering {
    /// The right.
    pub entrance: Entrance,
    /// What was said of this moment.
    pub extras: Extras,
}

/// What somebody who vouches says of the moment of entering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// What the client is told with its subscription, as JSON text.
    pub data: Option<Box<str>>,
    /// Whether it has a position without asking for it.
    pub positioning: Option<bool>,
    /// Whether it can be recovered without asking for it.
    pub recovery: Option<bool>,
}

impl Extras {
    fn of(options: &Options) -> Self {
        let (positioning, recovery) = (options.overrides.force_positioning, options.overrides.force_recovery);
        Self { data: options.data.clone(), positioning, recovery }
    }
}

impl From<Entrance> for Entering {
    /// A right of which nothing more was said.
    fn from(entrance: Entrance) -> Self {
        Self { entrance, extras: Extras::default() }
    }
}

impl Entering {
    /// Takes what somebody says of it who vouches for it.
    pub fn amend(&mut self, options: &Options) {
        if let Some(namespace) = options.overrides.applied_to(&self.entrance.namespace) {
            self.entrance.namespace = Arc::new(namespace);
        }
        self.entrance.info.clone_from(&options.info);
        self.extras = Extras::of(options);
    }
}

/// Why somebody does not come into a channel.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// There is no such namespace.
    #[error("there is no namespace for this channel")]
    Unknown,
    /// The name is no channel's name, or not of its namespace's form.
    #[error("the name is not of its namespace's form")]
    BadName,
    /// The policy says no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The token that was shown for the channel is not good for it.
    #[error(transparent)]
    Token(#[from] VouchRefused),
}

impl From<BadChannelName> for NotEntered {
    fn from(_: BadChannelName) -> Self {
        Self::BadName
    }
}

/// Decides about commands. Shared by all connections.
pub struct ChannelAccess {
    namespaces: Namespaces,
    verifier: Arc<Verifier>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
}

impl ChannelAccess {
    /// Decides by `namespaces`, and takes tokens for channels that `verifier` trusts and nobody revoked.
    #[must_use]
    pub fn new(
        namespaces: Namespaces,
        verifier: Arc<Verifier>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { namespaces, verifier, revocations, clock }
    }

    /// The namespaces.
    #[must_use]
    pub const fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// The right of `member` to `channel`: by a token for it, if one is shown, else by the namespace's policy.
    ///
    /// # Errors
    ///
    /// [`NotEntered`]. A token that is there and bad is never treated as none.
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn enter(&self, member: &Member, channel: &str, token: Option<Token>) -> Result<Entering, NotEntered> {
        let name = ChannelName::new(channel)?;
        let (namespace, parameters) = self.find(channel)?;
        let namespace = Arc::clone(namespace);
        let Some(token) = token else {
            if member.principal.is_anonymous() && !namespace.anonymous {
                return Err(Denied::Forbidden.into());
            }
            let permit =
                namespace.policy.permit_to(name, member.principal.clone(), &parameters, &member.grants).await?;
            return Ok(Entrance { permit, namespace, info: None, ends_at: None, is_vouched: false }.into());
        };
        let vouch = self.read(&token, &name, member)?;
        self.put_in(&vouch, &member.principal)
    }

    /// The right of `principal` to a channel for which somebody vouches. Nobody is asked.
    ///
    /// # Errors
    ///
    /// [`NotEntered`].
    pub fn put_in(&self, vouch: &Vouch, principal: &Principal) -> Result<Entering, NotEntered> {
        let (namespace, _) = self.find(vouch.channel())?;
        let namespace = Arc::clone(namespace);
        let permit = namespace.policy.vouched(vouch, principal.clone())?;
        let ends_at = vouch.expires_at();
        let mut entering = Entering::from(Entrance { permit, namespace, info: None, ends_at, is_vouched: true });
        entering.amend(vouch.options());
        Ok(entering)
    }

    /// The new end of a right that was vouched for, by another token for the same channel and user.
    ///
    /// # Errors
    ///
    /// [`VouchRefused`].
    pub fn renew(
        &self,
        member: &Member,
        channel: &ChannelName,
        token: &Token,
    ) -> Result<Option<UnixSeconds>, VouchRefused> {
        Ok(self.read(token, channel, member)?.expires_at())
    }

    /// Asks again whether the holder of `entrance` may stay, by what its token grants now; gives the right as it is.
    ///
    /// # Errors
    ///
    /// [`Denied`], also when nobody can be asked.
    pub async fn ask_again(&self, entrance: &Entrance, grants: &Grants) -> Result<Permit, Denied> {
        if entrance.is_vouched {
            return Ok(entrance.permit.clone());
        }
        let (channel, principal) = (entrance.permit.channel().clone(), entrance.permit.principal().clone());
        let parameters = entrance.namespace.pattern.read(&channel).ok_or(Denied::NotFound)?;
        entrance.namespace.policy.permit_to(channel, principal, &parameters, grants).await
    }

    /// The right to do in `channel` what `who` may, for somebody who may be subscribed by `entrance`.
    ///
    /// # Errors
    ///
    /// [`NotEntered`].
    ///
    /// # Cancel safety
    ///
    /// A dropped call did nothing.
    pub async fn allow(
        &self,
        who: Who,
        member: &Member,
        channel: &str,
        entrance: Option<&Entrance>,
    ) -> Result<Permit, NotEntered> {
        match (who, entrance) {
            (who, Some(entrance)) if who.admits_subscribers() => Ok(entrance.permit.clone()),
            (Who::Permitted, None) => Ok(self.enter(member, channel, None).await?.entrance.permit),
            // Whatever is not said above is a no.
            _ => Err(Denied::Forbidden.into()),
        }
    }

    /// The namespace of a channel, and what the channel's name says.
    ///
    /// # Errors
    ///
    /// [`NotEntered`] when there is none, or the name is not of its form.
    pub fn find(&self, channel: &str) -> Result<(&Arc<Namespace>, Parameters), NotEntered> {
        let (namespace, parameters) = self.namespaces.read(channel).ok_or(NotEntered::Unknown)?;
        Ok((namespace, parameters.ok_or(NotEntered::BadName)?))
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now_s(&self) -> UnixSeconds {
        self.clock.now().seconds()
    }

    fn read(&self, token: &Token, channel: &ChannelName, member: &Member) -> Result<Vouch, VouchRefused> {
        let whom = (member.principal.subject(), &*member.client);
        Vouch::read(&self.verifier, &self.revocations, token, self.now_s(), channel, whom)
    }
}
