//! One turn of a client: its message, or something that the server has to do with it.

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{Command, Commands, Method};
use lychgate_protocol::ws::CloseCode;

use super::client::{Client, Stage};
use super::say;
use crate::ws::profile::Event;
use crate::ws::standing::Standing;

/// What a turn is about.
pub(in crate::ws) enum Input {
    /// A message of the client.
    Message(Vec<u8>),
    /// Its rights have to be asked for again.
    AskAgain,
    /// It was told something.
    Orders,
}

/// What came of a turn.
pub(in crate::ws) struct Turned {
    /// The client, to be kept.
    pub(in crate::ws) client: Box<Client>,
    /// What it holds as a connection, if it was admitted in this turn.
    pub(in crate::ws) standing: Option<Standing>,
    /// Frames for it.
    pub(in crate::ws) frames: Vec<u8>,
    /// Whether it ends, and how.
    pub(in crate::ws) end: Option<End>,
}

/// How a client's connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ws) enum End {
    /// As its endpoint's profile says. With `true` it was counted when that was decided.
    Event(Event, bool),
    /// As the protocol says.
    Code(CloseCode),
    /// As the application says.
    Said(CloseCode, Box<str>),
}

/// A turn under way.
pub(in crate::ws) struct Turn {
    client: Box<Client>,
    standing: Option<Standing>,
}

impl Turn {
    pub(in crate::ws) fn new(client: Box<Client>) -> Self {
        Self { client, standing: None }
    }

    /// Takes the turn.
    ///
    /// # Cancel safety
    ///
    /// A dropped turn drops its client, which leaves everything.
    pub(in crate::ws) async fn take(mut self, input: Input) -> Turned {
        let end = match input {
            Input::Message(message) => self.message(&message).await.err(),
            Input::AskAgain => self.client.ask_again().await.err(),
            Input::Orders => self.client.obey().err(),
        };
        let frames = self.client.take_replies();
        Turned { client: self.client, standing: self.standing, frames, end }
    }

    async fn message(&mut self, message: &[u8]) -> Result<(), End> {
        for command in Commands::new(self.client.encoding, message) {
            let command = command.map_err(|fault| {
                say::malformed(self.client.entry.socket.endpoint(), fault);
                End::Code(fault.close_code())
            })?;
            if !self.client.has_room().await {
                return Ok(());
            }
            self.command(command).await?;
        }
        Ok(())
    }

    async fn command(&mut self, Command { id, method }: Command<'_>) -> Result<(), End> {
        let client = &mut *self.client;
        if method == Method::Pong {
            // A pong that nobody asked for is a client that has lost count.
            client.pongs_due = client.pongs_due.checked_sub(1).ok_or_else(bad_request)?;
            return Ok(());
        }
        let needs_reply = !matches!(method, Method::Send { .. });
        if needs_reply && id == 0 || matches!(method, Method::Ping | Method::None) {
            return Err(bad_request());
        }
        let now_ms = client.gate.ticker.now_ms();
        if client.commands.take(client.settings().command_rate, now_ms).is_err() {
            client.entry.socket.endpoint().metrics.message_refused("rate");
            if matches!(client.stage, Stage::Connected(_)) && needs_reply {
                client.error(id, ErrorCode::TOO_MANY_REQUESTS);
                return Ok(());
            }
            return Err(End::Event(Event::Rate, false));
        }
        match (&client.stage, method) {
            (Stage::New { .. }, Method::Connect(connect)) => {
                self.standing = client.connect(id, connect).await?;
                Ok(())
            }
            (Stage::Connected(_), method) => client.connected(id, method).await,
            (Stage::New { .. } | Stage::Dead, _) => Err(bad_request()),
        }
    }
}

impl Client {
    async fn connected(&mut self, id: u32, method: Method<'_>) -> Result<(), End> {
        match method {
            Method::Subscribe(subscribe) => self.subscribe(id, subscribe).await,
            Method::Unsubscribe { channel } => self.unsubscribe(id, &channel),
            Method::Publish(publish) => self.publish(id, publish).await,
            Method::Presence { channel } => self.presence(id, &channel).await,
            Method::PresenceStats { channel } => self.presence_stats(id, &channel).await,
            Method::History(history) => self.history(id, history).await,
            Method::Rpc(rpc) => self.rpc(id, rpc).await,
            // Nobody is there to take it.
            Method::Send { .. } => Err(End::Code(CloseCode::NOT_AVAILABLE)),
            Method::Refresh(refresh) => self.refresh(id, refresh).await,
            Method::SubRefresh(refresh) => self.sub_refresh(id, refresh),
            Method::Connect(_) | Method::Ping | Method::Pong | Method::None => Err(bad_request()),
        }
    }
}

/// The client does not keep to the protocol.
pub(super) const fn bad_request() -> End {
    End::Code(CloseCode::BAD_REQUEST)
}
