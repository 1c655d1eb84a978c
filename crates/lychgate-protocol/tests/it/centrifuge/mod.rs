//! The Centrifuge client protocol.

mod codes;
mod commands;
mod delta;
mod delta_random;
mod described;
mod malformed;
mod random;
mod replies;
mod schema;
mod writer;

use lychgate_protocol::centrifuge::{Command, Commands, Encoding, Malformed};
use serde_json::Value;

/// The entries of a file of `fixtures/wire/centrifuge`.
fn golden(file: &str) -> Vec<Value> {
    let path = format!("{}/../../fixtures/wire/centrifuge/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).expect(file)).expect(file)
}

fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry[name].as_str().unwrap_or_else(|| panic!("{entry} has no text {name}"))
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a message holds: its commands, and the fault that ends it.
fn read(encoding: Encoding, message: &[u8]) -> (Vec<Command<'_>>, Option<Malformed>) {
    let mut commands = Vec::new();
    for item in Commands::new(encoding, message) {
        match item {
            Ok(command) => commands.push(command),
            Err(fault) => return (commands, Some(fault)),
        }
    }
    (commands, None)
}

/// The one command of a message.
fn read_one(encoding: Encoding, message: &[u8]) -> Command<'_> {
    let (mut commands, fault) = read(encoding, message);
    assert_eq!((commands.len(), fault), (1, None), "{}", message.escape_ascii());
    commands.remove(0)
}
