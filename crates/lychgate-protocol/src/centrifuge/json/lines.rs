//! The lines of a message, each one command.

use super::command::command;
use crate::centrifuge::{Command, Malformed};
use crate::json::{DEPTH_MAX, NotJson, is_deeper};

/// What is left of a message.
#[derive(Clone)]
pub(in crate::centrifuge) struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(in crate::centrifuge) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next command. A newline ends a line, so one at the end of the message is followed by nothing.
    pub(in crate::centrifuge) fn next_command(&mut self) -> Option<Result<Command<'a>, Malformed>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let at = self.at;
        let line = rest.split('\n').next().unwrap_or(rest);
        self.at += line.len() + 1;
        Some(read(line, at))
    }
}

fn read(line: &str, at: usize) -> Result<Command<'_>, Malformed> {
    let object = line.trim_matches([' ', '\t', '\r']);
    // check: centrifuge-blank-line
    if object.is_empty() {
        return Err(Malformed::BlankLine { at });
    }
    let read =
        command(line).map_err(|error| Malformed::NotACommand { at: at + NotJson::from_serde(line, &error).at })?;
    // A payload is only read over, which takes no stack however deep it is. Its readers may have less patience.
    // check: centrifuge-depth
    if is_deeper(object, DEPTH_MAX) {
        return Err(Malformed::TooDeep { at });
    }
    Ok(read)
}
