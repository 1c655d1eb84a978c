//! Sessions: what a refresh token is worth, and what ends one.

mod kills;
mod races;
mod refresh;
mod refused;
mod revoke;

use serde_json::Value;

use crate::harness::http::{Reply, form, post_form};
use crate::harness::token::unpart;
use crate::harness::{Client, Server, Setup};

const PASSWORD: &str = "seven green bottles";

/// A room, and logins that go on. A lost answer has longer than by default: no test here is about how fast the machine is.
const CONFIG: &str = r#"
[sessions]
refresh_tokens = true
repeat_within = "300s"

[login]
claims = ["level"]
failures_per_minute_per_address = 1000000

[endpoint.room]
path = "/room"
channel = "room"
credentials = ["query:token"]
"#;

const REVOKED: (u16, &str) = (3503, "revoked");

/// What a client has of its session.
#[derive(Clone, Debug)]
struct Session {
    access: String,
    refresh: String,
}

impl Session {
    fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        let text =
            |name: &str| reply.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {reply:?}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    fn claims(&self) -> Value {
        unpart(self.access.split('.').nth(1).expect("three parts"))
    }

    fn sid(&self) -> String {
        self.claims()["sid"].as_str().expect("a session").to_owned()
    }
}

fn setup() -> Setup {
    Setup::of(CONFIG).user("alice", PASSWORD)
}

async fn log_in(server: &Server, user: &str) -> Session {
    let body = form(&[("username", user), ("password", PASSWORD)]);
    Session::of(&post_form(server.address, "/token", &body, "").await)
}

async fn show(server: &Server, refresh: &str) -> Reply {
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    post_form(server.address, "/token", &body, "").await
}

async fn refresh(server: &Server, session: &Session) -> Session {
    Session::of(&show(server, &session.refresh).await)
}

/// The token is not good, and that is all that is said.
async fn refused(server: &Server, refresh: &str) {
    let reply = show(server, refresh).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_grant"), "{reply:?}");
}

async fn revoke(server: &Server, token: &str) -> Reply {
    post_form(server.address, "/revoke", &form(&[("token", token)]), "").await
}

/// Enters the room.
async fn enter(server: &Server, access: &str) -> Client {
    let mut client = Client::open(server.address, &format!("/room?token={access}")).await;
    client.entered().await;
    client
}

/// Stays outside of the room.
async fn stays_out(server: &Server, access: &str) {
    let mut client = Client::open(server.address, &format!("/room?token={access}")).await;
    assert_eq!(client.closed().await, told(REVOKED));
}

fn told((code, reason): (u16, &str)) -> (u16, String) {
    (code, reason.to_owned())
}

/// Says something and hears it: the socket is there.
async fn still_there(client: &mut Client) {
    client.say(r#"{"n":1}"#).await;
    assert_eq!(client.hear().await["n"], 1);
}
