//! One client: who it is, which channels it holds, and what it is told.

use std::sync::Arc;

use bytes::Bytes;
use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{Encoding, Push, Reply, Writer};
use lychgate_protocol::channel::ChannelName;
use lychgate_service::channels::Member;
use lychgate_service::limits::Bucket;
use lychgate_service::policy::Permit;
use lychgate_service::ports::broker::Happening;
use lychgate_service::proof::Proof;

use super::ChannelsSettings;
use super::clients::Line;
use super::framing::frame;
use super::holdings::{Held, Holdings};
use crate::settings::Behaviour;
use crate::ticks::{NEVER, Ticks};
use crate::ws::admit::Caller;
use crate::ws::attending::Attending;
use crate::ws::gate::Gate;
use crate::ws::table::Entry;

/// One client, as long as its connection lasts.
pub(in crate::ws) struct Client {
    pub(super) gate: Arc<Gate>,
    pub(super) entry: Entry,
    pub(super) encoding: Encoding,
    pub(super) stage: Stage,
    /// How it is told something from outside, once it has connected.
    pub(super) line: Option<Arc<Line>>,
    /// That the application was told of it, once it has connected.
    pub(super) attending: Option<Attending>,
    /// The channels that it holds.
    pub(super) held: Holdings,
    /// Pings that were sent and not answered yet.
    pub(super) pongs_due: u32,
    pub(super) commands: Bucket,
    /// When the right to the connection itself has to be asked for next.
    pub(super) asks_at: Ticks,
    /// When the application has to be asked whether the connection may go on.
    pub(super) renews_at: Ticks,
    /// How often in a row nobody could be asked about a right.
    pub(super) asked_in_vain: u8,
    /// Replies that are not on their way yet.
    pub(super) replies: Vec<u8>,
    /// Frames of earlier turns that are not either.
    earlier: Vec<u8>,
}

/// How far its session has come.
pub(super) enum Stage {
    /// It has not connected.
    New {
        /// It has still to show a credential.
        caller: Option<Box<Caller>>,
        /// Its request has shown one.
        known: Option<Box<Known>>,
    },
    /// It has.
    Connected(Connected),
    /// Its connect was answered with an error; whatever it says now ends it.
    Dead,
}

/// Somebody whom the door has let in.
pub(in crate::ws) struct Known {
    /// What the connection is called.
    pub(super) client: Box<str>,
    pub(super) permit: Permit,
    /// When its credential is over.
    pub(super) expires_at: Ticks,
    /// What its credential has proved.
    pub(super) proof: Option<Box<Proof>>,
}

/// An open session.
pub(super) struct Connected {
    pub(super) member: Member,
    /// By which right it is open.
    pub(super) permit: Permit,
    /// The channels that its credential puts it into, by their names.
    pub(super) assigned: Box<[ChannelName]>,
}

impl Client {
    /// A client that has said nothing. Either its request has shown who it is, or it has still to.
    pub(in crate::ws) fn new(
        gate: Arc<Gate>,
        entry: Entry,
        encoding: Encoding,
        caller: Option<Box<Caller>>,
        known: Option<Box<Known>>,
    ) -> Self {
        Self {
            gate,
            entry,
            encoding,
            stage: Stage::New { caller, known },
            line: None,
            attending: None,
            held: Holdings::default(),
            pongs_due: 0,
            commands: Bucket::default(),
            asks_at: NEVER,
            renews_at: NEVER,
            asked_in_vain: 0,
            replies: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// What the endpoint says.
    pub(super) fn settings(&self) -> &ChannelsSettings {
        match &self.entry.socket.endpoint().settings.behaviour {
            Behaviour::Channels(settings) => settings,
            // Only such an endpoint makes a client.
            _ => unreachable!("a client of channels at an endpoint without them"),
        }
    }

    /// Adds a reply to what goes out together.
    pub(super) fn reply(&mut self, id: u32, reply: &Reply<'_>) {
        self.write(|writer| {
            writer.reply(id, reply);
        });
    }

    /// Answers with an error of the protocol.
    pub(super) fn error(&mut self, id: u32, code: ErrorCode) {
        self.reply(id, &code.into());
    }

    /// Adds a push to what goes out together.
    pub(super) fn push(&mut self, channel: &str, push: &Push<'_>) {
        self.write(|writer| {
            writer.push(channel, push);
        });
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        write(&mut Writer::resume(self.encoding, &mut self.replies));
    }

    /// Takes over frames that go out before whatever is said now.
    pub(in crate::ws) fn goes_on_from(&mut self, frames: Vec<u8>) {
        self.earlier = frames;
    }

    /// How much goes out together, as far as it is known.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.earlier.len() + self.replies.len()
    }

    /// Takes what goes out together, as frames.
    pub(super) fn take_replies(&mut self) -> Vec<u8> {
        let replies = std::mem::take(&mut self.replies);
        let mut out = std::mem::take(&mut self.earlier);
        frame(self.encoding, &mut out, |writer| {
            writer.written(&replies);
        });
        out
    }

    /// Queues what goes out together before whatever is published next.
    pub(super) fn settle(&mut self) {
        let frames = self.take_replies();
        self.queue(frames);
    }

    /// Queues frames for this client alone. Never writes, so it may be called where others wait.
    pub(super) fn queue(&self, frames: Vec<u8>) {
        if !frames.is_empty() {
            // A full queue is the hub's to deal with: it has closed the session as slow.
            let _ = self.gate.drain.send(&self.entry.session, Bytes::from(frames));
        }
    }

    /// The ping of the protocol, as a frame.
    pub(in crate::ws) fn ping(&mut self) -> Option<Vec<u8>> {
        if !matches!(self.stage, Stage::Connected(_)) {
            return None;
        }
        self.pongs_due = self.pongs_due.saturating_add(1);
        let mut out = Vec::new();
        frame(self.encoding, &mut out, |writer| {
            writer.ping();
        });
        Some(out)
    }

    /// Leaves a channel; whether it was held.
    pub(super) fn leave(&mut self, channel: &ChannelName) -> bool {
        let Some(held) = self.held.remove(channel) else { return false };
        self.left(held);
        true
    }

    fn left(&self, mut held: Held) {
        if let Some(subscription) = held.subscription.take() {
            self.gate.subscriptions.leave(subscription);
        }
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return };
        let (settings, channel) = (self.settings(), held.channel());
        if held.entrance.namespace.presence.is_some() && held.entrance.namespace.lists {
            settings.roster.leave(channel, &member.client);
        }
        if held.entrance.namespace.announces {
            settings.broker.tell(channel, Happening::Left(member.author(held.entrance.info.as_deref())));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for held in self.held.take() {
            self.left(held);
        }
        if let Some(line) = self.line.take() {
            self.settings().clients.leave(&line);
        }
    }
}
