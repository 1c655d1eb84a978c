//! Commands about a channel that change nothing of who holds it: publish, presence, history.

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as wire, HistoryResult, Reply};
use lychgate_service::channels::{Callback, Entrance, Namespace, NotEntered, Who, Wish};
use lychgate_service::policy::Permit;
use lychgate_service::ports::broker::{HistoryQuery, Kept, Since};
use tokio::time::timeout;

use super::client::{Client, Connected, Stage};
use super::framing::{data, info};
use super::posted::Posted;
use super::room::{fit, fitting};
use super::say;
use super::turn::{End, bad_request};
use crate::ws::admit;

impl Client {
    pub(super) async fn publish(&mut self, id: u32, publish: wire::Publish<'_>) -> Result<(), End> {
        if publish.channel.is_empty() {
            return Err(bad_request());
        }
        let permit = match self.allowed(&publish.channel, |namespace| Some(namespace.publish)).await? {
            Ok(permit) if permit.may_publish() => permit,
            Ok(_) => return self.refuse(id, ErrorCode::PERMISSION_DENIED),
            Err(code) => return self.refuse(id, code),
        };
        // Whoever reads this channel reads JSON, so it has to be that, whichever way it came.
        let Ok(payload) = publish.data.checked() else { return self.refuse(id, ErrorCode::BAD_REQUEST) };
        if payload.is_absent() || publish.kind != 0 {
            return self.refuse(id, ErrorCode::BAD_REQUEST);
        }
        if self.publication_bytes_max(&publish.channel).is_some_and(|most| payload.bytes().len() > most) {
            return self.refuse(id, ErrorCode::LIMIT_EXCEEDED);
        }
        let mut posting = Posted::of(payload.bytes());
        if let Some(callback) = self.on_publish(&publish.channel) {
            let wish = Wish::Publish { channel: &publish.channel, data: payload.as_json().unwrap_or("null") };
            match self.asked(&callback, wish).await? {
                Ok(result) => {
                    if !posting.amend(&result) {
                        tracing::warn!(
                            event = "publish",
                            reason = "answer",
                            "an answer of the application cannot be used"
                        );
                        return self.refuse(id, ErrorCode::INTERNAL);
                    }
                }
                Err(error) => {
                    self.reply(id, &Reply::Error(error.reply()));
                    return Ok(());
                }
            }
        }
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Err(bad_request()) };
        let channel_info = self.entrance(permit.channel()).and_then(|entrance| entrance.info.as_deref());
        let author = Some(member.author(channel_info));
        match self.settings().broker.commit(permit.channel(), posting.publication(author)).await {
            Ok(_) => self.reply(id, &Reply::Publish),
            Err(fault) => {
                tracing::warn!(channel = %permit.channel(), cause = %fault, "a publication was not taken");
                self.error(id, say::not_published(fault));
            }
        }
        Ok(())
    }

    pub(super) async fn presence(&mut self, id: u32, channel: &str) -> Result<(), End> {
        let permit = match self.allowed(channel, |namespace| namespace.presence).await? {
            Ok(permit) => permit,
            Err(code) => return self.refuse(id, code),
        };
        let clients = self.settings().roster.list(permit.channel());
        if !fit(&clients, self.answer_bytes_max()) {
            // How many they are can be asked for.
            return self.refuse(id, ErrorCode::LIMIT_EXCEEDED);
        }
        let shown: Vec<_> = clients.iter().map(|client| info(client.author())).collect();
        self.reply(id, &Reply::Presence(&shown));
        Ok(())
    }

    pub(super) async fn presence_stats(&mut self, id: u32, channel: &str) -> Result<(), End> {
        let permit = match self.allowed(channel, |namespace| namespace.presence).await? {
            Ok(permit) => permit,
            Err(code) => return self.refuse(id, code),
        };
        let occupancy = self.settings().roster.occupancy(permit.channel());
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (num_clients, num_users) = (number(occupancy.clients), number(occupancy.users));
        self.reply(id, &Reply::PresenceStats { num_clients, num_users });
        Ok(())
    }

    pub(super) async fn history(&mut self, id: u32, history: wire::History<'_>) -> Result<(), End> {
        let permit = match self.allowed(&history.channel, |namespace| namespace.history.map(|(_, who)| who)).await? {
            Ok(permit) => permit,
            Err(code) => return self.refuse(id, code),
        };
        let since = history.since.as_ref();
        if history.reverse && since.is_some_and(|since| since.offset == 0) {
            return self.refuse(id, ErrorCode::BAD_REQUEST);
        }
        let most = self.settings().publications_max;
        let query = HistoryQuery {
            since: since.map(|since| Since { epoch: &since.epoch, offset: since.offset }),
            // Negative is as many as there are.
            limit: usize::try_from(history.limit).map_or(most, |limit| limit.min(most)),
            reverse: history.reverse,
        };
        let page = match self.settings().broker.history(permit.channel(), query) {
            Ok(page) => page,
            Err(refused) => return self.refuse(id, say::no_history(refused)),
        };
        // Whoever wants more asks again from where this one ends.
        let fitting = fitting(page.publications.iter().map(|kept| &**kept), self.answer_bytes_max());
        let publications: Vec<_> = page.publications.iter().take(fitting).map(|kept| publication(kept)).collect();
        let result =
            HistoryResult { publications: &publications, epoch: page.top.epoch.as_str(), offset: page.top.offset };
        self.reply(id, &Reply::History(result));
        Ok(())
    }

    pub(super) fn refuse(&mut self, id: u32, code: ErrorCode) -> Result<(), End> {
        self.error(id, code);
        Ok(())
    }

    /// The right to do in `channel` what its namespace says who may; or what the client is told.
    async fn allowed(
        &self,
        channel: &str,
        who: impl Fn(&Namespace) -> Option<Who>,
    ) -> Result<Result<Permit, ErrorCode>, End> {
        if channel.is_empty() {
            return Err(bad_request());
        }
        if let Some(Entrance { permit, namespace, .. }) = self.entrance(channel) {
            // Nothing has to be asked of anybody: whoever holds a channel may do what subscribers may.
            return Ok(match who(namespace) {
                Some(who) if who.admits_subscribers() => Ok(permit.clone()),
                Some(_) => Err(ErrorCode::PERMISSION_DENIED),
                None => Err(ErrorCode::NOT_AVAILABLE),
            });
        }
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Err(bad_request()) };
        let settings = self.settings();
        let endpoint = self.entry.socket.endpoint();
        let who = match settings.access.find(channel) {
            Ok((namespace, _)) => match who(namespace) {
                Some(who) => who,
                None => return Ok(Err(ErrorCode::NOT_AVAILABLE)),
            },
            Err(refused) => return say::not_entered(endpoint, &refused).map(Err),
        };
        let asked = settings.access.allow(who, member, channel, None);
        let allowed: Result<Permit, NotEntered> = timeout(self.gate.limits.handshake_timeout, asked)
            .await
            .unwrap_or_else(|_| Err(admit::unanswered().into()));
        allowed.map(Ok).or_else(|refused| say::not_entered(endpoint, &refused).map(Err))
    }

    /// Who is asked about publications in a channel, if anybody is.
    fn on_publish(&self, channel: &str) -> Option<Callback> {
        self.namespace(channel)?.on_publish.clone()
    }

    /// The longest publication in a channel, if there is a limit.
    fn publication_bytes_max(&self, channel: &str) -> Option<usize> {
        self.namespace(channel)?.publication_bytes_max
    }

    /// The namespace of a channel, held or not.
    fn namespace(&self, channel: &str) -> Option<&Namespace> {
        if let Some(entrance) = self.entrance(channel) {
            return Some(&entrance.namespace);
        }
        self.settings().access.find(channel).ok().map(|(namespace, _)| &**namespace)
    }

    /// The right by which a channel is held, if it is.
    fn entrance(&self, channel: &str) -> Option<&Entrance> {
        self.held.get(channel).map(|held| &held.entrance)
    }

    /// Whether a channel is held.
    pub(super) fn holds(&self, channel: &str) -> bool {
        self.held.contains(channel)
    }
}

/// A kept publication, as it is told.
pub(super) fn publication(kept: &Kept) -> wire::Publication<'_> {
    wire::Publication {
        data: data(&kept.payload),
        info: kept.author.as_ref().map(|author| info(author.author())),
        offset: kept.offset,
        tags: kept.tags.as_slice(),
        ..wire::Publication::default()
    }
}
