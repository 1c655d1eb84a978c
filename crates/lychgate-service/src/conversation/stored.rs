//! Messages that are kept: stored, then published, then told to those who are mentioned.

use bytes::Bytes;

use super::Outlet as _;
use super::act::{Later, Replies, with_stored};
use super::deliver::channel_of;
use super::recorder::NotStored;
use crate::codec::To;
use crate::grants::Grants;
use crate::policy::Denied;
use crate::ports::clock::UnixMicros;
use crate::ports::directory::Person;
use crate::ports::messages::{Author, MessageId, NewMessage};
use crate::ports::rights::RightsError;
use crate::ports::users::User;
use crate::principal::Principal;
use crate::template::Datum;

impl Later {
    pub(super) async fn store(mut self) -> Vec<Bytes> {
        let Some(recorder) = self.conversation.parts.recorder.clone() else {
            return self.fail("Nothing is kept here.", "not_kept");
        };
        let at = self.conversation.parts.clock.now();
        let principal = self.permit.principal();
        let author = Author {
            user_id: principal.user_id(),
            subject: principal.id().to_owned(),
            name: principal.name().to_owned(),
        };
        let message = NewMessage {
            channel: self.permit.channel().clone(),
            kind: self.kind.to_string(),
            author,
            payload: self.text.to_string(),
            at,
        };
        let publish = self.copy();
        let keep = self.conversation.parts.keep;
        let stored = recorder.record(message, keep, Box::new(move |id| publish.publish_stored(id, at))).await;
        match stored {
            Ok(id) => {
                self.tell_mentioned(id, at).await;
                self.reply_stored(id, at);
                self.answers.0
            }
            Err(NotStored::UnknownAuthor) => self.fail("Your account is gone.", "unknown_author"),
            Err(NotStored::Busy) => self.fail("Too many messages at once. Try again.", "busy"),
            Err(NotStored::Failed) => self.fail("The message could not be stored. Try again.", "store"),
        }
    }

    fn copy(&self) -> Self {
        Self {
            conversation: self.conversation.clone(),
            kind: self.kind.clone(),
            text: self.text.clone(),
            permit: self.permit.clone(),
            session: self.session,
            connection: self.connection.clone(),
            answers: Replies::default(),
        }
    }

    /// Called by the recorder, message by message in the order in which they were stored.
    fn publish_stored(&self, id: MessageId, at: UnixMicros) {
        let Some((rule, inbound)) = self.again() else { return };
        let scope = self.conversation.scope(self.voice()).inbound(&inbound);
        let scope = with_stored(scope, id, at, &[]);
        if let Some(send) = rule.send()
            && !matches!(rule.to(), To::Sender)
        {
            self.conversation.deliver(send, rule.to(), &scope, self.voice(), &mut super::Nowhere);
        }
    }

    fn reply_stored(&mut self, id: MessageId, at: UnixMicros) {
        let mut answers = std::mem::take(&mut self.answers);
        if let Some((rule, inbound)) = self.again() {
            let scope = with_stored(self.conversation.scope(self.voice()).inbound(&inbound), id, at, &[]);
            let own = rule.send().filter(|_| matches!(rule.to(), To::Sender));
            for template in own.into_iter().chain(rule.reply()) {
                self.conversation.deliver(template, &To::Sender, &scope, self.voice(), &mut answers);
            }
        }
        answers.settle();
        self.answers = answers;
    }

    /// Whether `user` may enter the channel that the message was said in, now.
    async fn may_enter(&self, user: &User) -> Result<bool, RightsError> {
        let Some(policy) = &self.conversation.parts.policy else { return Ok(false) };
        let person = Person {
            id: user.id.to_string(),
            user_id: Some(user.id),
            name: Some(user.name.to_string()),
            email: user.email.as_ref().map(ToString::to_string),
            active: user.active,
        };
        let principal = Principal::from_person(&person.id, &person);
        // Of what their token may grant nothing is known here.
        match policy.permit(principal, self.permit.parameters().into(), &Grants::default()).await {
            Ok(permit) => Ok(permit.channel() == self.permit.channel()),
            Err(Denied::Unknown(error)) => Err(error),
            Err(Denied::NotFound | Denied::NotOwner | Denied::Forbidden) => Ok(false),
        }
    }

    /// Looks up who is behind the names in the message, and tells each of them in their own channel who may hear it.
    async fn tell_mentioned(&self, id: MessageId, at: UnixMicros) {
        let Some(users) = self.conversation.parts.users.clone() else { return };
        let names = match self.again() {
            Some((rule, inbound)) => rule.mention().map(|mention| mention.names(&inbound)).unwrap_or_default(),
            None => return,
        };
        for name in names {
            let user = match users.find_by_name(&name).await {
                Ok(Some(user)) if user.active => user,
                Ok(_) => continue,
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::warn!(cause, "who was mentioned could not be looked up");
                    return;
                }
            };
            match self.may_enter(&user).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::warn!(cause, "whether somebody who was mentioned may know of it could not be asked");
                    return;
                }
            }
            let Some((rule, inbound)) = self.again() else { return };
            let Some(mention) = rule.mention() else { return };
            let user_id = user.id.to_string();
            let given =
                [("mentioned.id", Datum::Text(user_id.into())), ("mentioned.name", Datum::Text(user.name.into()))];
            let scope = self.conversation.scope(self.voice()).inbound(&inbound).given(&given);
            let scope = with_stored(scope, id, at, &[]);
            let mut payload = Vec::new();
            let rendered = mention.send().render(&scope, self.conversation.parts.frame_bytes_max, &mut payload);
            match (rendered, channel_of(mention.channel(), &scope)) {
                (Ok(()), Some(channel)) => self.conversation.publish(&channel, &payload, None, None),
                _ => tracing::debug!("a mention was not told: its frame or its channel cannot be made"),
            }
        }
    }
}
