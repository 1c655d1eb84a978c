//! A client of the shape of the browser's service: it reads where to connect, connects to a whole address, says hello
//! in its own words, and comes back when it was cut off.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{PASSWORD, behind, example, told};
use crate::harness::http::{form, get, post_form};
use crate::harness::token::{now, own_until};
use crate::harness::{Application, Client, Server};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Disconnected,
    Connecting,
    Connected,
}

/// `connect(url)`, `send`, `disconnect`, and the frames that came.
struct WebSocketService {
    state: State,
    socket: Option<Client>,
    messages: VecDeque<Value>,
}

impl WebSocketService {
    fn new() -> Self {
        Self { state: State::Disconnected, socket: None, messages: VecDeque::new() }
    }

    /// `new WebSocket(url)`; once it is open, the token is said again and a ping sent, as the browser's code does.
    async fn connect(&mut self, url: &str, token: &str) {
        self.state = State::Connecting;
        let rest = url.strip_prefix("ws://").expect("an address of a WebSocket");
        let (authority, target) = rest.split_at(rest.find('/').expect("a path"));
        let address: SocketAddr = authority.replace("localhost", "127.0.0.1").parse().expect("a host and a port");
        let mut socket = Client::open(address, target).await;
        socket.say(&json!({ "type": "auth", "token": token }).to_string()).await;
        socket.say(&json!({ "type": "ping", "timestamp": 0 }).to_string()).await;
        self.socket = Some(socket);
        self.state = State::Connected;
    }

    /// `onmessage`: system frames are its own affair, the rest is the page's. A ping is answered by the text `pong`.
    async fn message(&mut self) -> Value {
        let socket = self.socket.as_mut().expect("it is connected");
        loop {
            let frame = socket.hear().await;
            if frame["type"] == "ping" {
                socket.say("pong").await;
            }
            if frame["system"] != true {
                self.messages.push_back(frame.clone());
                return frame;
            }
        }
    }

    async fn send(&mut self, frame: &Value) {
        self.socket.as_mut().expect("it is connected").say(&frame.to_string()).await;
    }

    /// `onclose`.
    async fn closed(&mut self) -> (u16, String) {
        let mut socket = self.socket.take().expect("it is connected");
        let closed = socket.closed().await;
        self.state = State::Disconnected;
        closed
    }
}

async fn log_in(server: &Server, name: &str) -> String {
    let body = form(&[("username", name), ("password", PASSWORD)]);
    let answer = post_form(server.address, "/api/auth/token", &body, "").await.json();
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn it_reads_the_address_connects_tolerates_all_and_comes_back() {
    // The address is in the configuration, so the port has to be known before the server has it.
    let place = TcpSocket::new_v4().expect("a socket");
    place.set_reuseaddr(true).expect("an option");
    place.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let port = place.local_addr().expect("it is bound").port();
    let application = Application::bind().await;
    let own = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n[route.config.body]\nws_url = \"ws://localhost:{port}/ws\"\n\
         [endpoint.ws.codec.ping]\nevery = \"1s\"\n[tokens]\nlifetime = \"6s\"\n"
    );
    let server = behind(&application, example()).over(&own).start().await;
    let config = get(server.address, "/api/config").await;
    assert_eq!((config.status, config.json()), (200, json!({ "ws_url": format!("ws://localhost:{port}/ws") })));
    let ws_url = config.json()["ws_url"].as_str().expect("an address").to_owned();

    let mut service = WebSocketService::new();
    assert_eq!(service.state, State::Disconnected);
    let token = log_in(&server, "ann@example.com").await;
    service.connect(&format!("{ws_url}?token={token}"), &token).await;
    service.send(&json!({ "type": "user_message", "payload": { "text": "Hello" } })).await;
    application.call().await.answer(200, r#"{"type":"agent_started","payload":{"run_id":"r1"}}"#).await;
    // Neither the auth frame nor the ping came back as an error: this is the first that the page gets.
    assert_eq!(service.message().await, json!({ "type": "agent_started", "payload": { "run_id": "r1" } }));
    service.send(&json!({ "type": "sing" })).await;
    let error = service.message().await;
    assert_eq!((&error["type"], &error["displayed_to_user"]), (&json!("error"), &json!(true)));

    // It stays, pinged each second, until its token is over, and then it comes back with a new one.
    let closed = loop {
        let Some(socket) = service.socket.as_mut() else { unreachable!("it is connected") };
        match socket.hear_or_closed().await {
            Ok(frame) => assert_eq!(frame["type"], "ping"),
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed, told("Token expired"));
    let old = own_until("1", now() - 60);
    service.connect(&format!("{ws_url}?token={old}"), &old).await;
    assert_eq!(service.closed().await, told("Token expired"), "an old token does not do");
    let token = log_in(&server, "ann@example.com").await;
    service.connect(&format!("{ws_url}?token={token}"), &token).await;
    service.send(&json!({ "type": "user_message", "payload": {} })).await;
    application.call().await.answer(200, r#"{"type":"again"}"#).await;
    assert_eq!(service.message().await["type"], "again");
    assert_eq!((service.state, service.messages.len()), (State::Connected, 3));
    server.log().never_holds(&token);
}
