//! A broadcast server on axum, as a careful developer writes it in an afternoon.
//!
//! One broadcast channel, one task per connection, each message stamped and serialised once,
//! and the WebSocket buffers cut to 4 KiB, which is what makes axum's memory and connect cost small.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use clap::Parser;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::net::TcpSocket;
use tokio::sync::broadcast;

const BUFFER_BYTES: usize = 4096;
const CHANNEL_MESSAGES: usize = 1024;
const BACKLOG: u32 = 4096;

/// A broadcast server on axum.
#[derive(Parser)]
struct Args {
    /// Address and port to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Environment variable that holds the HS256 secret.
    #[arg(long, default_value = "BENCH_SECRET")]
    secret_env: String,
    /// Messages that a slow receiver may lag behind before it loses some.
    #[arg(long, default_value_t = CHANNEL_MESSAGES)]
    channel_messages: usize,
}

struct Shared {
    key: DecodingKey,
    validation: Validation,
    room: broadcast::Sender<Utf8Bytes>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let secret = std::env::var(&args.secret_env)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["lychgate"]);
    let shared = Arc::new(Shared {
        key: DecodingKey::from_secret(secret.as_bytes()),
        validation,
        room: broadcast::Sender::new(args.channel_messages),
    });
    let app = Router::new().route("/ws", get(room)).route("/echo", get(echo)).with_state(shared);
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(args.listen)?;
    let listener = socket.listen(BACKLOG)?.tap_io(|stream| {
        // A failure costs latency, not correctness.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn room(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match shared.user(&query) {
        Some(user) => tuned(upgrade).on_upgrade(move |socket| serve_room(socket, user, shared)),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn echo(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match shared.user(&query) {
        Some(_) => tuned(upgrade).on_upgrade(serve_echo),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

impl Shared {
    fn user(&self, query: &HashMap<String, String>) -> Option<String> {
        let token = query.get("token")?;
        decode::<Claims>(token, &self.key, &self.validation).ok().map(|token| token.claims.sub)
    }
}

fn tuned(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES)
}

async fn serve_room(mut socket: WebSocket, user: String, shared: Arc<Shared>) {
    let mut published = shared.room.subscribe();
    loop {
        tokio::select! {
            inbound = socket.recv() => match inbound {
                Some(Ok(Message::Text(text))) => {
                    let Some(stamped) = stamp(&text, &user) else { return };
                    // There is at least one receiver: this connection.
                    let _ = shared.room.send(stamped);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            outbound = published.recv() => match outbound {
                Ok(text) => if socket.send(Message::Text(text)).await.is_err() { return },
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}

async fn serve_echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

fn stamp(text: &str, user: &str) -> Option<Utf8Bytes> {
    let mut object: Map<String, Value> = serde_json::from_str(text).ok()?;
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    object.insert("user".to_owned(), user.into());
    object.insert("timestamp".to_owned(), timestamp.into());
    object.insert("requestId".to_owned(), uuid::Uuid::new_v4().to_string().into());
    serde_json::to_string(&object).ok().map(Utf8Bytes::from)
}
