//! One connection from the upgrade to the last frame.
//!
//! **Invariant:** whatever ends the work, the connection is closed with 1000, and what arrives before the server's
//! answer to that is still shown.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::outcome::End;
use super::output::Output;
use super::target::{Target, TokenPlace};
use super::transport::{self, CONNECT_WAIT, Stream};

/// How long the answer to our close may take.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// What is to be done on the connection.
pub(super) enum Work {
    /// Send this, wait for one answer.
    One(String),
    /// Send lines as they are typed.
    Talk(Receiver<String>),
    /// Send each line and wait for an answer to it.
    Pipe(Receiver<String>),
    /// Send nothing.
    Listen,
}

type Socket = WebSocketStream<Stream>;

/// Connects and works to the end.
///
/// # Errors
///
/// Only where our own output fails; everything that happens on the network is an [`End`].
pub(super) async fn run(
    target: &Target,
    token: Option<&SecretString>,
    place: &TokenPlace,
    work: Work,
    wait: Duration,
    output: &Output,
) -> anyhow::Result<End> {
    let opened = timeout(CONNECT_WAIT, open(target, token, place)).await;
    let mut socket = match opened {
        Ok(Ok(socket)) => socket,
        Ok(Err(end)) => return Ok(end),
        Err(_) => return Ok(End::Lost(format!("{target} did not answer within {} s", CONNECT_WAIT.as_secs()))),
    };
    // Listening begins before anything is shown: whoever sees a line may interrupt.
    let mut interrupts = signal(SignalKind::interrupt())?;
    output.opened(target, matches!(work, Work::Talk(_)))?;
    tokio::select! {
        // Dropping the work half-way loses at most a frame that was being read, and the user asked for the end.
        end = do_work(&mut socket, work, wait, output) => if let Some(end) = end? {
            answer_close(&mut socket).await;
            return Ok(end);
        },
        _ = interrupts.recv() => {}
    }
    let end = close(&mut socket, output).await?;
    answer_close(&mut socket).await;
    Ok(end)
}

async fn open(target: &Target, token: Option<&SecretString>, place: &TokenPlace) -> Result<Socket, End> {
    let stream = transport::connect(target).await.map_err(End::Lost)?;
    // The scheme only tells the library how to write the Host header; the stream is connected already.
    let url = format!("ws://{}{}", target.authority, target.request_target(token, place));
    let unusable = || End::Lost("the URL or the token holds a character that a request cannot carry".to_owned());
    let mut request = url.into_client_request().map_err(|_| unusable())?;
    if let (Some(token), TokenPlace::Header) = (token, place) {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| unusable())?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            Err(End::Http(StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY)))
        }
        Err(error) => Err(End::Lost(format!("{target} does not speak WebSocket: {}", describe(&error)))),
    }
}

/// Does the work; gives an end when the server ended it, and nothing when we are done and may close.
async fn do_work(socket: &mut Socket, work: Work, wait: Duration, output: &Output) -> anyhow::Result<Option<End>> {
    match work {
        Work::Listen => loop {
            if let Some(end) = show(socket.next().await, output)?.ended() {
                return Ok(Some(end));
            }
        },
        Work::Talk(lines) => talk(socket, lines, output).await,
        Work::One(message) => {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            // The queue is empty and has room for one.
            let _ = sender.try_send(message);
            drop(sender);
            pipe(socket, receiver, wait, output).await
        }
        Work::Pipe(lines) => pipe(socket, lines, wait, output).await,
    }
}

async fn talk(socket: &mut Socket, mut lines: Receiver<String>, output: &Output) -> anyhow::Result<Option<End>> {
    loop {
        // Both branches are cancel-safe: a line stays in its queue and a frame in the socket's buffer.
        tokio::select! {
            line = lines.recv() => match line {
                None => return Ok(None),
                Some(line) => if let Err(error) = socket.send(Message::text(line)).await {
                    return Ok(Some(after_failed_send(socket, &error, output).await?));
                },
            },
            frame = socket.next() => if let Some(end) = show(frame, output)?.ended() {
                return Ok(Some(end));
            },
        }
    }
}

