//! Publishing without a socket: what a program posts goes the same way as what a connection says.

use lychgate_hub::SessionId;

use super::{Conversation, Voice};
use crate::policy::Permit;
use crate::ports::broker::{Author, Publication};
use crate::publish::{Audience, PublishError};
use crate::template::{Inbound, Template};

/// No connection has this name: sessions are counted from 1.
const NO_SESSION: SessionId = SessionId(0);

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PostRefused {
    /// The right is to listen alone.
    #[error("you may listen here, and not speak")]
    NotAllowed,
    /// The body is no JSON object that all parsers read alike.
    #[error("the body is not one JSON object: {0}")]
    NotAnObject(String),
    /// The body lacks what every frame of the endpoint has, or what is published of it.
    #[error("the body is not what is published here: {0}")]
    BadShape(String),
    /// The broker did not take it.
    #[error("the message could not be delivered")]
    NotDelivered,
}

impl Conversation {
    /// Publishes one JSON object to the permit's channel: through `send`, or as it is with the codec's stamps.
    ///
    /// # Errors
    ///
    /// [`PostRefused`], and then nobody received anything.
    pub fn post(&self, permit: &Permit, text: &str, send: Option<&Template>) -> Result<(), PostRefused> {
        if !permit.may_publish() {
            return Err(PostRefused::NotAllowed);
        }
        let Some(send) = send else {
            let publisher = &self.parts.publisher;
            return match publisher.publish_object(permit, text, self.codec.stamp(), Audience::All, NO_SESSION) {
                Ok(_) => Ok(()),
                Err(PublishError::NotAnObject(fault)) => Err(PostRefused::NotAnObject(fault.to_string())),
                Err(PublishError::Broker(_)) => Err(PostRefused::NotDelivered),
            };
        };
        let inbound = Inbound::parse(text).map_err(|fault| PostRefused::NotAnObject(fault.to_string()))?;
        if let Some(path) = self.codec.missing(&inbound) {
            return Err(PostRefused::BadShape(format!("\"{path}\" is missing")));
        }
        let voice = Voice { permit, session: NO_SESSION, connection: "", seat: None };
        let mut payload = Vec::new();
        let rendered = send.render(&self.scope(voice).inbound(&inbound), self.parts.frame_bytes_max, &mut payload);
        rendered.map_err(|fault| {
            tracing::debug!(cause = %fault, "what was posted does not fit the template");
            PostRefused::BadShape("a part of it has no value, is of another kind or too long".to_owned())
        })?;
        let author = Some(Author::of(permit.principal(), ""));
        let publication = Publication { author, ..Publication::of(&payload) };
        self.parts.broker.publish(permit.channel(), publication).map_err(|_| PostRefused::NotDelivered)?;
        Ok(())
    }
}
