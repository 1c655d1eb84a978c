//! What an admitted connection holds, and what goes with it when it ends.

use lychgate_hub::SessionId;
use lychgate_service::conversation::{Counts, Voice};
use lychgate_service::policy::Permit;
use lychgate_service::presence::Seat as BoardSeat;
use lychgate_service::streams::Watch;
use lychgate_service::subscribe::{Subscription, Subscriptions};

use crate::settings::Behaviour;
use crate::ws::attending::Attending;
use crate::ws::seats::Seat;
use crate::ws::users::UserPlace;

/// What an admitted connection holds.
pub struct Standing {
    /// Its right.
    pub permit: Permit,
    /// What templates call the connection; empty where nothing asks.
    pub name: Box<str>,
    /// Its channel, once it has entered; an echo endpoint has none.
    pub subscription: Option<Subscription>,
    /// What few endpoints give.
    pub extras: Option<Box<Extras>>,
    /// What it has sent, where that is counted by kind.
    pub counts: Counts,
    /// Its place among the connections of its user; none for a visitor.
    pub _user: Option<UserPlace>,
    /// Its place among those of its user at this endpoint.
    pub _seat: Option<Seat>,
}

/// What few endpoints give.
#[derive(Default)]
pub struct Extras {
    /// The channel for its user alone.
    pub inbox: Option<Subscription>,
    /// Its place on a board.
    pub board: Option<BoardSeat>,
    /// Its share in a run of text; the run goes on without it for a while.
    pub watch: Option<Watch>,
    /// Whether the others were told that it came, so that they are told that it went.
    pub was_announced: bool,
    /// That the application was told of it, unless it is a client of channels. The last field: its end is told behind all
    /// of the rest.
    pub attending: Option<Attending>,
}

impl Standing {
    /// It as a speaker.
    #[must_use]
    pub fn voice(&self, session: SessionId) -> Voice<'_> {
        let seat = self.extras.as_ref().and_then(|extras| extras.board.as_ref());
        Voice { permit: &self.permit, session, connection: &self.name, seat }
    }

    /// Leaves its channels and its board, and tells the others. Whatever ends a connection, it comes by here: when our
    /// close frame has left, or when the connection ends without one; the second time nothing is left to do.
    pub fn leave(&mut self, subscriptions: &Subscriptions, behaviour: &Behaviour, session: SessionId) {
        if let Some(subscription) = self.subscription.take() {
            subscriptions.leave(subscription);
        }
        let Some(mut extras) = self.extras.take() else { return };
        if let Some(inbox) = extras.inbox.take() {
            subscriptions.leave(inbox);
        }
        if let (true, Behaviour::Converse(converse)) = (extras.was_announced, behaviour) {
            converse.conversation.leave(self.voice(session));
        }
        // A seat on a board is left by being dropped; the board announces what that changes.
        drop(extras);
    }
}
