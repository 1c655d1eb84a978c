//! What a channel has kept, shown as it was published, with the reactions that have come since.

use std::sync::Arc;

use super::Conversation;
use super::act::with_stored;
use super::recorder::NotStored;
use crate::policy::Permit;
use crate::ports::StoreError;
use crate::ports::directory::Person;
use crate::ports::messages::{MessageId, StoredMessage};
use crate::principal::Principal;
use crate::template::{Inbound, Scope};

/// The most messages of one page.
pub const HISTORY_MAX: u32 = 200;

/// Some of what a channel has kept.
#[derive(Debug)]
pub struct HistoryPage {
    /// Newest first.
    pub messages: Vec<String>,
    /// What is older comes before this one; `None` if there is nothing older.
    pub next: Option<MessageId>,
}

/// Why a history was not shown.
#[derive(Debug, thiserror::Error)]
pub enum HistoryRefused {
    /// The endpoint keeps nothing.
    #[error("nothing is kept here")]
    NothingKept,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conversation {
    /// The messages of the permit's channel before `before`, newest first, each as the JSON text that was published.
    ///
    /// # Errors
    ///
    /// [`HistoryRefused`].
    pub async fn history(
        &self,
        permit: &Permit,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<HistoryPage, HistoryRefused> {
        let messages = self.parts.messages.as_ref().ok_or(HistoryRefused::NothingKept)?;
        let limit = limit.clamp(1, HISTORY_MAX);
        // One more than is shown tells whether there is an older one.
        let kept = messages.history(permit.channel(), before, limit + 1).await?;
        let fitting = &kept[..kept.len().min(limit as usize)];
        let next = fitting.last().filter(|_| kept.len() > fitting.len()).map(|message| message.id);
        let shown = fitting.iter().filter_map(|message| self.shown(message, permit)).collect();
        Ok(HistoryPage { messages: shown, next })
    }

    /// Has `subscribe` called at a moment when the newest `limit` messages are known, and told to the newcomer by it,
    /// oldest first: none is missed and none comes twice.
    ///
    /// They are fewer if together they would be longer than one frame may be: a newcomer's queue has to hold them.
    ///
    /// # Errors
    ///
    /// [`NotStored`]; then `subscribe` was not called.
    pub async fn join_with_history(
        self: &Arc<Self>,
        permit: &Permit,
        limit: u32,
        subscribe: Box<dyn FnOnce(Vec<String>) + Send>,
    ) -> Result<(), NotStored> {
        let recorder = self.parts.recorder.as_ref().ok_or(NotStored::Failed)?;
        let (this, of) = (Arc::clone(self), permit.clone());
        let join = Box::new(move |newest: Vec<StoredMessage>| {
            let mut bytes_left = this.parts.frame_bytes_max;
            let shown = newest.iter().filter_map(|message| this.shown(message, &of));
            let mut fitting: Vec<String> = shown
                .take_while(|message| {
                    let fits = message.len() <= bytes_left;
                    bytes_left = bytes_left.saturating_sub(message.len());
                    fits
                })
                .collect();
            fitting.reverse();
            subscribe(fitting);
        });
        recorder.join(permit.channel(), limit.min(HISTORY_MAX), join).await
    }

    /// A message as it was published. `None` if its rule is gone from the configuration.
    fn shown(&self, stored: &StoredMessage, permit: &Permit) -> Option<String> {
        let StoredMessage { id, message, reactions } = stored;
        let send = self.codec.rule(&message.kind)?.send()?;
        let author = author(message);
        let inbound = Inbound::parse(message.payload.as_str()).ok()?;
        let scope = Scope::new(&author, message.at).parameters(permit.parameters()).inbound(&inbound);
        let scope = with_stored(scope, *id, message.at, reactions);
        let mut payload = Vec::new();
        send.render(&scope, self.parts.frame_bytes_max, &mut payload).ok()?;
        String::from_utf8(payload).ok()
    }
}

fn author(message: &crate::ports::messages::NewMessage) -> Principal {
    let author = &message.author;
    let person = Person {
        id: author.subject.clone(),
        user_id: author.user_id,
        name: Some(author.name.clone()),
        email: None,
        active: true,
    };
    Principal::from_person(&author.subject, &person)
}
