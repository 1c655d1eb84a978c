//! The server API of channels over real HTTP, with clients that speak the protocol over real sockets, on
//! `examples/channels.toml`.

mod batch;
mod clients;
mod guide;
mod keys;
mod openapi;
mod publish;
mod reading;
mod refusals;
mod tags;

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::http::{self, Reply};
use crate::harness::process::program;
use crate::harness::token::{self, SECRET};
use crate::harness::{Server, Setup};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/channels.toml");

/// A namespace that keeps nothing, and rooms that nobody has to be listed in.
const MORE: &str = r#"
[namespace.plain]
channel = "plain:{topic}"
policy = { rule = "any" }

[namespace.open]
channel = "open:{room:int}"
publish = "subscribers"
presence = "subscribers"
history_size = 10
policy = { rule = "any" }
"#;

const SCOPES: [&str; 3] = ["channels:publish", "channels:read", "channels:manage"];

struct World {
    server: Server,
    setup: Setup,
    key: String,
}

impl World {
    /// The example with one room, `chat:5`, of alice and bob.
    async fn begin() -> Self {
        let example = std::fs::read_to_string(EXAMPLE).expect("the example is in the repository");
        let setup = Setup::outside(&example).over(MORE).variable("JWT_SECRET_KEY", SECRET);
        setup.run(&["resource", "add", "chat:5"]);
        for user in ["alice", "bob"] {
            setup.run(&["member", "add", "chat:5", user]);
        }
        let (server, setup) = setup.start_and_keep().await;
        let key = key(&setup, "all", &SCOPES);
        Self { server, setup, key }
    }

    /// Sends a request with the key that may do everything.
    async fn ask(&self, method: &str, body: &Value) -> Reply {
        self.send(method, &body.to_string(), "").await
    }

    /// The same with a body as it is and more headers, a line each.
    async fn send(&self, method: &str, body: &str, headers: &str) -> Reply {
        self.send_with(method, body, &format!("x-api-key: {}\r\n{headers}", self.key)).await
    }

    /// A request with these headers alone.
    async fn send_with(&self, method: &str, body: &str, headers: &str) -> Reply {
        http::post(self.server.address, &format!("/api/{method}"), body, headers).await
    }

    /// The result of something that is done.
    async fn done(&self, method: &str, body: Value) -> Value {
        let reply = self.ask(method, &body).await;
        assert_eq!(reply.status, 200, "{method} {body}: {reply:?}");
        let answer = reply.json();
        assert!(answer["error"].is_null(), "{method} {body}: {answer}");
        answer["result"].clone()
    }

    /// The status and the code of something that is not done.
    async fn refused(&self, method: &str, body: Value) -> (u16, u64) {
        let reply = self.ask(method, &body).await;
        let answer = reply.json();
        assert!(answer["result"].is_null(), "{method} {body}: {answer}");
        let code = answer["error"]["code"].as_u64();
        (reply.status, code.unwrap_or_else(|| panic!("{method} {body}: {answer}")))
    }
}

/// Makes a key, as an operator does.
fn key(setup: &Setup, name: &str, scopes: &[&str]) -> String {
    let mut command = program();
    command.args(["apikey", "create", name]);
    for scope in scopes {
        command.args(["--scope", scope]);
    }
    setup.name_files(&mut command);
    let output = command.output().expect("the program was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// A client of the protocol, in JSON.
struct Sdk {
    socket: Client,
    /// Heard, and not yet asked for.
    heard: VecDeque<Value>,
    last_id: u32,
    /// Its connection's name.
    id: String,
}

impl Sdk {
    /// A client of `user` that has connected.
    async fn of(world: &World, user: &str) -> Self {
        let socket = Client::open(world.server.address, "/connection/websocket").await;
        let mut sdk = Self { socket, heard: VecDeque::new(), last_id: 0, id: String::new() };
        let opened = sdk.done("connect", json!({ "token": token::own(user) })).await;
        sdk.id = opened["client"].as_str().expect("a name for the connection").to_owned();
        sdk
    }

    /// The same, subscribed to `channel`.
    async fn within(world: &World, user: &str, channel: &str) -> Self {
        let mut sdk = Self::of(world, user).await;
        sdk.done("subscribe", json!({ "channel": channel })).await;
        sdk
    }

    /// The reply to a command.
    async fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        self.socket.say(&json!({ "id": self.last_id, method: parameters }).to_string()).await;
        let mut pushes = VecDeque::new();
        loop {
            let heard = self.next().await;
            if heard["id"] == self.last_id {
                pushes.append(&mut self.heard);
                self.heard = pushes;
                return heard;
            }
            pushes.push_back(heard);
        }
    }

    /// The result of a command that is done.
    async fn done(&mut self, method: &str, parameters: Value) -> Value {
        let reply = self.command(method, parameters).await;
        assert!(reply["error"].is_null(), "{method}: {reply}");
        reply[method].clone()
    }

    /// The next push of `channel`, which has to be of this kind. What comes in other channels is kept for later, since
    /// channels have no order among each other.
    async fn push(&mut self, channel: &str, kind: &str) -> Value {
        let mut others = VecDeque::new();
        loop {
            let heard = self.next().await;
            let push = &heard["push"];
            if push["channel"] == channel || channel.is_empty() && push["channel"].is_null() {
                assert!(!push[kind].is_null(), "{kind} was expected in {channel}: {heard}");
                others.append(&mut self.heard);
                self.heard = others;
                return push[kind].clone();
            }
            others.push_back(heard);
        }
    }

    /// The payload of the next publication in `channel`.
    async fn data(&mut self, channel: &str) -> Value {
        self.push(channel, "pub").await["data"].clone()
    }

    /// The server's close, whatever comes before it.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = self.socket.text_or_closed().await {
                return close;
            }
        }
    }

    async fn next(&mut self) -> Value {
        while self.heard.is_empty() {
            let text = self.socket.hear_text().await;
            for line in text.lines() {
                let said: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {text}"));
                if said == json!({}) {
                    self.socket.say("{}").await;
                } else {
                    self.heard.push_back(said);
                }
            }
        }
        self.heard.pop_front().expect("something was heard")
    }
}
