//! Many channels on one socket, by the Centrifuge client protocol: what stands on the wire, byte by byte.
//!
//! One configuration serves all of these tests; a few lay a shorter time over it. Other people's clients of the protocol
//! are driven by `tests/interop`. Here stands what they would not notice: what is refused, and in which order things come.

mod callbacks;
mod claims;
mod claims_live;
mod client;
mod connect_callback;
pub(crate) mod cuts;
mod deltas;
mod door;
mod durable;
mod events;
mod fallbacks;
mod framing;
mod imported;
mod limits;
mod mixed;
mod pings;
mod presence;
mod publish;
mod recovery;
mod refresh_callback;
mod rights;
mod subscribe;
mod times;
mod vouched;

use serde_json::{Value, json};

use self::client::Client;
use crate::harness::{Server, Setup, token};

const CONFIG: &str = r#"
[api]
enabled = true

[limits]
channels_per_connection = 8

[endpoint.many]
kind = "channels"
path = "/many"
credentials = ["query:token", "header"]
inbox = "inbox:{user.id}"

[endpoint.open]
kind = "channels"
path = "/open"
identity = { anonymous = "guest" }

[endpoint.hasty]
kind = "channels"
path = "/hasty"
credential_timeout = "100ms"

[endpoint.slow]
kind = "channels"
path = "/slow"
messages_per_second = 1
messages_burst = 1

[endpoint.small]
kind = "channels"
path = "/small"
message_bytes_max = "1KiB"

[endpoint.chat]
path = "/ws/chat/{room:int}"
channel = "chat:{room}"

# How the application speaks to one user.
[endpoint.tell]
path = "/tell/{to:name}"
channel = "inbox:{to}"

# Kept, recovered by those who ask for it, open to everybody with a token.
[namespace.chat]
channel = "chat:{room:int}"
publish = "subscribers"
presence = "subscribers"
join_leave = "asked"
history_size = 10
policy = { rule = "any" }

# For visitors, too; nothing is kept.
[namespace.news]
channel = "news:{topic}"
policy = { rule = "any", anonymous = true }

# Whoever could subscribe may do everything.
[namespace.square]
channel = "square:{place:name}"
publish = "permitted"
presence = "permitted"
join_leave = "always"
history = "permitted"
history_size = 3
recovery = "always"
policy = { rule = "any" }

# Kept and never told.
[namespace.sealed]
channel = "sealed:{place:name}"
publish = "subscribers"
presence = "nobody"
history = "nobody"
history_size = 10
recovery = "never"
policy = { rule = "any" }

[namespace.room]
channel = "room:{room:int}"
publish = "permitted"
history_size = 10
policy = { rule = "member", ask_again = "1h" }

[namespace.paid]
channel = "paid:{name}"
publish = "subscribers"
presence = "subscribers"
policy = { rule = "token" }

[namespace.granted]
channel = "granted:{name:name}"
publish = "subscribers"
policy = { rule = "grants" }

[namespace.inbox]
channel = "inbox:{to}"
history_size = 10
policy = { rule = "none" }

# For the endless stream of the cut test: one that keeps everything, and one that does not.
[namespace.log]
channel = "log:{name:name}"
publish = "permitted"
history_size = 100000
policy = { rule = "any" }

[namespace.ring]
channel = "ring:{name:name}"
publish = "permitted"
history_size = 20
policy = { rule = "any" }
"#;

fn setup() -> Setup {
    Setup::of(CONFIG)
}

async fn server() -> Server {
    setup().start().await
}

/// A client of `sub` at the endpoint that most tests use.
async fn enter(server: &Server, sub: &str) -> Client {
    Client::enter(server, "/many", sub).await
}

/// A token with some claims changed.
fn signed(changes: &[(&str, &str)]) -> String {
    token::sign(&token::header(&[]), &token::claims(changes))
}

/// The application's word that `sub` may enter `channel`, with some claims changed.
fn vouch(sub: &str, channel: &str, changes: &[(&str, &str)]) -> String {
    let (sub, channel) = (json!(sub).to_string(), json!(channel).to_string());
    let mut all = vec![("sub", &*sub), ("channel", &*channel)];
    all.extend(changes);
    signed(&all)
}

/// A refusal of a command.
fn error(code: u64, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

fn bad_request() -> (u16, String) {
    told(3501, "bad request")
}