async fn pipe(
    socket: &mut Socket,
    mut lines: Receiver<String>,
    wait: Duration,
    output: &Output,
) -> anyhow::Result<Option<End>> {
    let mut unanswered = 0;
    loop {
        // While the pipe is quiet, others may still speak.
        let line = tokio::select! {
            biased;
            line = lines.recv() => line,
            frame = socket.next() => match show(frame, output)?.ended() {
                Some(end) => return Ok(Some(end)),
                None => continue,
            },
        };
        let Some(line) = line else { break };
        if let Err(error) = socket.send(Message::text(line)).await {
            return Ok(Some(after_failed_send(socket, &error, output).await?));
        }
        if wait.is_zero() {
            continue;
        }
        let deadline = Instant::now() + wait;
        loop {
            match timeout_at(deadline, socket.next()).await {
                Err(_) => {
                    unanswered += 1;
                    break;
                }
                Ok(frame) => match show(frame, output)? {
                    Shown::Message => break,
                    Shown::Nothing => {}
                    Shown::End(end) => return Ok(Some(end)),
                },
            }
        }
    }
    if unanswered == 0 {
        return Ok(None);
    }
    // Closed in good order all the same; only the exit code tells.
    Ok(Some(match close(socket, output).await? {
        End::Done => End::Unanswered { messages: unanswered },
        end => end,
    }))
}

/// A send that failed usually means that a close frame is already waiting to be read.
async fn after_failed_send(socket: &mut Socket, error: &Error, output: &Output) -> anyhow::Result<End> {
    let deadline = Instant::now() + CLOSE_WAIT;
    while let Ok(frame) = timeout_at(deadline, socket.next()).await {
        if let Some(end) = show(frame, output)?.ended() {
            return Ok(end);
        }
    }
    Ok(End::Lost(format!("the connection was lost: {}", describe(error))))
}

/// Closes with 1000 and shows what still comes.
async fn close(socket: &mut Socket, output: &Output) -> anyhow::Result<End> {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    if let Err(error) = socket.close(Some(frame)).await {
        return after_failed_send(socket, &error, output).await;
    }
    let deadline = Instant::now() + CLOSE_WAIT;
    while let Ok(frame) = timeout_at(deadline, socket.next()).await {
        match show(frame, output)? {
            Shown::End(End::Closed { code: 1000 | 1005, .. }) => return Ok(End::Done),
            Shown::End(end) => return Ok(end),
            Shown::Message | Shown::Nothing => {}
        }
    }
    Ok(End::Lost(format!("the server did not answer the close within {} s", CLOSE_WAIT.as_secs())))
}

/// Lets the library send its answer to the server's close, so that the server need not wait for it.
async fn answer_close(socket: &mut Socket) {
    let _ = timeout(CLOSE_WAIT, async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

/// What a frame was.
enum Shown {
    Message,
    Nothing,
    End(End),
}

impl Shown {
    fn ended(self) -> Option<End> {
        match self {
            Self::End(end) => Some(end),
            Self::Message | Self::Nothing => None,
        }
    }
}

fn show(frame: Option<Result<Message, Error>>, output: &Output) -> anyhow::Result<Shown> {
    Ok(match frame {
        Some(Ok(Message::Text(text))) => {
            output.text(&text)?;
            Shown::Message
        }
        Some(Ok(Message::Binary(bytes))) => {
            output.binary(&bytes)?;
            Shown::Message
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Shown::Nothing,
        Some(Ok(Message::Close(frame))) => Shown::End(match frame {
            Some(frame) => End::Closed { code: frame.code.into(), reason: frame.reason.as_str().to_owned() },
            None => End::Closed { code: 1005, reason: String::new() },
        }),
        Some(Err(error)) => Shown::End(End::Lost(format!("the connection was lost: {}", describe(&error)))),
        None => Shown::End(End::Lost("the connection ended without a close frame".to_owned())),
    })
}

/// The library's error without what was sent or received: either may hold the token.
fn describe(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::ConnectionClosed | Error::AlreadyClosed => "it was closed".to_owned(),
        Error::Protocol(error) => error.to_string(),
        Error::Capacity(error) => error.to_string(),
        Error::Utf8(_) => "text that is not UTF-8".to_owned(),
        _ => "an answer that cannot be understood".to_owned(),
    }
}
