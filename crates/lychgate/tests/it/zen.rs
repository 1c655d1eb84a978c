//! The assistant of `examples/zen.toml`: one channel for each user, and an application that answers.
//!
//! What is laid over the example is ports, secrets and addresses, and times that are shorter than a test's patience.
//! Case names carry the words of the contract.

mod application;
mod browser;
mod frames;
mod login;
mod lost;
mod refusals;
mod seats;
mod secrets;
mod variations;

use std::fs;

use serde_json::Value;

use crate::harness::application::SECRET as APPLICATION_SECRET;
use crate::harness::token::{self, SECRET};
use crate::harness::{Application, Server, Setup, Wire};

/// The example that the project ships.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/zen.toml");

const PASSWORD: &str = "seven green bottles";

fn text() -> String {
    fs::read_to_string(EXAMPLE).expect("the example is in the repository")
}

/// `text` with its secrets, and with Ann (1), Bob (2) and Cleo (3), who is disabled.
fn people(text: &str) -> Setup {
    let setup = strangers(text).account("ann", PASSWORD, &["--email", "ann@example.com"]);
    let setup = setup.account("bob", PASSWORD, &["--email", "bob@example.com"]);
    setup.account("cleo", PASSWORD, &["--email", "cleo@example.com", "--disabled"])
}

/// `text` with its secrets.
fn strangers(text: &str) -> Setup {
    Setup::outside(text).variable("JWT_SECRET_KEY", SECRET).variable("APPLICATION_SECRET", APPLICATION_SECRET)
}

/// The example with its people.
fn example() -> Setup {
    people(&text())
}

/// `setup` with `application` behind it.
fn behind(application: &Application, setup: Setup) -> Setup {
    setup.over(&format!("[source.application]\nurl = \"{}\"\n", application.url()))
}

/// A token as the older backend makes it: no more than these claims.
fn legacy(claims: &Value) -> String {
    token::sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// A socket of `sub` that has heard the first two frames.
async fn enter(server: &Server, sub: &str) -> Wire {
    let mut wire = Wire::open(server.address, &Server::at("/ws", sub)).await;
    greeted(&mut wire).await;
    wire
}

/// Hears the first two frames, and gives the connection's id.
async fn greeted(wire: &mut Wire) -> String {
    let established = wire.hear().await;
    assert_eq!(established["type"], "connection_established", "{established}");
    let ping = wire.hear().await;
    assert_eq!(ping["type"], "ping", "{ping}");
    established["connection_id"].as_str().expect("an id").to_owned()
}

/// The frame that says what went wrong.
fn error(text: &str) -> Value {
    serde_json::json!({
        "type": "error",
        "payload": { "error": text, "sub_agent_name": "System" },
        "displayed_to_user": true,
    })
}

fn told(reason: &str) -> (u16, String) {
    (1008, reason.to_owned())
}
