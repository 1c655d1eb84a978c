//! The messages of one WebSocket message, each one command.

use super::command::command;
use super::read::delimited;
use crate::centrifuge::{Command, Malformed};

/// What is left of a message.
#[derive(Clone)]
pub(in crate::centrifuge) struct Messages<'a> {
    rest: &'a [u8],
    total_bytes: usize,
}

impl<'a> Messages<'a> {
    pub(in crate::centrifuge) fn new(message: &'a [u8]) -> Self {
        Self { rest: message, total_bytes: message.len() }
    }

    /// The next command.
    pub(in crate::centrifuge) fn next_command(&mut self) -> Option<Result<Command<'a>, Malformed>> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.total_bytes - self.rest.len();
        let read = delimited(&mut self.rest).and_then(command);
        Some(read.map_err(|_| Malformed::NotAMessage { at }))
    }
}
