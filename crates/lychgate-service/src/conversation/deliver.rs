//! From a template to those who hear it.

use std::sync::Arc;

use lychgate_protocol::channel::{CHANNEL_NAME_BYTES_MAX, ChannelName};

use super::{Conversation, Outlet, Voice};
use crate::codec::To;
use crate::ports::broker::Publication;
use crate::presence::{BoardFull, Change, Seat, SharedBoard, Sight, State};
use crate::principal::Principal;
use crate::template::{Datum, Scope, Template, TextTemplate};

impl Conversation {
    /// Renders `template` once and gives it to whom `to` names.
    ///
    /// What cannot be rendered is not sent: templates were checked at start, so it is what the client sent that does
    /// not fit, or a frame that would be too long. The log says so.
    pub(super) fn deliver(
        &self,
        template: &Template,
        to: &To,
        scope: &Scope<'_>,
        voice: Voice<'_>,
        out: &mut dyn Outlet,
    ) {
        let mut payload = Vec::new();
        if let Err(fault) = template.render(scope, self.parts.frame_bytes_max, &mut payload) {
            tracing::debug!(channel = %voice.permit.channel(), cause = %fault, "a frame was not sent");
            return;
        }
        match to {
            To::Sender => out.answer(&payload),
            To::All | To::Others => {
                out.settle();
                let exclude = matches!(to, To::Others).then_some(voice.session);
                self.publish(voice.permit.channel(), &payload, exclude);
            }
            To::Channel(name) => {
                out.settle();
                if let Some(channel) = channel_of(name, scope) {
                    self.publish(&channel, &payload, None);
                }
            }
        }
    }

    pub(super) fn publish(&self, channel: &ChannelName, payload: &[u8], exclude: Option<lychgate_hub::SessionId>) {
        if let Err(fault) = self.parts.broker.publish(channel, Publication { payload, exclude }) {
            tracing::warn!(%channel, cause = %fault, "a frame was not published");
        }
    }

    /// Tells everybody in `channel` of a change on a board.
    ///
    /// Called with the board locked; it neither waits nor calls the board.
    pub fn announce(&self, channel: &ChannelName, change: &Change) {
        if let Some(payload) = self.update(&change.user, &change.to) {
            self.publish(channel, &payload, None);
        }
    }

    /// Takes a place on `board`, and shows the newcomer what is there, if that is shown here.
    ///
    /// Whatever the newcomer gets is queued while the board is locked: its own state, then everybody's, and then each
    /// change that comes after.
    pub(super) fn sit_down(
        &self,
        board: &Arc<SharedBoard>,
        voice: Voice<'_>,
        out: &mut dyn Outlet,
    ) -> Result<Seat, BoardFull> {
        let user = voice.permit.principal();
        out.settle();
        board.arrive_seeing(user, |sight| {
            // Everybody in the channel was told, the newcomer too, if it is news; or else it is news for the newcomer.
            if !sight.is_news
                && let Some(payload) = self.update(user, &sight.board.state_of(user.id()))
            {
                out.answer(&payload);
            }
            if let Some(list) = self.codec.presence_list() {
                self.show_board(list, &sight, voice, out);
            }
            out.settle();
        })
    }

    fn update(&self, user: &Principal, state: &State) -> Option<Vec<u8>> {
        let update = self.codec.presence_update()?;
        let mut payload = Vec::new();
        let scope = Scope::new(user, self.parts.clock.now()).status(state);
        let rendered = update.render(&scope, self.parts.frame_bytes_max, &mut payload);
        rendered.inspect_err(|fault| tracing::warn!(cause = %fault, "a state on a board was not told")).ok()?;
        Some(payload)
    }

    fn show_board(&self, list: &Template, sight: &Sight<'_>, voice: Voice<'_>, out: &mut dyn Outlet) {
        let Some(person) = self.codec.presence_person() else { return };
        let now = self.parts.clock.now();
        let bytes_max = self.parts.frame_bytes_max;
        let render =
            |(who, state): (&Principal, &State)| person.rendered(&Scope::new(who, now).status(state), bytes_max).ok();
        let people: Vec<_> = sight.board.list().filter_map(render).collect();
        let given = [("people", Datum::List(&people))];
        let scope = Scope::of(voice.permit, now).connection(voice.connection).given(&given);
        let mut payload = Vec::new();
        match list.render(&scope, bytes_max, &mut payload) {
            Ok(()) => out.answer(&payload),
            Err(fault) => tracing::warn!(people = people.len(), cause = %fault, "a board is too large to be shown"),
        }
    }
}

/// The channel that a configured template names. Nothing that is no channel's name is published to.
pub(super) fn channel_of(name: &TextTemplate, scope: &Scope<'_>) -> Option<ChannelName> {
    let text = name.render(scope, CHANNEL_NAME_BYTES_MAX).ok()?;
    ChannelName::new(&text).ok()
}
