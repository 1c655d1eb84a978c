//! `examples/fear.toml` on the wire: channels for their members, and a list of who is there with a copy in Redis.
//!
//! What is laid over the example is where things are: ports, a database, a Redis, secrets. Case names carry the words of
//! the contract. Where a test needs no Redis there is none, and everything goes on.

mod chat;
mod copies;
mod door;
mod history;
mod login;
mod mentions;
mod presence;
mod redis;
mod timeline;
mod vanished;
mod variations;

use std::fs;

use serde_json::Value;

use crate::harness::token::{self, SECRET};
use crate::harness::{Server, Setup, Wire};

/// The example that the project ships.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/fear.toml");

const PASSWORD: &str = "seven green bottles";

/// Nothing listens there.
const NO_REDIS: &str = "[redis]\nurl = \"redis://127.0.0.1:1/0\"\n";

fn text() -> String {
    fs::read_to_string(EXAMPLE).expect("the example is in the repository")
}

/// `text` with Ann (1) and Bob (2), who are in channel 5, Cleo (3), who is disabled, and Dan (4), who is in channel 6.
fn people(text: &str) -> Setup {
    people_over(text, "")
}

/// The same with `own` laid over it, before anything is written.
fn people_over(text: &str, own: &str) -> Setup {
    let setup = Setup::outside(text).variable("JWT_SECRET", SECRET).over(NO_REDIS).over(own);
    let setup = setup.account("ann", PASSWORD, &["--email", "ann@example.com"]);
    let setup = setup.account("bob", PASSWORD, &["--email", "bob@example.com"]);
    let setup = setup.account("cleo", PASSWORD, &["--email", "cleo@example.com", "--disabled"]);
    let setup = setup.account("dan", PASSWORD, &["--email", "dan@example.com"]);
    for arguments in [
        &["resource", "add", "chat:5"][..],
        &["resource", "add", "chat:6"],
        &["member", "add", "chat:5", "1"],
        &["member", "add", "chat:5", "2"],
        &["member", "add", "chat:5", "3"],
        &["member", "add", "chat:6", "4"],
    ] {
        setup.run(arguments);
    }
    setup
}

/// The example with its people.
fn example() -> Setup {
    people(&text())
}

/// A token as the backend before makes it: no more than these claims.
fn legacy(claims: &Value) -> String {
    token::sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// A member's socket in channel 5 that has entered.
async fn chat(server: &Server, sub: &str) -> Wire {
    Wire::enter(server, "/ws/chat/5", sub).await
}

/// A socket at the board, and the list that it was given behind its own update.
async fn board(server: &Server, sub: &str) -> (Wire, Vec<(String, String)>) {
    let mut wire = Wire::open(server.address, &Server::at("/ws/presence", sub)).await;
    let own = wire.hear().await;
    assert_eq!((&own["type"], own["user_id"].to_string().as_str()), (&"presence_update".into(), sub), "{own}");
    let list = wire.hear().await;
    (wire, people_of(&list))
}

/// The ids and states of a `presence_list`.
fn people_of(list: &Value) -> Vec<(String, String)> {
    assert_eq!(list["type"], "presence_list", "{list}");
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("a text: {list}")).to_owned();
    let people = list["users"].as_array().expect("a list");
    people.iter().map(|one| (text(&one["user_id"]), text(&one["status"]))).collect()
}

/// Hears the next frame, which has to be a change of presence: whose, and what to.
async fn change(wire: &mut Wire) -> (i64, String) {
    let update = wire.hear().await;
    assert_eq!(update["type"], "presence_update", "{update}");
    (update["user_id"].as_i64().expect("a number"), update["status"].as_str().expect("a text").to_owned())
}

/// Hears the next frame, which has to be of that type.
async fn hear(wire: &mut Wire, kind: &str) -> Value {
    let frame = wire.hear().await;
    assert_eq!(frame["type"], kind, "{frame}");
    frame
}

fn told(id: i64, status: &str) -> (i64, String) {
    (id, status.to_owned())
}

fn listed(people: &[(&str, &str)]) -> Vec<(String, String)> {
    people.iter().map(|(id, status)| ((*id).to_owned(), (*status).to_owned())).collect()
}

/// The refusal of all refusals.
fn forbidden() -> (u16, String) {
    (4403, String::new())
}
