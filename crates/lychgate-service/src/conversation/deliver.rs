//! From a template to those who hear it.

use std::sync::Arc;

use lychgate_protocol::channel::{CHANNEL_NAME_BYTES_MAX, ChannelName};

use super::{Conversation, Outlet, Voice};
use crate::codec::To;
use crate::ports::broker::{Author, Publication};
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
                self.publish(voice.permit.channel(), &payload, exclude, Some(voice.author()));
            }
            To::Channel(name) => {
                out.settle();
                if let Some(channel) = channel_of(name, scope) {
                    self.publish(&channel, &payload, None, Some(voice.author()));
                }
            }
        }
    }

    pub(super) fn publish(
        &self,
        channel: &ChannelName,
        payload: &[u8],
        exclude: Option<lychgate_hub::SessionId>,
        author: Option<Author<'_>>,
    ) {
        if let Err(fault) =
            self.parts.broker.publish(channel, Publication { exclude, author, ..Publication::of(payload) })
        {
            tracing::warn!(%channel, cause = %fault, "a frame was not published");
        }
    }

    /// Tells everybody in `channel` of a change on a board.
    ///
    /// Called with the board locked; it neither waits nor calls the board.
    pub fn announce(&self, channel: &ChannelName, change: &Change) {
        if let Some(payload) = self.update(&change.user, &change.to) {
            self.publish(channel, &payload, None, None);
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

#[cfg(test)]
mod tests {
    use lychgate_hub::{Hub, HubConfig, SessionId};

    use super::*;
    use crate::codec::{Codec, CodecSettings};
    use crate::conversation::Parts;
    use crate::grants::Grants;
    use crate::local_broker::LocalBroker;
    use crate::policy::{Access, Parameters, Policy};
    use crate::ports::broker::Broker;
    use crate::ports::clock::SystemClock;
    use crate::presence::{BoardSettings, BoardSetup, Presence};
    use crate::publish::Publisher;
    use crate::template::{Names, Source};

    /// What was sent in one go, and whether the board was still held then.
    struct Noted {
        board: Arc<SharedBoard>,
        waiting: Vec<String>,
        sent: Vec<(Vec<String>, bool)>,
    }

    impl Outlet for Noted {
        fn answer(&mut self, payload: &[u8]) {
            self.waiting.push(String::from_utf8(payload.to_vec()).unwrap());
        }

        fn settle(&mut self) {
            if !self.waiting.is_empty() {
                self.sent.push((std::mem::take(&mut self.waiting), self.board.is_locked()));
            }
        }
    }

    fn conversation() -> Conversation {
        let settings = CodecSettings {
            welcome: vec![Source::from_json(r#""hello""#).unwrap()],
            presence_update: Some(Source::from_json(r#""{user.id} {status}""#).unwrap()),
            presence_list: Some(Source::from_json(r#""{people}""#).unwrap()),
            presence_person: Some(Source::from_json(r#""{user.id} {status}""#).unwrap()),
            ..CodecSettings::default()
        };
        let (registrar, _drain) = Hub::new(HubConfig::default());
        let broker: Arc<dyn Broker> = Arc::new(LocalBroker::new(registrar));
        let parts = Parts {
            publisher: Arc::new(Publisher::new(Arc::clone(&broker), Arc::new(SystemClock))),
            broker,
            clock: Arc::new(SystemClock),
            recorder: None,
            messages: None,
            users: None,
            policy: None,
            application: None,
            answers: None,
            frame_bytes_max: 65_536,
            keep: None,
        };
        Conversation::new(Codec::compile(&settings, &Names::none()).unwrap(), parts)
    }

    /// Between a list and what comes after it nothing may change, so a newcomer's frames are queued with the board held.
    #[tokio::test]
    async fn a_newcomers_frames_are_queued_before_the_board_may_change() {
        let conversation = conversation();
        let setup = BoardSetup { name: "people".into(), settings: BoardSettings::default(), mirroring: None };
        let presence = Presence::new(vec![setup], &(Arc::new(|_: &str, _: &[Change]| ()) as _)).unwrap();
        let board = presence.board("people").unwrap();
        let policy = Policy::new(ChannelName::new("presence").unwrap(), Access::Any);
        let ann = Principal::from_verified_subject("ann", None);
        let permit = policy.permit(ann, Parameters::default(), &Grants::default()).await.unwrap();
        let voice = Voice { permit: &permit, session: SessionId(1), connection: "", seat: None };
        let mut out = Noted { board: Arc::clone(&board), waiting: Vec::new(), sent: Vec::new() };

        let first = conversation.enter(voice, Some(&board), &mut out).unwrap().unwrap();
        first.set("dnd");
        let _second = conversation.enter(voice, Some(&board), &mut out).unwrap().unwrap();
        let sent = |frames: &[&str], is_locked| (frames.iter().map(|frame| (*frame).to_owned()).collect(), is_locked);
        let expected = [
            sent(&[r#""hello""#], false),
            sent(&[r#"["ann online"]"#], true),
            sent(&[r#""hello""#], false),
            sent(&[r#""ann dnd""#, r#"["ann dnd"]"#], true),
        ];
        assert_eq!(out.sent, expected);
        assert!(out.waiting.is_empty());
    }
}
