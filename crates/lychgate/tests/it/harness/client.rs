//! An ordinary client, on a WebSocket library that is not ours.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::server::Server;
use super::wait::within;

/// A client that has connected.
pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects to `target`.
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Self {
        let tcp = TcpStream::connect(address).await.expect("the server listens");
        let upgrade = tokio_tungstenite::client_async(format!("ws://{address}{target}"), tcp);
        let (socket, _) = within("an upgrade", upgrade).await.expect("an upgrade");
        Self(socket)
    }

    /// Connects to `/ws` with a good token of `sub`, and has entered the channel when this returns.
    pub(crate) async fn enter(server: &Server, sub: &str) -> Self {
        let mut client = Self::open(server.address, &Server::at("/ws", sub)).await;
        client.entered().await;
        client
    }

    /// Waits until what others say would arrive.
    ///
    /// The server enters a socket into its channel before it reads from it, so a pong says that this has happened.
    pub(crate) async fn entered(&mut self) {
        within("a ping to leave", self.0.send(Message::Ping(Vec::new().into())))
            .await
            .expect("a socket that takes a ping");
        loop {
            match within("a pong", self.0.next()).await {
                Some(Ok(Message::Pong(_))) => return,
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("a pong was expected: {other:?}"),
            }
        }
    }

    /// Sends a text message.
    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        within("a message to leave", self.0.send(message)).await.expect("a socket that takes messages");
    }

    /// The next message, which has to be text.
    pub(crate) async fn hear_text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("a text message was expected: {other:?}"),
        }
    }

    /// The next message, which has to be JSON.
    pub(crate) async fn hear(&mut self) -> Value {
        let text = self.hear_text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    /// The next message as JSON, or the server's close.
    pub(crate) async fn hear_or_closed(&mut self) -> Result<Value, (u16, String)> {
        match self.next().await {
            Message::Text(text) => Ok(serde_json::from_str(&text).expect("a text message is JSON")),
            Message::Close(Some(close)) => Err((close.code.into(), close.reason.as_str().to_owned())),
            other => panic!("a text message or a close was expected: {other:?}"),
        }
    }

    /// The next message as it is, or the server's close.
    pub(crate) async fn text_or_closed(&mut self) -> Result<String, (u16, String)> {
        match self.next().await {
            Message::Text(text) => Ok(text.as_str().to_owned()),
            Message::Close(Some(close)) => Err((close.code.into(), close.reason.as_str().to_owned())),
            other => panic!("a text message or a close was expected: {other:?}"),
        }
    }

    /// The next message, which has to be the server's close.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(close)) => (close.code.into(), close.reason.as_str().to_owned()),
            other => panic!("a close was expected: {other:?}"),
        }
    }

    /// The server's close, whatever comes before it.
    pub(crate) async fn closed_after_all(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(close)) = self.next().await {
                return (close.code.into(), close.reason.as_str().to_owned());
            }
        }
    }

    /// Waits for the end of the connection behind a close, which the library has answered.
    pub(crate) async fn gone(&mut self) {
        while let Some(Ok(_)) = within("the end of the connection", self.0.next()).await {}
    }

    async fn next(&mut self) -> Message {
        loop {
            match within("a message", self.0.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                other => panic!("a message was expected: {other:?}"),
            }
        }
    }
}
